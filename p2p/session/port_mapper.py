"""Lets peers in through the router: has a port of it opened, TCP and UDP, keeps it open, and closes it at the end.

The rule: the ways are tried in the order PCP, NAT-PMP, UPnP, and who speaks one is asked by that from then on. A grant
is renewed when half its time is over; what fails is tried again, each time later; and a router that opens another port
than ours is no failure: that port is what others are told.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.codec import igd, port_control
from p2p.codec.port_control import PortGrant, Transport
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.gateway import Gateway, client_at, find_gateway
from p2p.net.nat import NatPmpRouter, PcpRouter, PortTakenError, Router, UpnpRouter, find_upnp
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.net.network import Network
    from p2p.session.services import Services

log = logging.getLogger(__name__)

LIFETIME: Final = 3_600
"""Seconds asked for: what is not taken back, by a crash, closes itself within the hour."""

RENEW_MIN: Final = 60.0
RENEW_MAX: Final = 3_600.0
"""Seconds between renewals, whatever lifetime a router says: one that forgets is told again, none is pestered."""

RETRY: Final = 60.0
RETRY_MAX: Final = 3_600.0
"""Seconds until a router that has refused or not answered is asked again, doubled from the first to the last."""

OTHER_PORTS: Final = 5
"""Outer ports tried where ours is another's."""

FAREWELL: Final = 3.0
"""Seconds for closing the port at the end."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """What became of it. `problem` is why there is no port, in one line; None with `outer_port`, or while nobody knows
    yet."""

    router: str | None = None
    way: str | None = None
    """`PCP`, `NAT-PMP` or `UPnP`."""

    outer_host: str | None = None
    outer_port: int | None = None
    problem: str | None = None


class PortMapper:
    """See the module's head. `on_port` hears when others have to be told another port (`Services.outer_port`)."""

    def __init__(self, services: Services, *, on_port: Callable[[], None]) -> None:
        self.mapping: Mapping | None = None
        """None while the router is not asked."""
        self._services = services
        self._on_port = on_port
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._router: Router | None = None
        self._grants: dict[Transport, PortGrant] = {}
        self._nonce: bytes | None = None
        """One for all, since a router takes changes of a mapping from who knows it alone."""
        self._gone = False
        """Whether the router is one of a network that we have left."""

    def start(self, scope: Scope) -> None:
        """Begin to ask."""
        if self._task is None:
            self.mapping = Mapping()
            self._task = scope.start(self._run(), name="port mapper")

    async def stop(self) -> None:
        """Close what was opened, as far as the router hears in time."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._give_back()
        self.mapping = None
        self._tell(None)

    def on_port(self) -> None:
        """We listen at another port."""
        self._news.set()

    def on_network(self) -> None:
        """The network is another, or is gone: its router is of no use, and neither is what it gave."""
        self._gone = True
        self._news.set()

    async def _run(self) -> None:
        retry = RETRY
        while True:
            self._news.clear()
            if self._gone:
                self._gone, self._router = False, None
                self._grants.clear()
                self._tell(None)
            wait = retry
            if self._services.obstacle is not None:
                self.mapping = Mapping(problem=self._services.obstacle)
            else:
                try:
                    wait = await self._map()
                    retry = RETRY
                except NetworkError as error:
                    self._on_failure(error)
                    retry = min(2 * retry, RETRY_MAX)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
                    retry = RETRY

    def _on_failure(self, error: NetworkError) -> None:
        problem = str(error)
        if self.mapping is None or self.mapping.problem != problem:
            log.info("no port of the router leads here: %s", problem)
        self.mapping = Mapping(problem=problem)
        self._router = None
        self._tell(None)

    async def _map(self) -> float:
        """Open the port, or renew it; the seconds until it has to be renewed. Raises NetworkError."""
        services = self._services
        inner_port = services.port
        if any(grant.inner_port != inner_port for grant in self._grants.values()):
            await self._give_back()
        gateway = self._gateway()
        if self._router is None:
            self._router = await self._find(gateway)
        router = self._router
        outer_port = await self._open(router, Transport.TCP, inner_port)
        with suppress(NetworkError):  # DHT nodes find us all the same once we have asked them
            await self._open(router, Transport.UDP, inner_port, outer_port)
        if self.mapping is None or self.mapping.outer_port != outer_port:
            outer_host = None
            with suppress(NetworkError):
                outer_host = await router.outer_host()
            self.mapping = Mapping(gateway.host, router.way, outer_host, outer_port)
            log.info("port %d of the router leads here, by %s", outer_port, router.way)
        self._tell(outer_port)
        lifetime = min(grant.lifetime for grant in self._grants.values())
        return min(max(lifetime / 2, RENEW_MIN), RENEW_MAX)

    def _gateway(self) -> Gateway:
        """The router to ask. Raises NetworkError where none is known."""
        named, binding = self._services.settings.gateway, self._services.environment.interface
        if named is None:
            return find_gateway(None if binding is None else binding.name)
        if named.client:
            return named
        return Gateway(named.host, client_at(named.host) if binding is None else binding.local(ipv6=False))

    async def _find(self, gateway: Gateway) -> Router:
        """The way that the router speaks, of those that it was asked by. Raises NetworkError."""
        environment = self._services.environment
        network = environment.network
        place = Address(gateway.host, port_control.PORT)
        if self._nonce is None:
            self._nonce = environment.secrets(port_control.NONCE_SIZE)
        pcp = PcpRouter(network, place, client=gateway.client, nonce=self._nonce)
        problems: list[str] = []
        async with Scope() as scope:
            search: asyncio.Task[UpnpRouter | NetworkError] = scope.start(
                _search(network, gateway.host), name="search for a UPnP gateway"
            )
            for router in (pcp, NatPmpRouter(network, place)):
                try:
                    self._grants[Transport.TCP] = await self._grant(router, Transport.TCP, self._services.port)
                except NetworkError as error:
                    problems.append(str(error))
                else:
                    return router
            found = await search
        if not isinstance(found, NetworkError):
            return found
        raise NetworkError("; ".join(dict.fromkeys((*problems, str(found)))))

    async def _open(self, router: Router, transport: Transport, inner_port: int, wanted: int | None = None) -> int:
        if transport not in self._grants:  # to be taken back even if we are stopped before the router answers
            self._grants[transport] = PortGrant(transport, inner_port, wanted or inner_port, LIFETIME)
        grant = self._grants[transport] = await self._grant(router, transport, inner_port, wanted)
        return grant.outer_port

    async def _grant(
        self, router: Router, transport: Transport, inner_port: int, wanted: int | None = None
    ) -> PortGrant:
        known = self._grants.get(transport)
        outer_port = wanted or (inner_port if known is None else known.outer_port)
        for _ in range(OTHER_PORTS):
            try:
                grant = await router.map(transport, inner_port, outer_port, LIFETIME)
            except PortTakenError:
                outer_port = self._services.environment.rng.randrange(32_768, 61_000)
            else:
                return grant
        raise NetworkError("the ports of the router that were tried are others'")

    async def _give_back(self) -> None:
        grants, self._grants = list(self._grants.values()), {}
        if self._router is not None and not self._gone:
            for grant in grants:
                with suppress(NetworkError):
                    await self._router.unmap(grant)

    def _tell(self, outer_port: int | None) -> None:
        services = self._services
        before = services.announced_port
        services.outer_port = outer_port
        if services.announced_port != before:
            self._on_port()


async def _search(network: Network, host: str) -> UpnpRouter | NetworkError:
    try:
        return await find_upnp(network, host, (Address(host, igd.SSDP_PORT), igd.SSDP_GROUP))
    except NetworkError as error:
        return error
