"""A session's network, changed while it goes on: where it listens, how it finds peers, whom it refuses, and by which
interface everything goes.

The rules: what is turned off closes its sockets and is used by no torrent any more when the call returns. A session
that is held to an interface (`Settings.interface`) fails closed: while that has no address nothing listens, nobody is
called, and it says why; once it has one again, all begins anew there.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from p2p.errors import NetworkError
from p2p.session.connector import surplus
from p2p.session.discovery import Discovery, is_loopback
from p2p.session.listening import Listening
from p2p.session.peer_task import EndKind
from p2p.session.port_mapper import Mapping, PortMapper

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from p2p.net.interface_binding import InterfaceBinding
    from p2p.session.blocklist import Blocklist
    from p2p.session.encryption import Encryption
    from p2p.session.scope import Scope
    from p2p.session.services import Services
    from p2p.session.settings import Settings
    from p2p.session.swarm_names import SwarmNames

log = logging.getLogger(__name__)

LOOK_INTERVAL: Final = 3.0
"""Seconds between looks at the interface's addresses. A tunnel that comes back is used as soon as its user notices; one
that is gone needs no look, since the kernel sends nothing by it."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """How the session stands on its network."""

    port: int
    """Where it listens."""

    announced_port: int
    """Where others are told to reach it."""

    interface: str | None
    addresses: tuple[str, ...]
    """Of the interface, those in use; none where the session is held to none."""

    obstacle: str | None
    """Why nobody is reached; None where they are."""

    mapping: Mapping | None
    """What the router was asked for, and what it said; None where it is not asked."""


class SessionNetwork:
    """See the module's head. Made by `Session`, which hears of other settings by `on_settings`."""

    def __init__(
        self, services: Services, names: SwarmNames, scope: Scope, *, on_settings: Callable[[Settings], None]
    ) -> None:
        self._services = services
        self._names = names
        self._scope = scope
        self._on_settings = on_settings
        self._listening = Listening(services, names, scope)
        self._discovery = Discovery(services, scope)
        self._mapper = PortMapper(services, on_port=self._tell_port)
        self._changing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    # -- life

    async def begin(self) -> None:
        """Listen, and look for peers. Raises NetworkError when it cannot, unless it is for want of an address that may
        still come."""
        settings, binding = self._services.settings, self._services.environment.interface
        if binding is not None:
            binding.refresh()
        if binding is not None and binding.obstacle is not None:
            self._services.port = settings.port
            self._stand_still(binding.obstacle)
        else:
            await self._listening.listen()
            if settings.dht:
                await self._discovery.start_dht()
        if settings.local_discovery:
            self._discovery.start_local()
        if settings.port_mapping:
            self._start_mapping()
        if binding is not None:
            self._watching = self._scope.start(self._watch(binding), name="interface")

    async def end(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Listen no more, and look for nobody; the arguments are those of an async context manager's end."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        self._listening.close()
        try:
            await self._mapper.stop()
        finally:
            await self._discovery.stop_dht(kind, error, trace)

    def close(self) -> None:
        """Close what listens, where the rest has ended or never began."""
        self._listening.close()

    @property
    def strangers(self) -> int:
        """Those that reached us and have not said yet what they want."""
        return self._listening.shaking

    @property
    def facts(self) -> NetworkFacts:
        services = self._services
        binding = services.environment.interface
        return NetworkFacts(
            port=services.port,
            announced_port=services.announced_port,
            interface=None if binding is None else binding.name,
            addresses=() if binding is None else tuple(each for each in binding.addresses if each is not None),
            obstacle=services.obstacle,
            mapping=self._mapper.mapping,
        )

    # -- wishes

    async def set_port(self, port: int) -> None:
        """Listen at another port, 0 for any; DHT and local discovery follow, the router is asked for it, and trackers
        hear of it as early as they allow.

        Raises NetworkError when it cannot be listened on; then the old one stays.
        """
        async with self._changing:
            services, before = self._services, self._services.settings
            if port and port == services.port:
                self._change(port=port)
                return
            self._change(port=port)
            if services.obstacle is not None:
                services.port = port
                return
            try:
                await self._listening.listen_anew()
            except NetworkError:
                self._change(port=before.port)
                raise
            await self._follow_port()

    async def _follow_port(self) -> None:
        services = self._services
        if services.dht is not None:
            try:
                await services.dht.rebind(services.port)
            except NetworkError as error:
                log.warning("the DHT node stays at port %d: %s", services.dht.port, error)
        if services.local is not None:
            services.local.set_port(services.port)
        services.outer_port = None
        self._mapper.on_port()
        self._tell_port()

    def _tell_port(self) -> None:
        for torrent in self._names.torrents:
            torrent.on_port()

    async def set_dht(self, *, wanted: bool) -> None:
        """Take part in the DHT from now on, or no more (BEP 5)."""
        async with self._changing:
            services = self._services
            self._change(dht=wanted)
            if wanted == (services.dht is not None):
                return
            if not wanted:
                await self._discovery.stop_dht()
            elif services.obstacle is None:
                await self._discovery.start_dht()
            for torrent in self._names.torrents:
                torrent.on_dht()

    async def set_local_discovery(self, *, wanted: bool) -> None:
        """Take part in local discovery from now on, or no more (BEP 14)."""
        async with self._changing:
            self._change(local_discovery=wanted)
            if wanted == (self._services.local is not None):
                return
            if wanted:
                self._discovery.start_local()
            else:
                await self._discovery.stop_local()
            for torrent in self._names.torrents:
                torrent.on_local()

    def set_peer_exchange(self, *, wanted: bool) -> None:
        """Let peers tell each other of peers from now on, or no more (BEP 11)."""
        if wanted != self._services.settings.peer_exchange:
            self._change(peer_exchange=wanted)
            for torrent in self._names.torrents:
                torrent.on_peer_exchange()

    def set_encryption(self, encryption: Encryption) -> None:
        """Change how connections begin from now on; those there are stay."""
        self._change(encryption=encryption)
        for torrent in self._names.torrents:
            torrent.set_encryption(encryption)

    def set_max_connections(self, count: int) -> None:
        """Change how many peers there may be in all; those above it end, the least useful first."""
        self._change(max_connections=count)
        slots, now = self._services.slots, asyncio.get_running_loop().time()
        slots.set_limit(count)
        peers = [peer for each in self._names.torrents for peer in each.connected_peers if not peer.ended.done()]
        for peer in surplus(peers, slots.surplus, now):
            peer.end(EndKind.OURS, "fewer peers are wanted")

    def set_max_connections_per_torrent(self, count: int) -> None:
        """Change how many peers a torrent may have that says nothing else itself; those above it end."""
        self._change(max_connections_per_torrent=count)
        for torrent in self._names.torrents:
            torrent.on_peer_limit()

    async def set_port_mapping(self, *, wanted: bool) -> None:
        """Ask the router to let peers in from now on, or take that back."""
        async with self._changing:
            if wanted == self._services.settings.port_mapping:
                return
            self._change(port_mapping=wanted)
            if wanted:
                self._start_mapping()
            else:
                await self._mapper.stop()

    def _start_mapping(self) -> None:
        settings = self._services.settings
        if settings.gateway is not None or not all(map(is_loopback, settings.bind)):
            self._mapper.start(self._scope)

    def set_blocklist(self, blocklist: Blocklist) -> None:
        """Have nothing to do with these hosts: they are neither called nor taken, whoever tells of them, nor are nodes
        of the DHT there; peers that are connected go."""
        self._services.blocklist = blocklist
        for torrent in self._names.torrents:
            torrent.on_blocklist()

    def _change(self, **changes: Any) -> None:
        self._services.settings = replace(self._services.settings, **changes)
        self._on_settings(self._services.settings)

    # -- an interface that comes and goes

    async def _watch(self, binding: InterfaceBinding) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            stands_still = self._services.obstacle is not None
            if binding.refresh() or (stands_still and binding.obstacle is None):
                async with self._changing:
                    await self._follow(binding)

    async def _follow(self, binding: InterfaceBinding) -> None:
        """The interface has another address, or none, or may be used at last."""
        services = self._services
        again_at = services.port
        self._listening.close()
        self._stand_still(binding.obstacle or f"the interface {binding.name} has another address")
        await self._discovery.stop_dht()
        if binding.obstacle is None:
            try:
                await self._listening.listen(again_at)
            except NetworkError as error:
                self._stand_still(str(error))
            else:
                await self._go_on()
        for torrent in self._names.torrents:
            torrent.on_dht()
            if services.obstacle is None:
                torrent.on_network()

    def _stand_still(self, why: str) -> None:
        services = self._services
        if services.obstacle != why:
            log.warning("nobody is reached: %s", why)
        services.obstacle, services.outer_port = why, None
        services.external.clear()
        services.slots.pause()
        services.udp.reopen()
        self._mapper.on_network()
        if services.local is not None:
            services.local.look_again()
        for torrent in self._names.torrents:
            torrent.on_network_lost(why)
            services.notices.on_change(torrent)

    async def _go_on(self) -> None:
        services = self._services
        services.obstacle = None
        log.info("peers are reached at port %d", services.port)
        if services.settings.dht:
            await self._discovery.start_dht()
        if services.local is not None:
            services.local.set_port(services.port)
        self._mapper.on_network()
        services.slots.go_on()
