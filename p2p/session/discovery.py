"""How a session finds peers that no tracker tells of: its DHT node (BEP 5) and local discovery (BEP 14)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.net.local_discovery import LocalDiscovery
from p2p.session.dht_service import DhtService
from p2p.session.settings import WELL_KNOWN_ROUTERS

if TYPE_CHECKING:
    from types import TracebackType

    from p2p.session.scope import Scope
    from p2p.session.services import Services

log = logging.getLogger(__name__)

DHT_TABLE: Final = "dht.table"
"""The file in the state folder that keeps whom our DHT node knows."""


class Discovery:
    """Starts and stops what `services` hold of it; its tasks are in `scope`."""

    def __init__(self, services: Services, scope: Scope) -> None:
        self._services = services
        self._scope = scope
        self._locally: asyncio.Task[None] | None = None

    async def start_dht(self) -> None:
        """Run a DHT node at the port where peers reach us, or at any if that is taken; none where no socket opens."""
        services = self._services
        settings, environment = services.settings, services.environment
        bootstrap = settings.bootstrap
        if bootstrap == WELL_KNOWN_ROUTERS and all(map(is_loopback, settings.bind)):
            bootstrap = ()
        for port in (services.port, 0):
            dht = DhtService(
                environment.network,
                rng=environment.rng,
                secret=environment.secrets(16),
                port=port,
                bind=settings.bind,
                bootstrap=bootstrap,
                state_path=None if settings.state_dir is None else Path(settings.state_dir) / DHT_TABLE,
                refuses=services.refuses,
            )
            try:
                services.dht = await dht.__aenter__()
            except NetworkError as error:
                log.debug("no DHT node at port %d: %s", port, error)
            else:
                return
        log.warning("no DHT node can run here, so peers are found by other means alone")

    async def stop_dht(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Stop the node, if there is one; the arguments are those of an async context manager's end."""
        dht, self._services.dht = self._services.dht, None
        if dht is not None:
            await dht.__aexit__(kind, error, trace)

    def start_local(self) -> None:
        """Begin local discovery."""
        services = self._services
        environment = services.environment
        services.local = LocalDiscovery(
            environment.network, port=services.port, cookie=environment.secrets(16), bind=services.settings.bind
        )
        self._locally = self._scope.start(services.local.run(), name="local discovery")

    async def stop_local(self) -> None:
        """End local discovery, if it goes on; its sockets are closed when this returns."""
        task, self._locally, self._services.local = self._locally, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


def is_loopback(host: str) -> bool:
    """Whether `host`, an IP address, is of this machine alone."""
    return ipaddress.ip_address(host).is_loopback
