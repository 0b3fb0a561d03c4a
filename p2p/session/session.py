"""A session: one place that listens, shares limits and slots among its torrents, and stops them in good order.

async with Session(Settings(download_dir="downloads")) as session:
    torrent = await session.add("file.torrent")
    await torrent.completed()
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.codec.bencode import MAX_SIZE
from p2p.disk.piece_cache import PieceCache
from p2p.disk.refusals import printable
from p2p.disk.resume import ResumeStore
from p2p.disk.whole_files import read_whole
from p2p.errors import MetainfoError, NetworkError, RemoteProtocolError, StarlingError
from p2p.ids import Address, InfoHash
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.net.local_discovery import LocalDiscovery
from p2p.session.announcer import HostGates
from p2p.session.dht_service import DhtService
from p2p.session.encryption import Encryption, acceptable
from p2p.session.environment import Environment, real_environment
from p2p.session.event_bus import EventBus, EventKind
from p2p.session.handshaking import open_incoming
from p2p.session.kept_metadata import KeptMetadata
from p2p.session.move import Move, absolute, carry_out, unfinished
from p2p.session.removal import Disposal, Removed, dispose, purge, restore
from p2p.session.scope import Scope
from p2p.session.services import Services
from p2p.session.settings import WELL_KNOWN_ROUTERS, Settings, TorrentOptions
from p2p.session.slots import Slots
from p2p.session.stream_io import read_exactly
from p2p.session.throttle import Turns
from p2p.session.torrent import Torrent
from p2p.session.udp_trackers import UdpTrackers
from p2p.swarm.rate import RateLimiter
from p2p.wire.arena import ArenaPool
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake
from p2p.wire.mse import skey_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from p2p.disk.hasher import Hasher
    from p2p.net.network import Listener, Stream
    from p2p.session.handshaking import Opened

log = logging.getLogger(__name__)

TICK: Final = 1.0
"""Seconds between looks at timeouts and rounds; the shortest of those is ten."""

HANDSHAKE_TIMEOUT: Final = 10.0
MAX_SHAKING: Final = 200
"""Strangers that may be silent at once: each holds a socket and nothing else."""

MAX_SHAKING_HOST: Final = 50
"""The same from one host, so that one cannot keep all others out."""

PORT_TRIES: Final = 20
"""Ports tried for one that is free in both families."""

DHT_TABLE: Final = "dht.table"
"""The file in the state folder that keeps whom our DHT node knows."""


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
        self._listeners: list[Listener] = []
        self._torrents: dict[InfoHash, Torrent] = {}
        self._names: dict[Torrent, tuple[InfoHash, ...]] = {}
        self._skeys: dict[bytes, InfoHash] = {}  # by what an encrypted handshake calls them
        self._keys = itertools.count(1)
        self._shaking: dict[str, int] = {}

    async def __aenter__(self) -> Session:
        settings = self.settings
        environment = self._given_environment or real_environment(
            hash_workers=settings.hash_workers, open_files=settings.open_files
        )
        now = asyncio.get_running_loop().time()
        self._services = Services(
            settings=settings,
            environment=environment,
            turns_down=Turns(RateLimiter(settings.limit_down, now)),
            turns_up=Turns(RateLimiter(settings.limit_up, now)),
            arenas=ArenaPool(limit=settings.receive_memory, idle_limit=settings.receive_memory // 2),
            cache=PieceCache(settings.read_cache),
            slots=Slots(connections=settings.max_connections, connecting=settings.max_connecting),
            udp=UdpTrackers(environment.network, rng=environment.rng, bind=settings.bind),
            gates=HostGates(),
            resume=None if settings.state_dir is None else ResumeStore(Path(settings.state_dir) / "resume"),
            kept_metadata=None
            if settings.state_dir is None
            else KeptMetadata(Path(settings.state_dir) / "metadata", environment.hasher),
        )
        await self._scope.__aenter__()
        try:
            await self._listen()
            if settings.dht:
                self._services.dht = await self._start_dht(self._services)
        except BaseException:
            await self._release()
            raise
        self._scope.start(self._tick(), name="tick")
        if settings.local_discovery:
            self._start_local_discovery(self._services)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            torrents = list(dict.fromkeys(self._torrents.values()))
            for torrent in torrents:
                torrent.request_stop()
            for torrent in torrents:
                await torrent.stopped()
        finally:
            for listener in self._listeners:
                listener.close()
            self._listeners.clear()
            try:
                await self._stop_dht(kind, error, trace)
            finally:
                try:
                    await self._scope.__aexit__(kind, error, trace)
                finally:
                    await self._release()

    async def _release(self) -> None:
        services = self._open
        services.udp.close()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._given_environment is None:
            await services.environment.http.close()
            await services.environment.hasher.close()

    async def _start_dht(self, services: Services) -> DhtService | None:
        """Run a DHT node at the port where peers reach us, or at any if that is taken. None where no socket opens."""
        settings, environment = self.settings, services.environment
        bootstrap = settings.bootstrap
        if bootstrap == WELL_KNOWN_ROUTERS and all(map(_is_loopback, settings.bind)):
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
            )
            try:
                return await dht.__aenter__()
            except NetworkError as error:
                log.debug("no DHT node at port %d: %s", port, error)
        log.warning("no DHT node can run here, so peers are found by other means alone")
        return None

    def _start_local_discovery(self, services: Services) -> None:
        environment = services.environment
        services.local = LocalDiscovery(
            environment.network, port=services.port, cookie=environment.secrets(16), bind=self.settings.bind
        )
        self._scope.start(services.local.run(), name="local discovery")

    async def _stop_dht(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        dht, self._open.dht = self._open.dht, None
        if dht is not None:
            await dht.__aexit__(kind, error, trace)

    @property
    def dht(self) -> DhtService | None:
        """The session's DHT node; None where it runs none."""
        return self._open.dht

    @property
    def _open(self) -> Services:
        if self._services is None:
            raise RuntimeError("the session is not entered yet")
        return self._services

    # -- what users of the library call

    @property
    def events(self) -> EventBus:
        """What happens to torrents, as it happens."""
        return self._open.events

    @property
    def port(self) -> int:
        """Where peers reach us."""
        return self._open.port

    @property
    def torrents(self) -> list[Torrent]:
        """In the order in which they were added."""
        return list(dict.fromkeys(self._torrents.values()))

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
            if info_hash in self._torrents:
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
            on_names=self._on_names,
            on_start=self._on_start,
            now=asyncio.get_running_loop().time(),
        )
        self._on_names(torrent)
        services.publish(EventKind.ADDED, torrent.info_hash)
        match begin:
            case Begin.STARTED:
                torrent.start()
            case Begin.PAUSED:
                await torrent.look_up()
        if move is not None:
            self._scope.start(self._end_move(torrent, move), name=f"move {torrent.info_hash[:8]}")
        return torrent

    async def _end_move(self, torrent: Torrent, move: Move) -> None:
        try:
            await carry_out(torrent, move)
        except StarlingError as error:
            log.warning("%s: the move that was cut short cannot be ended: %s", torrent.name, error)

    async def remove(self, torrent: Torrent, content: Disposal = Disposal.KEEP) -> Removed | None:
        """Stop a torrent and forget it; its content and its record stay unless told otherwise.

        Returns what `restore` can bring back. Raises StorageError where content cannot be removed; the torrent is
        forgotten all the same.
        """
        await torrent.stop()
        self._forget(torrent)
        return await dispose(torrent, content, self._open)

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

    def set_max_connections(self, count: int) -> None:
        """Change how many peers there may be in all; those above it stay until they end."""
        self._open.slots.set_limit(count)
        self._set(replace(self.settings, max_connections=count))

    def set_encryption(self, encryption: Encryption) -> None:
        """Change how connections begin from now on; those there are stay."""
        self._set(replace(self.settings, encryption=encryption))
        for torrent in self.torrents:
            torrent.set_encryption(encryption)

    async def set_port(self, port: int) -> None:
        """Let peers reach us at another port, 0 for any; trackers hear of it with the next announce.

        Raises NetworkError when it cannot be listened on; then the old one stays.
        """
        before, old, self._listeners = self.settings, self._listeners, []
        self._set(replace(before, port=port))
        try:
            await self._listen()
        except NetworkError:
            self._set(before)
            self._listeners = old
            raise
        for listener in old:
            listener.close()

    def _set(self, settings: Settings) -> None:
        self.settings = self._open.settings = settings

    # -- life

    def _on_names(self, torrent: Torrent) -> None:
        """A torrent can be asked for under its info-hashes; whoever was here first under one keeps it."""
        self._forget(torrent, except_for=torrent.info_hashes)
        for info_hash in torrent.info_hashes:
            self._torrents.setdefault(info_hash, torrent)
            self._skeys[skey_digest(info_hash)] = info_hash
        self._names[torrent] = torrent.info_hashes

    def _forget(self, torrent: Torrent, *, except_for: Sequence[InfoHash] = ()) -> None:
        for info_hash in self._names.pop(torrent, ()):
            if info_hash not in except_for and self._torrents.get(info_hash) is torrent:
                del self._torrents[info_hash]
                self._skeys.pop(skey_digest(info_hash), None)

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
            for torrent in self.torrents:
                try:
                    torrent.on_tick(loop.time())
                except Exception as error:  # as in `_run`
                    log.exception("torrent %s ended by a bug", torrent.info_hash)
                    torrent.on_bug(error)
                    torrent.request_stop()

    # -- peers that reach us

    async def _listen(self) -> None:
        """Listen on the same port in every family. With port 0 the system chooses, and the others must follow."""
        services = self._open
        network = services.environment.network
        tries = PORT_TRIES if self.settings.port == 0 else 1
        for attempt in range(1, tries + 1):
            port = self.settings.port
            refusals: list[str] = []
            refused: list[str] = []
            for host in self.settings.bind:
                try:
                    listener = await network.listen(Address(host, port), self._on_stream)
                except NetworkError as error:
                    refusals.append(f"cannot listen on {Address(host, port)}: {error}")
                    refused.append(host)
                else:
                    self._listeners.append(listener)
                    port = listener.local.port
            # A machine without IPv6 refuses that family on every port: then one family has to do.
            if self._listeners and (not refusals or (attempt == tries and not await self._any_listens(refused))):
                services.port = port
                return
            if attempt == tries:
                raise NetworkError("; ".join(refusals))
            for listener in self._listeners:
                listener.close()
            self._listeners.clear()

    async def _any_listens(self, hosts: Sequence[str]) -> bool:
        """Whether one of `hosts` can be listened on at some port, so that it was the port that was refused."""
        for host in hosts:
            with suppress(NetworkError):
                (await self._open.environment.network.listen(Address(host, 0), self._on_stream)).close()
                return True
        return False

    def _on_stream(self, stream: Stream) -> None:
        host = stream.remote.host
        total = sum(self._shaking.values())
        crowded = total >= MAX_SHAKING or self._shaking.get(host, 0) >= MAX_SHAKING_HOST
        if crowded or self._scope.closing or not self._open.slots.may_accept:
            stream.abort()
            return
        self._shaking[host] = self._shaking.get(host, 0) + 1
        task = self._scope.start(self._receive(stream), name=f"stranger {stream.remote}")
        task.add_done_callback(lambda task: self._on_shaken(task, stream))

    def _on_shaken(self, task: asyncio.Task[None], stream: Stream) -> None:
        host = stream.remote.host
        self._shaking[host] -= 1
        if not self._shaking[host]:
            del self._shaking[host]
        if task.cancelled():  # also where the task never came to its first step
            stream.abort()

    async def _receive(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                opened, theirs = await self._shake(stream)
        except (NetworkError, RemoteProtocolError, TimeoutError) as error:
            log.debug("a stranger at %s went: %s", stream.remote, error)
            stream.abort()
            return
        except asyncio.CancelledError:
            stream.abort()
            raise
        torrent = self._torrents.get(theirs.info_hash)
        if torrent is None:
            stream.abort()
        else:
            torrent.accept(opened, theirs)

    async def _shake(self, stream: Stream) -> tuple[Opened, Handshake]:
        accept = acceptable(self.settings.encryption)
        opened = await open_incoming(stream, accept, self._skeys.get, self._open.environment.secrets)
        theirs = Handshake.parse(await read_exactly(opened.stream, HANDSHAKE_SIZE))
        if opened.skey is not None and self._torrents.get(opened.skey) is not self._torrents.get(theirs.info_hash):
            raise RemoteProtocolError("the peer asks for one torrent in the encrypted handshake, for another inside")
        return opened, theirs


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


async def load(source: str | Path | bytes | Metainfo | Magnet, hasher: Hasher) -> Metainfo | Magnet:
    """What `source` names, parsed off the loop: a large torrent takes seconds.

    Raises StorageError, MetainfoError for a file that is no torrent, MagnetError for a bad magnet link.
    """
    if isinstance(source, Metainfo | Magnet):
        return source
    if isinstance(source, bytes):
        data = source
        return await hasher.run(lambda: Metainfo.from_bytes(data))
    if isinstance(source, str) and source[:7].lower() == "magnet:":
        return Magnet.parse(source)
    try:
        content = await read_whole(Path(source), MAX_SIZE + 1)
        return await hasher.run(lambda: Metainfo.from_bytes(content))
    except MetainfoError as error:
        raise MetainfoError(f"{printable(source)}: {error}") from error
