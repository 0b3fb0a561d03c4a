"""A process of a private tracker that takes connections of members, and asks the one that keeps the accounts.

The rule: it remembers nothing of members, torrents or swarms, so it can end and be replaced at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.errors import ConfigError
from p2p.ids import Address
from tracker.accounts_link import AccountsAsker
from tracker.event_log import tell
from tracker.http_frontend import HttpFrontend
from tracker.page_server import PageServer
from tracker.proxies import Proxies
from tracker.relayed_answers import RelayedAnswers
from tracker.server import naming
from tracker.service import hosts_of
from tracker.told_logic import told_malformed

if TYPE_CHECKING:
    from p2p.net.network import Network
    from tracker.config import ConfigSource, TrackerConfig
    from tracker.event_log import LogSettings
    from tracker.siblings import WorkerPlace


class MembersFront:
    """Started, reloaded and stopped as `tracker.service.TrackerService` is. UDP is the other process's alone."""

    def __init__(
        self, source: ConfigSource, config: TrackerConfig, network: Network, place: WorkerPlace, log: LogSettings | None
    ) -> None:
        self._source = source
        self._config = config
        self._network = network
        self._log = log
        limits = config.limits
        proxies = Proxies(config.listen.trusted_proxies)
        self._asker = AccountsAsker(place, lambda: self._http.traffic)
        self._pages = PageServer(self._asker.page, proxies)
        self._http = HttpFrontend(
            RelayedAnswers(self._asker, proxies, told_malformed(tell) if config.log.announces else None),
            exchange_time=limits.exchange_time,
            max_connections=limits.connections,
            max_per_address=limits.connections_per_address,
            proxies=proxies,
            on_page=self._pages.adopt,
        )

    async def start(self) -> None:
        """Raises NetworkError, with nothing left open."""
        listen = self._config.listen
        self._asker.open()
        try:
            for host in await hosts_of(self._network, listen) if listen.http else ():
                with naming(place := Address(host, listen.http_port)):
                    await self._http.open(self._network, place)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop answering. Idempotent."""
        self._http.close()
        await self._pages.close()
        self._asker.close()

    @property
    def announce_urls(self) -> tuple[str, ...]:
        """Told by the process that keeps the accounts."""
        return ()

    @property
    def admin_urls(self) -> tuple[str, ...]:
        """The same."""
        return ()

    def reload(self) -> None:
        """Take up what concerns this process: how it logs. The other one tells of all that changes, and of errors."""
        try:
            wanted = self._source.load()
        except ConfigError:
            return
        if self._log is not None:
            self._log.apply(wanted.log)
