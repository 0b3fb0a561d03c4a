"""One torrent: from what is on disk, through its swarm, to an orderly stop.

`run` is the table of contents of a torrent's life. Whatever ends it (the user, a goal, an error) passes through one
stop: peers go, trackers are told, what was downloaded is synced and put on record, the lock is released.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import DiskFullError, StarlingError, StorageError
from p2p.session import goals
from p2p.session.announcer import AnnounceFacts, Announcer
from p2p.session.connector import Connector
from p2p.session.dht_announcer import dht_announcer
from p2p.session.event_bus import EventKind
from p2p.session.exchange import OUR_REQUEST_QUEUE, Exchange
from p2p.session.extensions import TorrentExtensions
from p2p.session.peer_task import EndKind, Peer
from p2p.session.piece_store import CheckStoppedError, PieceStore, Totals
from p2p.session.record_keeping import RecordKeeping
from p2p.session.scope import Scope
from p2p.session.selection import file_priorities, piece_priorities
from p2p.session.snapshot import TorrentSnapshot, TorrentState
from p2p.session.throttle import Throttle
from p2p.session.torrent_view import torrent_snapshot
from p2p.session.uploads import MAX_UPLOAD_QUEUE, Uploads
from p2p.swarm.announce import AnnounceSchedule
from p2p.swarm.bans import SmartBan
from p2p.swarm.choker import Choker
from p2p.swarm.peer_list import PRIVATE_SOURCES, PeerList, PeerSource
from p2p.swarm.piece_picker import PickMode, PiecePicker
from p2p.swarm.rate import RateLimiter
from p2p.version import CLIENT_NAME, VERSION
from p2p.wire.connection import Connection
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.handshake import Handshake
from p2p.wire.peer_id import make_peer_id

if TYPE_CHECKING:
    from p2p.codec.announce import AnnounceReply
    from p2p.ids import Address, InfoHash, PeerId, PieceIndex
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.handshaking import Opened
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions

log = logging.getLogger(__name__)

KEPT_PEERS: Final = 200
"""Peers put on record: a start needs some that answer, not all that were ever heard of."""

CALL_INTERVAL: Final = 30.0
"""Seconds between calls for peers while there are none."""

STOP_TIMEOUT: Final = 5.0
"""Seconds that trackers get to hear that we stop."""

SPACE_RETRY_MESSAGE: Final = "waiting for room on the disk"


class Torrent:
    """A torrent of a session. Made by `Session.add`."""

    def __init__(self, key: int, metainfo: Metainfo, options: TorrentOptions, services: Services, now: float) -> None:
        environment = services.environment
        self.key = key
        self.metainfo = metainfo
        self.options = options
        self.info_hashes: tuple[InfoHash, ...] = metainfo.wire_info_hashes()
        self.peer_id: PeerId = make_peer_id(environment.secrets, VERSION)
        self.state = TorrentState.QUEUED
        self.message: str | None = None
        self.check_progress = 0.0
        self.file_priorities = file_priorities(metainfo, options)
        self.target = Path(options.download_dir or services.settings.download_dir).absolute()
        self.exchange: Exchange | None = None
        self.announcer: Announcer | None = None
        self.schedule = AnnounceSchedule(
            (options.trackers if options.trackers is not None else metainfo.trackers)
            if services.settings.trackers
            else (),
            private=metainfo.private,
            rng=environment.rng,
        )
        self.peer_list = PeerList(sources=PRIVATE_SOURCES) if metainfo.private else PeerList()
        self.limit_down = RateLimiter(options.limit_down, now)
        self.limit_up = RateLimiter(options.limit_up, now)
        self.store = PieceStore(
            metainfo,
            self.target,
            services=services,
            wanted=lambda index: self.file_priorities[index] > 0,
            options=options,
        )
        self.extensions = TorrentExtensions(
            metainfo,
            exchange_peers=services.settings.peer_exchange,
            on_peers=lambda addresses: self.add_peers(addresses, PeerSource.PEX),
            now=now,
        )
        self.seeding_since: float | None = None
        self._next_call = now + CALL_INTERVAL
        self.completed_at: float | None = None
        """When the last wanted piece was synced in this run, on the loop's clock."""
        self._services = services
        self._dht = dht_announcer(self, services)
        self._connector: Connector | None = None
        self._scope: Scope | None = None
        self._peer_keys = itertools.count(1)
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

    @property
    def info_hash(self) -> str:
        """The torrent's key in hex: its version 1 info-hash, or the version 2 one where there is no other."""
        full = self.metainfo.info_hash_v1 or self.metainfo.info_hash_v2
        return "" if full is None else full.hex()

    # -- what users of the library call

    async def completed(self) -> None:
        """Wait until everything wanted is verified and synced. Raises the StarlingError that ended the torrent."""
        await asyncio.shield(self._done)

    async def stopped(self) -> None:
        """Wait until the torrent has stopped, for whatever reason."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Stop in good order: peers, trackers, disk. Idempotent."""
        self._stop.set()
        await self._stopped.wait()

    def snapshot(self) -> TorrentSnapshot:
        """See `p2p.session.snapshot`."""
        return torrent_snapshot(self, asyncio.get_running_loop().time())

    def add_peers(self, addresses: list[Address], source: PeerSource) -> None:
        """The one door for addresses of peers."""
        self.peer_list.add(addresses, source, asyncio.get_running_loop().time())
        if self._connector is not None:
            self._connector.wake()

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
                    await self._open()
                    self._join(scope)
                    await self._stop.wait()
                    await self._leave()
            finally:
                self._scope = None
                await self._close()
        except CheckStoppedError:
            log.debug("%s was stopped while it was checked", self.metainfo.name)
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

    async def _open(self) -> None:
        self.state = TorrentState.CHECKING
        self._services.publish(EventKind.CHECKING, self.info_hash)

        def progress(done: int, total: int) -> None:
            self.check_progress = done / total if total else 1.0

        await self.store.open(progress, self._stop.is_set)
        self.check_progress = 1.0

    def _join(self, scope: Scope) -> None:
        services = self._services
        environment = services.environment
        now = asyncio.get_running_loop().time()
        layout = self.metainfo.layout
        picker = PiecePicker(layout.piece_count, layout.piece_size, rng=environment.rng)
        if self.options.sequential:
            picker.mode = PickMode.SEQUENTIAL
        picker.set_priorities(piece_priorities(self.metainfo, self.file_priorities, self.options))
        picker.on_pieces_verified(self.store.have)
        down = Throttle(self.limit_down, services.turns_down)
        up = Throttle(self.limit_up, services.turns_up)
        uploads = Uploads(
            torrent=self.info_hashes[0],
            cache=services.cache,
            read=self.store.read,
            piece_size=layout.piece_size,
            scope=scope,
            on_error=self._on_storage_error,
        )
        exchange = Exchange(
            store=self.store,
            arenas=services.arenas,
            picker=picker,
            choker=Choker(slots=services.settings.upload_slots),
            bans=SmartBan(environment.secrets(16)),
            uploads=uploads,
            scope=scope,
            rng=environment.rng,
            info_hash=self.info_hashes[0],
            extensions=self.extensions,
            extension_handshake=self._extension_handshake,
            down=down,
            up=up,
            on_piece=self._on_piece,
            on_ban=self._on_ban,
            on_storage_error=self._on_storage_error,
            dht=self._dht,
        )
        self.exchange = exchange

        def make_peer(opened: Opened, theirs: Handshake, address: Address, source: PeerSource | None) -> Peer:
            wire = Connection(
                piece_count=layout.piece_count,
                piece_size=layout.piece_size,
                fast=theirs.fast,
                extension=theirs.extension,
                arenas=services.arenas,
                max_requests=MAX_UPLOAD_QUEUE,
                now=asyncio.get_running_loop().time(),
            )
            return Peer(
                next(self._peer_keys),
                opened.stream,
                theirs,
                wire,
                address=address,
                incoming=source is PeerSource.INCOMING,
                encrypted=opened.encrypted,
                source=source or self.peer_list.source_of(address) or PeerSource.TRACKER,
                owner=exchange,
                down=down,
                up=up,
                now=asyncio.get_running_loop().time(),
            )

        self._connector = Connector(
            network=environment.network,
            scope=scope,
            slots=services.slots,
            peer_list=self.peer_list,
            own_id=self.peer_id,
            info_hashes=self.info_hashes,
            handshake=self._handshake,
            make_peer=make_peer,
            attach=exchange.attach,
            detach=exchange.detach,
            candidates=self._candidates,
            bind=services.bind,
            encryption=services.settings.encryption,
            secrets=environment.secrets,
            max_peers=services.settings.max_connections_per_torrent,
            key=self.key,
        )
        self.announcer = Announcer(
            schedule=self.schedule,
            http=environment.http,
            udp=services.udp,
            gates=services.gates,
            facts=self._facts,
            on_reply=self._on_reply,
            on_switch=self._on_switch,
            clock=asyncio.get_running_loop().time,
            local=next((h for h in services.settings.bind if h not in ("0.0.0.0", "::")), None),  # noqa: S104
        )
        if exchange.seeding:
            self._become_seed(now, fresh=False)
        else:
            self.state = TorrentState.DOWNLOADING
        self.peer_list.add(self.options.peers, PeerSource.MANUAL, now)
        self.peer_list.add(self.store.known_peers, PeerSource.RESUME, now)
        scope.start(self._connector.run(), name="connector")
        scope.start(self.announcer.run(), name="announcer")
        scope.start(self._record.run(), name="checkpoint")
        if self._dht is not None:
            scope.start(self._dht.run(), name="dht announcer")

    async def _leave(self) -> None:
        if self._connector is not None:
            self._connector.stop()
        if self.exchange is not None:
            self.exchange.stop()
            await self.exchange.storing.drain()
        if self._completing is not None:  # trackers hear `completed` before `stopped`, or never
            await asyncio.wait([self._completing])
        if self.announcer is not None:
            await self.announcer.stop(STOP_TIMEOUT)

    async def _close(self) -> None:
        try:
            await self.store.close(self._totals())
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
        stream = opened.stream
        if self._connector is None or self._stop.is_set() or self._scope is None or self._scope.closing:
            stream.abort()
            return
        task = self._scope.start(self._connector.accept(opened, theirs), name=f"peer {stream.remote}")
        task.add_done_callback(lambda task: stream.abort() if task.cancelled() else None)

    # -- facts

    def on_tick(self, now: float) -> None:
        """About once a second."""
        exchange = self.exchange
        if exchange is None or self._stop.is_set():
            return
        exchange.on_tick(now)
        self._call_for_peers(exchange, now)
        if self.state is TorrentState.DISK_FULL and exchange.storing.disk_full is None and not self._record.waiting:
            self.state = TorrentState.DOWNLOADING if self.seeding_since is None else TorrentState.SEEDING
            self.message = None
        if self.seeding_since is not None:
            goal = goals.reached(
                uploaded=self.store.uploaded_before + exchange.uploaded,
                size=self.metainfo.total_size,
                seeding_for=now - self.seeding_since,
                seed_ratio=self.options.seed_ratio,
                seed_time=self.options.seed_time,
            )
            if goal is not None:
                self.request_stop(goal)

    def _call_for_peers(self, exchange: Exchange, now: float) -> None:
        """Nobody to download from: announce as early as the trackers allow, not when the interval is over."""
        if exchange.peers or exchange.seeding or self.announcer is None or now < self._next_call:
            return
        self._next_call = now + CALL_INTERVAL
        self.schedule.on_more_peers_wanted(now)
        self.announcer.wake()

    def request_stop(self, message: str | None = None) -> None:
        """Begin to stop; `stopped()` tells when it is done."""
        if not self._stop.is_set():
            self._stop_message = message
            self._stop.set()

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
            self.schedule.on_completed(now)
            if self.announcer is not None:
                self.announcer.wake()
        if not self._done.done():
            self._done.set_result(None)
        self._services.publish(EventKind.COMPLETE, self.info_hash)

    def _on_storage_error(self, error: StorageError) -> None:
        if isinstance(error, DiskFullError):
            if self.state is not TorrentState.DISK_FULL:
                log.info("%s: %s", self.metainfo.name, error)
                self.state = TorrentState.DISK_FULL
                self.message = f"{error}; {SPACE_RETRY_MESSAGE}"
                self._services.publish(EventKind.ERROR, self.info_hash, self.message)
            return
        if self._failure is None:
            self._fail(error)
            self._stop.set()

    def _on_ban(self, host: str, reason: str) -> None:
        log.info("%s: banned %s: %s", self.metainfo.name, host, reason)
        self.peer_list.ban(host, reason, asyncio.get_running_loop().time())

    def _on_reply(self, addresses: list[Address], reply: AnnounceReply) -> None:
        if reply.external_ip is not None:
            self._services.external[":" in reply.external_ip] = reply.external_ip
        self.add_peers(addresses, PeerSource.TRACKER)

    def _on_switch(self) -> None:
        """A private torrent has another tracker: the peers of the old one go (BEP 27)."""
        self.peer_list.clear()
        if self.exchange is not None:
            for peer in list(self.exchange.peers.values()):
                peer.end(EndKind.OURS, "the tracker changed")

    # -- what others ask of the torrent

    def _candidates(self, count: int, now: float) -> list[Address]:
        return self.peer_list.candidates(
            count, now, own_address=self._services.own_address(ipv6=False), rng=self._services.environment.rng
        )

    def _handshake(self, info_hash: InfoHash) -> Handshake:
        return Handshake(
            info_hash=info_hash,
            peer_id=self.peer_id,
            fast=True,
            extension=True,
            dht=self._dht is not None,
            v2=self.metainfo.version == "hybrid",
        )

    def _extension_handshake(self, peer: Peer) -> ExtensionHandshake:
        exchange = self.exchange
        return ExtensionHandshake(
            messages=self.extensions.messages,
            client=CLIENT_NAME,
            request_queue=OUR_REQUEST_QUEUE,
            upload_only=exchange is not None and exchange.seeding,
            metadata_size=self.extensions.metadata_size,
            port=self._services.port if not peer.incoming else None,
            your_ip=peer.address.host,
        )

    def _facts(self) -> AnnounceFacts:
        exchange = self.exchange
        return AnnounceFacts(
            uploaded=0 if exchange is None else exchange.uploaded,
            downloaded=0 if exchange is None else exchange.downloaded,
            left=self.store.left,
            port=self._services.port,
            key=int.from_bytes(self.peer_id[-4:], "big"),
            peer_id=self.peer_id,
            info_hashes=self.info_hashes,
            partial_seed=exchange is not None and exchange.seeding and not self.store.have.complete,
        )
