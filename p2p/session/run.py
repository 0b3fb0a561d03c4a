"""One run of a torrent: from what is on disk, through its swarm, to an orderly stop.

`go` is the table of contents. Whatever ends a run (the user, a goal, an error) passes through one stop: peers go,
trackers are told, what was downloaded is synced and put on record, the lock is released. A torrent has any number of
runs, one at a time; what outlives them is the torrent's.
"""

from __future__ import annotations

import asyncio
import logging
from enum import Enum
from typing import TYPE_CHECKING, Final

from p2p.errors import DiskFullError, StarlingError, StorageError
from p2p.session.checks import CheckStoppedError
from p2p.session.dht_announcer import dht_announcer
from p2p.session.event_bus import EventKind
from p2p.session.extensions import TorrentExtensions
from p2p.session.goal_watch import GoalWatch
from p2p.session.ledger import Totals, Work
from p2p.session.local_announcer import local_announcer
from p2p.session.membership import Membership
from p2p.session.record_keeping import RecordKeeping
from p2p.session.room_watch import RoomWatch
from p2p.session.run_opening import RunOpening
from p2p.session.scope import Scope
from p2p.session.selection import piece_priorities
from p2p.session.snapshot import TorrentState
from p2p.swarm.peer_list import PeerSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.ids import PieceIndex
    from p2p.metainfo.magnet import Magnet
    from p2p.metainfo.urls import Endpoint
    from p2p.session.exchange import Exchange
    from p2p.session.piece_store import PieceStore
    from p2p.session.services import Services
    from p2p.session.throttle import Throttle
    from p2p.session.torrent import Torrent
    from p2p.swarm.piece_picker import PickMode

log = logging.getLogger(__name__)

KEPT_PEERS: Final = 200
"""Peers put on record: a start needs some that answer, not all that were ever heard of."""

SPACE_RETRY_MESSAGE: Final = "waiting for room on the disk"


class Purpose(Enum):
    """What a run is for."""

    EXCHANGE = "exchange"
    CHECK = "check"
    """Hash what is there, put that on record, and stop."""
    RECHECK = "check, then exchange"


