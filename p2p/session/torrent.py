"""One torrent: from what is on disk, through its swarm, to an orderly stop.

`run` is the table of contents of a torrent's life. Whatever ends it (the user, a goal, an error) passes through one
stop: peers go, trackers are told, what was downloaded is synced and put on record, the lock is released.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import DiskFullError, StarlingError, StorageError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session import goals
from p2p.session.dht_announcer import dht_announcer
from p2p.session.event_bus import EventKind
from p2p.session.extensions import TorrentExtensions
from p2p.session.local_announcer import local_announcer
from p2p.session.magnet_stage import UNKNOWN_LEFT, tracker_tiers
from p2p.session.membership import Membership
from p2p.session.piece_store import CheckStoppedError, PieceStore, Totals
from p2p.session.record_keeping import RecordKeeping
from p2p.session.scope import Scope
from p2p.session.selection import file_priorities, piece_priorities
from p2p.session.snapshot import TorrentSnapshot, TorrentState
from p2p.session.throttle import Throttle
from p2p.session.torrent_view import torrent_snapshot
from p2p.session.tracking import Tracking
from p2p.swarm.peer_list import PRIVATE_SOURCES, PeerList, PeerSource
from p2p.swarm.piece_picker import PickMode
from p2p.swarm.rate import RateLimiter
from p2p.version import VERSION
from p2p.wire.peer_id import make_peer_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.ids import Address, InfoHash, PeerId, PieceIndex
    from p2p.metainfo.urls import Endpoint
    from p2p.session.exchange import Exchange
    from p2p.session.handshaking import Opened
    from p2p.session.peer_task import Peer
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions
    from p2p.wire.handshake import Handshake

log = logging.getLogger(__name__)

KEPT_PEERS: Final = 200
"""Peers put on record: a start needs some that answer, not all that were ever heard of."""

SPACE_RETRY_MESSAGE: Final = "waiting for room on the disk"


class Torrent:
    """A torrent of a session. Made by `Session.add`."""

    def __init__(
        self,
        key: int,
        source: Metainfo | Magnet,
        options: TorrentOptions,
        services: Services,
        *,
        named: Sequence[Endpoint] = (),
        on_names: Callable[[Torrent], None],
        now: float,
    ) -> None:
        """`named` are peers that a link names; `on_names` hears of it when the torrent has other info-hashes."""
        environment = services.environment
        magnet = source if isinstance(source, Magnet) else None
        metainfo = source if isinstance(source, Metainfo) else None
        self.key = key
        self.metainfo = metainfo
        """None while it is fetched from peers."""
        self.info_hash: Final = (source.info_hash_v1 or source.info_hash_v2 or b"").hex()
        """The torrent's key in hex: its version 1 info-hash, or the version 2 one where no other was known."""
        self.name = source.name or self.info_hash
        self.options = options
        self.peer_id: PeerId = make_peer_id(environment.secrets, VERSION)
        self.state = TorrentState.QUEUED
        self.message: str | None = None
        self.check_progress = 0.0
        self.file_priorities: list[int] = []
        self.target = Path(options.download_dir or services.settings.download_dir).absolute()
        tiers = tracker_tiers(source) if options.trackers is None else options.trackers
        self.tracking = Tracking(self, tiers, services, now)
        self.peer_list = PeerList(sources=PRIVATE_SOURCES) if self.private else PeerList()
        self.limit_down = RateLimiter(options.limit_down, now)
        self.limit_up = RateLimiter(options.limit_up, now)
        self.extensions = TorrentExtensions(
            metainfo,
            exchange_peers=services.settings.peer_exchange,
            on_peers=lambda addresses: self.add_peers(addresses, PeerSource.PEX),
            seeding=lambda: self.exchange is not None and self.exchange.seeding,
            now=now,
        )
        self._down = Throttle(self.limit_down, services.turns_down)
        self._up = Throttle(self.limit_up, services.turns_up)
        self._members = Membership(
            key=key,
            peer_id=self.peer_id,
            magnet=magnet,
            named=named,
            info_hashes=source.wire_info_hashes(),
            services=services,
            extensions=self.extensions,
            peer_list=self.peer_list,
            down=self._down,
            up=self._up,
            on_ban=self._on_ban,
            dht=dht_announcer(self, services),
            local=local_announcer(self, services),
        )
        self.seeding_since: float | None = None
        self.completed_at: float | None = None
        """When the last wanted piece was synced in this run, on the loop's clock."""
        self._services = services
        self._on_names = on_names
        self._store: PieceStore | None = None
        self._scope: Scope | None = None
        self._stop = asyncio.Event()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped = asyncio.Event()
        self._stop_message: str | None = None
        self._failure: StarlingError | None = None
        self._record = RecordKeeping(
            checkpoint=lambda: self.store.checkpoint(self._totals()),
            interval=services.settings.checkpoint_interval,
            stop=self._stop,
            on_error=self._on_storage_error,
        )
        self._completing: asyncio.Task[None] | None = None
        if metainfo is not None:
            self._on_metainfo(metainfo)

    @property
    def private(self) -> bool:
        """Whether peers come from trackers alone (BEP 27); False while that is not known."""
        return self.metainfo is not None and self.metainfo.private

    @property
    def store(self) -> PieceStore:
        """The content. RuntimeError while the metadata is not there."""
        if self._store is None:
            raise RuntimeError("the torrent's metadata is not there yet")
        return self._store

    @property
    def left(self) -> int:
        """Bytes of pieces that are not had, wanted or not; a guess while nobody knows."""
        return UNKNOWN_LEFT if self._store is None else self._store.left

    @property
    def metadata_progress(self) -> float:
        """1.0 once the metadata is there."""
        stage = self._members.stage
        return 1.0 if self.metainfo is not None or stage is None else min(stage.fetch.progress, 0.999)

    @property
    def info_hashes(self) -> tuple[InfoHash, ...]:
        """The names of the torrent's swarms as far as they are known, version 1 first."""
        return self._members.info_hashes

    @property
    def exchange(self) -> Exchange | None:
        """What goes on with peers, once the content is open."""
        return self._members.exchange

    @property
    def connected_peers(self) -> list[Peer]:
        """Those we are connected to, in order of connection."""
        return self._members.peers

    # -- what users of the library call

    async def completed(self) -> None:
        """Wait until everything wanted is verified and synced. Raises the StarlingError that ended the torrent."""
        await asyncio.shield(self._done)

    async def stopped(self) -> None:
        """Wait until the torrent has stopped, for whatever reason."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Stop in good order: peers, trackers, disk. Idempotent."""
        self.request_stop()
        await self._stopped.wait()

    def snapshot(self) -> TorrentSnapshot:
        """See `p2p.session.snapshot`."""
        return torrent_snapshot(self, asyncio.get_running_loop().time())

    def add_peers(self, addresses: list[Address], source: PeerSource) -> None:
        """The one door for addresses of peers."""
        self.peer_list.add(addresses, source, asyncio.get_running_loop().time())
        self._members.wake()

    @property
    def failure(self) -> StarlingError | None:
        """What ended the torrent, if it was an error."""
        return self._failure

    # -- life

    async def run(self) -> None:
        """The whole life of the torrent; returns when it has stopped. Errors end in its state, bugs in the caller."""
        try:
            try:
                async with Scope() as scope:
                    self._scope = scope
                    try:
                        await self._begin(scope)
                        await self._stop.wait()
                    except StarlingError as error:
                        if not isinstance(error, CheckStoppedError):
                            self._fail(error)
                        await self._leave()
                        raise
                    await self._leave()
            finally:
                self._scope = None
                await self._close()
        except CheckStoppedError:
            log.debug("%s was stopped before it joined its swarm", self.name)
        except StarlingError as error:
            self._fail(error)
        finally:
            if self.state is not TorrentState.ERROR:
                self.state = TorrentState.STOPPED
                self.message = self._stop_message
            if not self._done.done():
                self._done.set_exception(self._failure or StarlingError("the torrent was stopped before it completed"))
                self._done.exception()  # nobody has to wait for it
            self._stopped.set()
            self._services.publish(EventKind.STOPPED, self.info_hash, self.message)

    def on_bug(self, error: Exception) -> None:
        """Something that is no StarlingError ended `run`."""
        self._fail(StarlingError(f"a bug in this program: {type(error).__name__}: {error}"))

    def _fail(self, error: StarlingError) -> None:
        """What ends the torrent is its first error; what follows from that, or from the stop, is not told."""
        if self._failure is not None:
            return
        self.state = TorrentState.ERROR
        self.message = str(error)
        self._failure = error
        self._services.publish(EventKind.ERROR, self.info_hash, self.message)

    async def _begin(self, scope: Scope) -> None:
        stage = self._members.stage
        if stage is None:
            await self._open()
            self._meet(scope)
            self._join(scope)
            return
        self.state = TorrentState.METADATA
        self._meet(scope)
        try:
            metainfo = await stage.metainfo()
        except StarlingError as error:
            if self._stop.is_set():
                raise CheckStoppedError("stopped before the metadata came") from error
            raise
        self._on_metainfo(metainfo)
        stage.on_metainfo(metainfo, self.peer_list)
        if metainfo.private:
            self.tracking.on_private()
            self._members.on_private()
        self._services.publish(EventKind.METADATA, self.info_hash)
        if self._services.kept_metadata is not None:
            await self._services.kept_metadata.keep(metainfo)
        await self._open()
        self._join(scope)

    def _on_metainfo(self, metainfo: Metainfo) -> None:
        """What the torrent is, is known. Raises StarlingError for a choice of files that it does not have."""
        self.metainfo = metainfo
        self.name = metainfo.name
        self.file_priorities = file_priorities(metainfo, self.options)
        self._store = PieceStore(
            metainfo,
            self.target,
            services=self._services,
            wanted=lambda index: self.file_priorities[index] > 0,
            options=self.options,
        )
        self._set_names(metainfo.wire_info_hashes())

    def _set_names(self, names: tuple[InfoHash, ...]) -> None:
        if names != self.info_hashes:
            self._members.set_names(names)
            self.tracking.on_names(asyncio.get_running_loop().time())
            self._on_names(self)

    async def _open(self) -> None:
        self.state = TorrentState.CHECKING
        self._services.publish(EventKind.CHECKING, self.info_hash)

        def progress(done: int, total: int) -> None:
            self.check_progress = done / total if total else 1.0

        await self.store.open(progress, self._stop.is_set)
        self.check_progress = 1.0

    def _meet(self, scope: Scope) -> None:
        """Look for peers, and connect to them."""
        self.peer_list.add(self.options.peers, PeerSource.MANUAL, asyncio.get_running_loop().time())
        self._members.meet(scope)
        self.tracking.start(scope)

    def _join(self, scope: Scope) -> None:
        now = asyncio.get_running_loop().time()
        self._members.begin_exchange(
            scope,
            self.store,
            piece_priorities(self.store.metainfo, self.file_priorities, self.options),
            PickMode.SEQUENTIAL if self.options.sequential else PickMode.RAREST_FIRST,
            on_piece=self._on_piece,
            on_storage_error=self._on_storage_error,
        )
        if self.exchange is not None and self.exchange.seeding:
            self._become_seed(now, fresh=False)
        else:
            self.state = TorrentState.DOWNLOADING
        self.peer_list.add(self.store.known_peers, PeerSource.RESUME, now)
        scope.start(self._record.run(), name="checkpoint")
        self._members.wake()

    async def _leave(self) -> None:
        self._members.stop()
        if self.exchange is not None:
            await self.exchange.storing.drain()
        if self._completing is not None:  # trackers hear `completed` before `stopped`, or never
            await asyncio.wait([self._completing])
        await self.tracking.stop()

    async def _close(self) -> None:
        try:
            if self._store is not None:
                await self._store.close(self._totals())
        finally:
            if self.exchange is not None:
                self.exchange.storing.close()
            self._services.cache.drop(self.info_hashes[0])

    def _totals(self) -> Totals:
        exchange = self.exchange
        return Totals(
            uploaded=0 if exchange is None else exchange.uploaded,
            downloaded=0 if exchange is None else exchange.downloaded,
            peers=tuple(self.peer_list.worth_keeping(KEPT_PEERS)),
        )

    def accept(self, opened: Opened, theirs: Handshake) -> None:
        """A peer reached the session and asked for this torrent; it is run to its end."""
        if self._stop.is_set():
            opened.stream.abort()
        else:
            self._members.accept(opened, theirs)

    # -- facts

    def on_tick(self, now: float) -> None:
        """About once a second."""
        exchange = self.exchange
        if self._stop.is_set():
            return
        self.tracking.on_tick(now)
        if exchange is None:
            self._on_stage_tick(now)
            return
        exchange.on_tick(now)
        if self.state is TorrentState.DISK_FULL and exchange.storing.disk_full is None and not self._record.waiting:
            self.state = TorrentState.DOWNLOADING if self.seeding_since is None else TorrentState.SEEDING
            self.message = None
        if self.seeding_since is not None:
            goal = goals.reached(
                uploaded=self.store.uploaded_before + exchange.uploaded,
                size=self.store.metainfo.total_size,
                seeding_for=now - self.seeding_since,
                seed_ratio=self.options.seed_ratio,
                seed_time=self.options.seed_time,
            )
            if goal is not None:
                self.request_stop(goal)

    def _on_stage_tick(self, now: float) -> None:
        stage = self._members.stage
        name = None if stage is None else stage.on_tick(self.peer_list, now)
        if name is not None and name not in self.info_hashes:
            self._set_names((*self.info_hashes, name))

    def request_stop(self, message: str | None = None) -> None:
        """Begin to stop; `stopped()` tells when it is done."""
        if not self._stop.is_set():
            self._stop_message = message
            self._stop.set()
            self._members.stop_fetching()

    def _on_piece(self, piece: PieceIndex) -> None:  # noqa: ARG002 - the port's shape
        exchange = self.exchange
        if exchange is None or not exchange.seeding or self._completing is not None or self._scope is None:
            return
        if not self._scope.closing:
            self._completing = self._scope.start(self._complete(), name="complete")

    async def _complete(self) -> None:
        """Everything wanted is verified: sync it, put it on record, and only then say so."""
        if await self._record.put_on_record():
            self._become_seed(asyncio.get_running_loop().time(), fresh=True)

    def _become_seed(self, now: float, *, fresh: bool) -> None:
        self.state = TorrentState.SEEDING
        self.message = None
        self.seeding_since = now
        if fresh:
            self.completed_at = now
        if fresh and self.store.have.complete:
            self.tracking.on_completed(now)
        if not self._done.done():
            self._done.set_result(None)
        self._services.publish(EventKind.COMPLETE, self.info_hash)

    def _on_storage_error(self, error: StorageError) -> None:
        if isinstance(error, DiskFullError):
            if self.state is not TorrentState.DISK_FULL:
                log.info("%s: %s", self.name, error)
                self.state = TorrentState.DISK_FULL
                self.message = f"{error}; {SPACE_RETRY_MESSAGE}"
                self._services.publish(EventKind.ERROR, self.info_hash, self.message)
            return
        if self._failure is None:
            self._fail(error)
            self._stop.set()

    def _on_ban(self, host: str, reason: str) -> None:
        log.info("%s: banned %s: %s", self.name, host, reason)
        self.peer_list.ban(host, reason, asyncio.get_running_loop().time())
