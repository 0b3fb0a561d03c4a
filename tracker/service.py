"""A tracker as its operator runs it: configuration, tracker, pages and log, started, reloaded and stopped as one.

The rules: what cannot be had at the start is an error and leaves nothing open; a reload that fails changes nothing;
what a reload cannot change is said.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError, NetworkError
from p2p.ids import Address
from tracker.accounts_link import AccountsKeeper
from tracker.config import needs_restart, only_live, taken_up
from tracker.event_log import tell
from tracker.figures import SAMPLE_PERIOD, Figures, RateWindow, add_traffic
from tracker.memory_store import MemoryStore
from tracker.page_server import PageServer
from tracker.private.gate import PrivateGate
from tracker.proxies import Proxies
from tracker.redis_siblings import RedisSiblings
from tracker.redis_store import RedisStore
from tracker.saver import SwarmSaver
from tracker.server import PrivateSide, Tracker, TrackerSettings, naming
from tracker.shared_store import Knowledge, SharedStore
from tracker.siblings import Siblings
from tracker.site import Site

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from p2p.net.network import Network
    from tracker.config import ConfigSource, ListenConfig, TrackerConfig
    from tracker.event_log import LogSettings
    from tracker.figures import SwarmFigures, Traffic
    from tracker.redis_link import RedisLink
    from tracker.siblings import WorkerPlace
    from tracker.store import Store

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - a tracker is there to be reached
EVERYWHERE6: Final = "::"

RANKING_LIFE: Final = 5.0
"""Seconds a ranking of swarms is shown: a page that is loaded again and again must not cost what announces need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What comes from outside. `wall` is seconds since the epoch."""

    network: Network
    rng: random.Random
    secret: bytes
    """32 bytes, of which all keys are made; the same for all processes of one tracker."""
    secrets: Callable[[int], bytes]
    """So many bytes nobody can guess."""
    wall: Callable[[], float]
    place: WorkerPlace | None = None
    """Among the processes that serve together; None for one alone."""


class TrackerService:
    """See the module's head. Made of a configuration that `source` has given; a reload asks it again."""

    def __init__(self, source: ConfigSource, config: TrackerConfig, outside: Outside, log: LogSettings | None) -> None:
        self._source = source
        self._config = config
        self._outside = outside
        self._log = log
        self._tracker: Tracker | None = None
        self._gate: PrivateGate | None = None
        self._saver: SwarmSaver | None = None
        self._siblings: Siblings | None = None
        self._keeper: AccountsKeeper | None = None
        self._redis: RedisLink | None = None
        self._site: Site | None = None
        self._pages: PageServer | None = None
        self._rates = RateWindow()
        self._sampler: asyncio.TimerHandle | None = None
        self._started = 0.0
        self._ranks = asyncio.Lock()
        self._ranked_at = -RANKING_LIFE
        self._ranking: Sequence[SwarmFigures] = ()

    async def start(self) -> None:
        """Raises a StarlingError, with nothing left open, where something cannot be had."""
        config, outside = self._config, self._outside
        if config.private.database:
            self._gate = PrivateGate(
                config.private.database, config.private_rules(), secrets=outside.secrets, wall=outside.wall
            )
        proxies = Proxies(config.listen.trusted_proxies)
        self._site = Site(
            self,
            admin=config.admin,
            proxies=proxies,
            register=self._gate,
            secret=outside.secret,
            wall=outside.wall,
        )
        self._pages = PageServer(self._site.answer, proxies)
        settings = _settings(config, await hosts_of(outside.network, config.listen))
        self._tracker = Tracker(
            outside.network,
            rng=outside.rng,
            secret=outside.secret,
            settings=settings,
            on_page=self._pages.adopt,
            tell=tell if config.log.announces else None,
            private=None if self._gate is None else PrivateSide(self._gate, outside.wall),
            store=self._store(settings),
        )
        self._started = outside.wall()
        if outside.place is not None and self._tracker.members_logic is not None:
            self._keeper = AccountsKeeper(outside.place, self._tracker.members_logic, self._site.answer)
        try:
            self._restore(self._tracker)
            if self._redis is not None:
                await self._redis.start()
            if self._gate is not None:
                await self._gate.start()
            await self._tracker.start()
            if self._keeper is not None:
                self._keeper.open()
            if self._siblings is not None:
                self._siblings.start(self._tracker.traffic)
            for host, port in config.admin.bind if self._is_first else ():
                with naming(place := Address(host, port)):
                    await self._pages.open(outside.network, place)
        except BaseException:
            await self.close()
            raise
        if self._saver is not None:
            self._saver.start()
        self._sample()

    async def close(self) -> None:
        """Stop answering, save what is to be kept. Idempotent."""
        try:
            await self._close_all_but_the_accounts()
        finally:
            if self._gate is not None:
                await self._gate.close()

    @property
    def announce_urls(self) -> tuple[str, ...]:
        """One URL an address, HTTP first."""
        return self._running.announce_urls

    @property
    def admin_urls(self) -> tuple[str, ...]:
        """The addresses of the pages that are the operator's alone."""
        return tuple(f"http://{address}/" for address in self._pages.addresses) if self._pages is not None else ()

    def reload(self) -> None:
        """Read the configuration again and take up what can be changed; a bad one changes nothing."""
        try:
            wanted = self._source.load()
        except ConfigError as error:
            tell("reload failed, the settings stay", level=logging.ERROR, reason=str(error))
            return
        old, waiting, changed = self._config, needs_restart(self._config, wanted), taken_up(self._config, wanted)
        self._config = new = only_live(old, wanted)
        self._running.set_rules(new.announce.rules())
        if self._site is not None:
            self._site.apply(new.admin)
        if self._gate is not None:
            self._gate.set_rules(new.private_rules())
        if self._saver is not None:
            self._saver.set_period(new.swarms.save_every)
        if self._log is not None:
            self._log.apply(new.log)
        tell("reloaded", changed=changed)
        if waiting:
            tell("these wait for the next start", level=logging.WARNING, keys=waiting)

    # -- what the pages ask (tracker.figures.Facts)

    async def figures(self) -> Figures:
        now = asyncio.get_running_loop().time()
        traffic = self._traffic()
        announces, scrapes = self._rates.rates(now, traffic)
        return Figures(
            version=version("starling-bt"),
            started=self._started,
            now=self._outside.wall(),
            workers=1 if self._outside.place is None else self._config.listen.workers,
            totals=self._running.totals(),
            traffic=traffic,
            announce_rate=announces,
            scrape_rate=scrapes,
            saved=None if self._saver is None else self._saver.saved,
            accounts=None if self._gate is None else self._gate.totals(),
            redis=None if self._redis is None else self._redis.figures(),
        )

    async def busiest(self, limit: int) -> Sequence[SwarmFigures]:
        async with self._ranks:
            now = asyncio.get_running_loop().time()
            if now - self._ranked_at >= RANKING_LIFE:
                self._ranking = await self._running.busiest(limit)
                self._ranked_at = now
        return self._ranking

    @property
    def _running(self) -> Tracker:
        if self._tracker is None:
            raise RuntimeError("the tracker was not started")
        return self._tracker

    @property
    def _is_first(self) -> bool:
        """Whether this process does what is to be done by one of them."""
        return self._outside.place is None or self._outside.place.number == 0

    async def _close_all_but_the_accounts(self) -> None:
        if self._sampler is not None:
            self._sampler.cancel()
            self._sampler = None
        if self._pages is not None:
            await self._pages.close()
        if self._keeper is not None:
            await self._keeper.close()
        if self._tracker is not None:
            await self._tracker.close()
        if self._redis is not None:
            await self._redis.close()
        if self._siblings is not None:
            self._siblings.close()
        if self._saver is not None:
            await self._saver.close()

    def _store(self, settings: TrackerSettings) -> Store | None:
        """Of swarms that are shared; None where this process has its own."""
        place = self._outside.place
        if self._config.swarms.redis:
            return self._share(settings, place)
        if place is None or self._gate is not None:  # the other processes of a private tracker have no swarms
            return None
        return self._join(place, settings)

    def _share(self, settings: TrackerSettings, place: WorkerPlace | None) -> Store:
        from tracker.redis_link import RedisLink  # noqa: PLC0415 - a third of a second that few need

        memory = MemoryStore(max_torrents=settings.max_torrents, max_peers=settings.max_peers)
        store = RedisStore(memory, clock=asyncio.get_running_loop().time, rng=self._outside.rng)
        swarms = self._config.swarms
        self._redis = RedisLink(
            swarms.redis,
            swarms.redis_prefix,
            store,
            rng=self._outside.rng,
            lifetime=lambda: self._config.announce.rules().peer_lifetime,
        )
        if place is not None:
            link = self._redis
            self._siblings = Siblings(place, RedisSiblings(place.number, store, lambda: link.is_up))
        return store

    def _join(self, place: WorkerPlace, settings: TrackerSettings) -> SharedStore:
        store = SharedStore(
            place.number,
            len(place.mailboxes.pairs),
            max_torrents=settings.max_torrents,
            max_peers=settings.max_peers,
            clock=asyncio.get_running_loop().time,
            rng=self._outside.rng,
            knowledge=Knowledge.ALL if place.number == 0 and place.is_first_start else Knowledge.NOTHING,
        )
        self._siblings = Siblings(place, store)
        return store

    def _traffic(self) -> Traffic:
        """Of all processes."""
        parts = [self._running.traffic()]
        if self._siblings is not None:
            parts += self._siblings.traffic
        if self._keeper is not None:
            parts += self._keeper.traffic
        return add_traffic(parts)

    def _restore(self, tracker: Tracker) -> None:
        swarms = self._config.swarms
        if swarms.snapshot and self._is_first:
            clock, wall = asyncio.get_running_loop().time, self._outside.wall
            self._saver = SwarmSaver(
                Path(swarms.snapshot), tracker.store, clock=clock, wall=wall, every=swarms.save_every
            )
            if (
                self._siblings is not None
                and self._outside.place is not None
                and not self._outside.place.is_first_start
            ):
                return  # the other processes know more than the file
            self._saver.restore(lifetime=self._config.announce.rules().peer_lifetime, rng=self._outside.rng)

    def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        self._rates.on_sample(loop.time(), self._traffic())
        self._sampler = loop.call_later(SAMPLE_PERIOD, self._sample)


async def hosts_of(network: Network, listen: ListenConfig) -> tuple[str, ...]:
    """Where to listen. All of the host's means IPv4, and IPv6 where the host has it."""
    if listen.bind:
        return listen.bind
    try:
        probe = await network.listen(Address(EVERYWHERE6, 0), lambda stream: stream.abort())
    except NetworkError as error:
        tell("no IPv6 here", reason=str(error))
        return (EVERYWHERE,)
    probe.close()
    return (EVERYWHERE, EVERYWHERE6)


def _settings(config: TrackerConfig, hosts: Sequence[str]) -> TrackerSettings:
    listen, limits = config.listen, config.limits
    return TrackerSettings(
        http=tuple(Address(host, listen.http_port) for host in hosts if listen.http),
        udp=tuple(Address(host, listen.udp_port) for host in hosts if listen.udp),
        rules=config.announce.rules(),
        max_torrents=limits.torrents,
        max_peers=limits.peers,
        max_connections=limits.connections,
        max_per_address=limits.connections_per_address,
        proxies=listen.trusted_proxies,
        exchange_time=limits.exchange_time,
    )