class Run:
    """See the module's head. `magnet` is the link of a torrent whose metadata is not there, `named` are its peers."""

    def __init__(
        self,
        torrent: Torrent,
        services: Services,
        purpose: Purpose,
        *,
        magnet: Magnet | None,
        named: Sequence[Endpoint],
        down: Throttle,
        up: Throttle,
        now: float,
    ) -> None:
        self.purpose = purpose
        self.stopping = asyncio.Event()
        self.stop_message: str | None = None
        self.seeding_since: float | None = None
        self.scope: Scope | None = None
        self._torrent = torrent
        self._services = services
        self._moved = 0
        self._extensions = TorrentExtensions(
            torrent.metainfo,
            exchange_peers=services.settings.peer_exchange,
            on_peers=lambda addresses: torrent.add_peers(addresses, PeerSource.PEX),
            seeding=lambda: self.exchange is not None and self.exchange.seeding,
            now=now,
        )
        self.members = Membership(
            key=torrent.key,
            peer_id=torrent.peer_id,
            magnet=magnet,
            named=named,
            info_hashes=torrent.info_hashes,
            services=services,
            extensions=self._extensions,
            peer_list=torrent.peer_list,
            down=down,
            up=up,
            on_ban=self._on_ban,
            on_peer=torrent.on_lively,
            dht=dht_announcer(torrent, services),
            local=local_announcer(torrent, services),
            max_peers=torrent.peer_limit,
        )
        self._record = RecordKeeping(
            checkpoint=self.checkpoint,
            interval=services.settings.checkpoint_interval,
            agenda=services.agenda,
            stop=self.stopping,
            on_error=self._on_storage_error,
        )
        self._goals = GoalWatch(torrent, services.agenda, up, self._on_goal)
        self._completing: asyncio.Task[None] | None = None
        self._room: RoomWatch | None = None
        self._coming_home = False

    @property
    def exchange(self) -> Exchange | None:
        """What goes on with peers, once the content is open."""
        return self.members.exchange

    @property
    def store(self) -> PieceStore:
        """The content. RuntimeError while the metadata is not there."""
        return self._torrent.store

    # -- life

    async def go(self) -> None:
        """The whole run. Raises the StarlingError that ended it, CheckStoppedError if it never joined its swarm."""
        try:
            async with Scope() as scope:
                self.scope = scope
                try:
                    await self._begin(scope)
                    if self.purpose is not Purpose.CHECK:
                        await self.stopping.wait()
                except StarlingError as error:
                    if not isinstance(error, CheckStoppedError):
                        self._torrent.on_failure(error)
                    await self._leave()
                    raise
                await self._leave()
        finally:
            self.scope = None
            await self._close()

    async def _begin(self, scope: Scope) -> None:
        torrent, stage = self._torrent, self.members.stage
        if stage is None:
            await self._open()
            if self.purpose is not Purpose.CHECK:
                self._meet(scope)
                self._join(scope)
            return
        torrent.state = TorrentState.METADATA
        self._services.starts.leave(torrent.key)
        self._meet(scope)
        try:
            metainfo = await stage.metainfo()
        except StarlingError as error:
            if self.stopping.is_set():
                raise CheckStoppedError("stopped before the metadata came") from error
            raise
        torrent.on_metainfo(metainfo)
        stage.on_metainfo(metainfo, torrent.peer_list)
        if metainfo.private:
            torrent.tracking.on_private()
            self.members.on_private()
        self._services.publish(EventKind.METADATA, torrent.info_hash)
        if self._services.kept_metadata is not None:
            await self._services.kept_metadata.keep(metainfo)
        await self._open()
        self._join(scope)

    async def _open(self) -> None:
        torrent, services = self._torrent, self._services
        opening = RunOpening(torrent, services, self.stopping, self._on_storage_error)
        opening.begin()
        await self.store.open(opening)
        services.starts.leave(torrent.key)
        torrent.check_progress = 1.0
        torrent.on_opened()
        if self.purpose is not Purpose.CHECK:
            await self._settle()
            self._room = RoomWatch(torrent.key, self.store.begun_in, services.volumes, self._still_needed)
            if self.store.left:
                await self._room.look(reserved=services.settings.allocate)

    def _still_needed(self) -> int:
        wanted, done = self._torrent.sizes()
        return wanted - done

    async def _settle(self) -> None:
        """Bring files to where they belong, waiting for room if need be, unless it is to stop. Raises StorageError."""
        if not self.store.places.elsewhere:
            return
        async with Scope() as scope:
            stop = scope.start(self.stopping.wait(), name="stop while files come home")
            home = scope.start(self._come_home(), name="files come home")
            await asyncio.wait([stop, home], return_when=asyncio.FIRST_COMPLETED)

    async def _come_home(self) -> None:
        while True:
            try:
                await self.store.settle()
            except DiskFullError as error:
                self._coming_home = True
                self._on_storage_error(error)
                await self._services.volumes.wait_for_room(self._torrent.target, lambda: self.store.metainfo.total_size)
            else:
                self._coming_home = False
                return

    def _meet(self, scope: Scope) -> None:
        """Look for peers, and connect to them."""
        torrent, now = self._torrent, asyncio.get_running_loop().time()
        torrent.peer_list.add(torrent.options.peers, PeerSource.MANUAL, now)
        torrent.ledger.enter(Work.DOWNLOADING, now)
        self.members.meet(scope)
        torrent.tracking.start(scope)

    def _join(self, scope: Scope) -> None:
        torrent, now = self._torrent, asyncio.get_running_loop().time()
        self.members.begin_exchange(
            scope,
            self.store,
            piece_priorities(self.store.metainfo, torrent.file_priorities, torrent.options),
            torrent.pick_mode,
            on_piece=self._on_piece,
            on_storage_error=self._on_storage_error,
        )
        torrent.exchange = self.exchange
        if self.exchange is not None and self.exchange.seeding:
            self._become_seed(now, fresh=False)
        else:
            torrent.state = TorrentState.DOWNLOADING
            if self._room is not None and self.exchange is not None:
                self._room.begin(self.exchange.storing)
            torrent.on_wanting()
            torrent.peer_list.on_wanting()
        torrent.peer_list.add(self.store.known_peers, PeerSource.RESUME, now)
        self._record.begin(scope)
        self.members.wake()

    async def _leave(self) -> None:
        self._torrent.ledger.enter(Work.NONE, asyncio.get_running_loop().time())
        self._goals.on_rest()
        self._record.end()
        self._services.agenda.forget(self)
        self.members.stop()
        if self.exchange is not None:
            await self.exchange.storing.drain()
        if self._completing is not None:  # trackers hear `completed` before `stopped`, or never
            await asyncio.wait([self._completing])
        await self._torrent.tracking.stop()

    async def _close(self) -> None:
        torrent = self._torrent
        torrent.ledger.enter(Work.NONE, asyncio.get_running_loop().time())  # also where a cancel came first
        try:
            if self._room is not None:
                self._room.end()
            if torrent.metainfo is not None:
                await self.store.close(self._totals())
        finally:
            if self.exchange is not None:
                self.exchange.storing.close()
            self._services.cache.drop(self.members.info_hashes[0])

    async def checkpoint(self) -> None:
        """Put progress on record. Raises what `PieceStore.checkpoint` raises."""
        await self.store.checkpoint(self._totals())

    def _totals(self) -> Totals:
        exchange = self.exchange
        return Totals(
            uploaded=0 if exchange is None else exchange.uploaded,
            downloaded=0 if exchange is None else exchange.downloaded,
            peers=tuple(self._torrent.peer_list.worth_keeping(KEPT_PEERS)),
        )

    def request_stop(self, message: str | None = None) -> None:
        """Begin to stop."""
        if not self.stopping.is_set():
            self.stop_message = message
            self._goals.on_rest()
            self.stopping.set()
            self.members.stop_fetching()

    # -- facts

    def on_tick(self, now: float) -> bool:
        """About once a second. False where time alone changes nothing any more, until the next fact."""
        torrent, exchange = self._torrent, self.exchange
        if self.stopping.is_set():
            return True
        torrent.tracking.on_tick(now)
        if exchange is None:
            self._on_stage_tick(now)
            return True
        exchange.on_tick(now)
        moved = exchange.uploaded + exchange.downloaded
        if moved != self._moved:
            self._moved = moved
            torrent.ledger.active_time = self._services.environment.wall()
            torrent.ledger.moved_at = now
            self._record.on_progress(now)
            self._goals.on_bytes(now)
        if self._room is not None and self.seeding_since is None:
            self._room.on_tick()
        waiting = exchange.storing.disk_full is not None or self._record.waiting or self._coming_home
        if torrent.state is TorrentState.DISK_FULL and not waiting:
            torrent.state = TorrentState.DOWNLOADING if self.seeding_since is None else TorrentState.SEEDING
            torrent.message = None
        if exchange.busy(now) or torrent.state not in (TorrentState.SEEDING, TorrentState.DOWNLOADING):
            return True
        if torrent.state is TorrentState.DOWNLOADING:  # then only the next call for peers is to be made
            self._services.agenda.set(self, max(torrent.tracking.next_call, now + 1.0), torrent.on_lively)
        return False

    def _on_stage_tick(self, now: float) -> None:
        torrent, stage = self._torrent, self.members.stage
        name = None if stage is None else stage.on_tick(torrent.peer_list, now)
        if name is not None and name not in torrent.info_hashes:
            torrent.set_names((*torrent.info_hashes, name))

    def on_choice(self, priorities: bytes, now: float) -> None:
        """Which pieces are wanted has changed: a seed may have become a leecher, or the other way round."""
        torrent, exchange = self._torrent, self.exchange
        if exchange is None or self.stopping.is_set():
            return
        if self.scope is not None and not self.scope.closing:
            self.scope.start(self._make_wanted(), name="wanted files")
        was_seeding = exchange.seeding
        exchange.set_priorities(priorities, now)
        if exchange.seeding:
            if self.seeding_since is None:
                self._on_nothing_missing()
        elif was_seeding:
            self.seeding_since = None
            self._goals.on_rest()
            torrent.on_wanting()
            torrent.ledger.enter(Work.DOWNLOADING, now)
            if torrent.state is not TorrentState.DISK_FULL:
                torrent.state = TorrentState.DOWNLOADING
            if self._room is not None:
                self._room.begin(exchange.storing)
            torrent.peer_list.on_wanting()
            torrent.tracking.on_wanting(now)
            self.members.wake()

    def set_mode(self, mode: PickMode) -> None:
        """In which order pieces are asked for from now on."""
        if self.exchange is not None:
            self.exchange.picker.mode = mode

    async def _make_wanted(self) -> None:
        try:
            await self.store.make_wanted()
        except StorageError as error:  # on a full disk the pieces themselves will wait for room
            self._on_storage_error(error)

    def _on_piece(self, piece: PieceIndex) -> None:  # noqa: ARG002 - the port's shape
        self._record.on_progress(asyncio.get_running_loop().time())
        if self.exchange is not None and self.exchange.seeding:
            self._on_nothing_missing()

    def _on_nothing_missing(self) -> None:
        busy = self._completing is not None and not self._completing.done()
        if not busy and self.seeding_since is None and self.scope is not None and not self.scope.closing:
            self._completing = self.scope.start(self._complete(), name="complete")

    async def _complete(self) -> None:
        """Everything wanted is verified: sync it, put it on record, and only then say so."""
        recorded = await self._record.put_on_record()
        try:
            await self._settle()
        except StorageError as error:
            self._on_storage_error(error)
            return
        if self.stopping.is_set() and self.store.places.elsewhere:
            return
        if self._room is not None:
            self._room.end()
        if recorded and self.exchange is not None and self.exchange.seeding:  # more may be wanted meanwhile
            self._become_seed(asyncio.get_running_loop().time(), fresh=True)

    def _become_seed(self, now: float, *, fresh: bool) -> None:
        torrent = self._torrent
        torrent.state = TorrentState.SEEDING
        torrent.message = None
        torrent.ledger.enter(Work.SEEDING, now)
        self.seeding_since = now
        if fresh:
            torrent.ledger.completed_time = self._services.environment.wall()
        if fresh and self.store.have.complete:
            torrent.tracking.on_completed(now)
        torrent.on_complete(now if fresh else None)
        self._goals.on_seeding(now)

    def on_goals(self) -> None:
        """The torrent's goals are others."""
        self._goals.look()

    def _on_goal(self, goal: str) -> None:
        self._torrent.goal = goal
        self.request_stop(goal)

    def _on_storage_error(self, error: StorageError) -> None:
        torrent = self._torrent
        if isinstance(error, DiskFullError):
            if self._room is not None:
                self._room.on_full()
            if torrent.state is not TorrentState.DISK_FULL:
                log.info("%s: %s", torrent.name, error)
                torrent.state = TorrentState.DISK_FULL
                torrent.message = f"{error}; {SPACE_RETRY_MESSAGE}"
                self._services.publish(EventKind.ERROR, torrent.info_hash, torrent.message)
            return
        torrent.on_failure(error)
        self.stopping.set()

    def _on_ban(self, host: str, reason: str) -> None:
        torrent = self._torrent
        log.info("%s: banned %s: %s", torrent.name, host, reason)
        torrent.peer_list.ban(host, reason, asyncio.get_running_loop().time())
