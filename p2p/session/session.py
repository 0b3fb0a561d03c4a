"""A session: one place that listens, shares limits and slots among its torrents, and stops them in good order.

async with Session(Settings(download_dir="downloads")) as session:
    torrent = await session.add("file.torrent")
    await torrent.completed()
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.disk.piece_cache import PieceCache
from p2p.disk.resume import ResumeStore
from p2p.errors import ConfigError, StarlingError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.dht_announcer import search_turns
from p2p.session.environment import Environment, real_environment
from p2p.session.event_bus import EventBus, EventKind
from p2p.session.host_gates import HostGates
from p2p.session.kept_metadata import KeptMetadata
from p2p.session.loading import load
from p2p.session.move import Move, absolute, end_abandoned, unfinished
from p2p.session.removal import Disposal, Removed, dispose, in_trash, purge, restore
from p2p.session.scope import Scope
from p2p.session.services import Services
from p2p.session.session_network import SessionNetwork
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.slots import Slots
from p2p.session.swarm_names import SwarmNames
from p2p.session.throttle import Turns
from p2p.session.torrent import Torrent
from p2p.session.udp_trackers import UdpTrackers
from p2p.swarm.rate import RateLimiter
from p2p.wire.arena import ArenaPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from p2p.session.dht_service import DhtService
    from p2p.session.encryption import Encryption
    from p2p.session.tracker_health import TrackerHealth


log = logging.getLogger(__name__)

TICK: Final = 1.0
"""Seconds between looks at timeouts and rounds; the shortest of those is ten."""


class Begin(Enum):
    """How a torrent begins."""

    STARTED = "started"
    PAUSED = "paused"
    """Stopped, as far as it is on record; nothing of the content is looked at."""


class Session:
    """See the module's head. Rates are bytes a second.

    Entering raises NetworkError when it cannot listen. Torrents are stopped when it is left, whatever ends it.
    """

    def __init__(self, settings: Settings | None = None, *, environment: Environment | None = None) -> None:
        self.settings = settings or Settings()
        self._given_environment = environment
        self._services: Services | None = None
        self._scope = Scope()
        self._names = SwarmNames()
        self._keys = itertools.count(1)
        self._network: SessionNetwork | None = None

    async def __aenter__(self) -> Session:
        settings = self.settings
        environment = self._given_environment or real_environment(
            hash_workers=settings.hash_workers,
            open_files=settings.open_files,
            interface=settings.interface,
            name_servers=settings.name_servers,
        )
        if settings.interface is not None and environment.interface is None:
            raise ConfigError(f"the environment is not held to the interface {settings.interface}")
        if settings.choking not in environment.choking:
            raise ConfigError(f"{settings.choking!r} is no choking policy: {', '.join(environment.choking)}")
        now = asyncio.get_running_loop().time()
        services = self._services = Services(
            settings=settings,
            environment=environment,
            turns_down=Turns(RateLimiter(settings.limit_down, now)),
            turns_up=Turns(RateLimiter(settings.limit_up, now)),
            arenas=ArenaPool(limit=settings.receive_memory, idle_limit=settings.receive_memory // 2),
            cache=PieceCache(settings.read_cache),
            slots=Slots(connections=settings.max_connections, connecting=settings.max_connecting),
            udp=UdpTrackers(environment.network, rng=environment.rng, bind=settings.bind),
            gates=HostGates(),
            searches=search_turns(),
            resume=None if settings.state_dir is None else ResumeStore(Path(settings.state_dir) / "resume"),
            kept_metadata=None
            if settings.state_dir is None
            else KeptMetadata(Path(settings.state_dir) / "metadata", environment.hasher),
        )
        self._network = SessionNetwork(services, self._names, self._scope, on_settings=self._on_settings)
        await self._scope.__aenter__()
        try:
            await self._network.begin()
        except BaseException:
            await self._release()
            raise
        self._scope.start(self._tick(), name="tick")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            torrents = self.torrents
            for torrent in torrents:
                torrent.request_stop()
            for torrent in torrents:
                await torrent.stopped()
        finally:
            try:
                await self.network.end(kind, error, trace)
            finally:
                try:
                    await self._scope.__aexit__(kind, error, trace)
                finally:
                    await self._release()

    async def _release(self) -> None:
        services = self._open
        services.agenda.close()
        services.gates.close()
        services.searches.close()
        services.udp.close()
        self.network.close()
        if self._given_environment is None:
            await services.environment.http.close()
            await services.environment.hasher.close()

    @property
    def dht(self) -> DhtService | None:
        """The session's DHT node; None where it runs none."""
        return self._open.dht

    @property
    def _open(self) -> Services:
        if self._services is None:
            raise RuntimeError("the session is not entered yet")
        return self._services

    @property
    def network(self) -> SessionNetwork:
        """Where it listens, how it finds peers, whom it refuses: to be changed while it goes on."""
        if self._network is None:
            raise RuntimeError("the session is not entered yet")
        return self._network

    @property
    def tracker_health(self) -> TrackerHealth:
        """How trackers' hosts have answered."""
        return self._open.gates.health

    # -- what users of the library call

    @property
    def events(self) -> EventBus:
        """What happens to torrents, as it happens."""
        return self._open.events

    def take_changed(self) -> list[Torrent]:
        """Torrents of which something may be other than when this was last asked; for one caller."""
        return self._open.notices.take_changed()

    @property
    def port(self) -> int:
        """Where peers reach us."""
        return self._open.port

    @property
    def torrents(self) -> list[Torrent]:
        """In the order in which they were added."""
        return self._names.torrents

    async def add(
        self,
        source: str | Path | bytes | Metainfo | Magnet,
        options: TorrentOptions | None = None,
        *,
        begin: Begin = Begin.STARTED,
    ) -> Torrent:
        """Add a torrent, and start it unless told otherwise.

        `source` is a path, the bytes of a torrent file, a Metainfo, or a magnet link.

        Raises MetainfoError, MagnetError, StorageError; StarlingError when the torrent is there already.
        """
        services = self._open
        loaded = await load(source, services.environment.hasher)
        options = options or TorrentOptions()
        if isinstance(loaded, Magnet) and not options.select and not options.select_indices:
            options = replace(options, select_indices=loaded.select_only)
        known = loaded
        if isinstance(loaded, Magnet) and services.kept_metadata is not None:
            known = await services.kept_metadata.find(loaded) or loaded
        for info_hash in known.wire_info_hashes():
            if self._names.find(info_hash) is not None:
                raise StarlingError(f"{known.name or info_hash.hex()} is in this session already")
        move = None
        if isinstance(known, Metainfo):
            place = absolute(options.download_dir or services.settings.download_dir)
            move = await unfinished(known.wire_info_hashes()[0], place, services)
            if move is not None:
                options = replace(options, download_dir=move.place)
        torrent = Torrent(
            next(self._keys),
            known,
            options,
            services,
            named=loaded.peers if isinstance(loaded, Magnet) else (),
            on_names=self._names.on_names,
            on_start=self._on_start,
            now=asyncio.get_running_loop().time(),
        )
        self._names.on_names(torrent)
        services.publish(EventKind.ADDED, torrent.info_hash)
        match begin:
            case Begin.STARTED:
                torrent.start()
            case Begin.PAUSED:
                await torrent.look_up()
        if move is not None:
            self._scope.start(self._end_move(torrent, move), name=f"move {torrent.info_hash[:8]}")
        return torrent

    def on_placed(self, tell: Callable[[Torrent], Awaitable[None]]) -> None:
        """Have `tell` know of torrents whose content is in another folder; see `Services.on_placed`."""
        self._open.on_placed = tell

    async def _end_move(self, torrent: Torrent, move: Move) -> None:
        try:
            await torrent.carry_on(move)
        except StarlingError as error:
            log.warning("%s: the move that was cut short cannot be ended: %s", torrent.name, error)

    async def remove(self, torrent: Torrent, content: Disposal = Disposal.KEEP) -> Removed | None:
        """Stop a torrent and forget it; its content and its record stay unless told otherwise.

        Returns what `restore` can bring back. Raises StorageError where content cannot be removed; the torrent is
        forgotten all the same.
        """
        await torrent.abandon_move()
        await torrent.stop()
        self._names.forget(torrent)
        self._open.notices.forget(torrent)
        await end_abandoned(torrent)
        return await dispose(torrent, content, self._open)

    async def in_trash(self) -> list[Removed]:
        """Content that was removed and can come back, of this session and those before it, the oldest first."""
        return await in_trash(self._open)

    async def restore(self, removed: Removed) -> None:
        """Bring content back from the trash, to be added again. Raises StorageError if it cannot."""
        await restore(removed, self._open)

    async def purge(self, removed: Removed) -> None:
        """Delete content in the trash for good. Raises StorageError."""
        await purge(removed, self._open)

    def set_limits(self, *, down: float | None, up: float | None) -> None:
        """Change the session's rates; None is unlimited."""
        now = asyncio.get_running_loop().time()
        self._open.turns_down.limiter.set_limit(down, now)
        self._open.turns_up.limiter.set_limit(up, now)

    def set_read_cache(self, size: int) -> None:
        """Change how many bytes of content stay in memory for uploads."""
        self._open.cache.set_budget(size)

    def set_max_connections(self, count: int) -> None:
        """Change how many peers there may be in all; those above it end, the least useful first."""
        self.network.set_max_connections(count)

    def set_encryption(self, encryption: Encryption) -> None:
        """Change how connections begin from now on; those there are stay."""
        self.network.set_encryption(encryption)

    def set_incomplete(self, folder: Path | None, *, suffix: bool) -> None:
        """Keep files of torrents that are not done in `folder`, with names that end in `.part` if `suffix`: those of
        torrents that begin from now on. Files that are there are found where they are."""
        self.settings = replace(self.settings, incomplete_dir=folder, partial_suffix=suffix)
        self._open.settings = self.settings

    async def set_port(self, port: int) -> None:
        """Let peers reach us at another port, 0 for any; whoever tells others of it hears of it now.

        Raises NetworkError when it cannot be listened on; then the old one stays.
        """
        await self.network.set_port(port)

    def _on_settings(self, settings: Settings) -> None:
        self.settings = settings

    # -- life

    def _on_start(self, torrent: Torrent) -> None:
        self._scope.start(self._run(torrent), name=f"torrent {torrent.info_hash[:8]}")

    async def _run(self, torrent: Torrent) -> None:
        try:
            await torrent.run()
        except Exception as error:  # a bug of ours in one torrent must not take the others down, and must be seen
            log.exception("torrent %s ended by a bug", torrent.info_hash)
            torrent.on_bug(error)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK)
            for torrent in self._open.notices.lively:
                try:
                    torrent.on_tick(loop.time())
                except Exception as error:  # as in `_run`
                    log.exception("torrent %s ended by a bug", torrent.info_hash)
                    torrent.on_bug(error)
                    torrent.request_stop()
