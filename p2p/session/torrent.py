"""One torrent of a session: what it is, what a user may ask of it, and the runs that it has, one at a time.

The rule: everything that outlives a run is here, and everything that a stop undoes is the run's (`p2p.session.run`). A
wish that a run cannot take in while it goes (a check) ends it in good order and begins the next one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import StarlingError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.event_bus import EventKind
from p2p.session.ledger import Ledger
from p2p.session.magnet_stage import UNKNOWN_LEFT, tracker_tiers
from p2p.session.move import move_content
from p2p.session.piece_store import CheckStoppedError, PieceStore
from p2p.session.run import Purpose, Run
from p2p.session.selection import FIRST_LAST, file_priorities, piece_priorities
from p2p.session.snapshot import TorrentState
from p2p.session.throttle import Throttle
from p2p.session.torrent_facts import TorrentFacts
from p2p.session.tracking import Tracking
from p2p.swarm.peer_list import PRIVATE_SOURCES, PeerList, PeerSource
from p2p.swarm.piece_picker import PickMode
from p2p.swarm.rate import RateLimiter
from p2p.version import VERSION
from p2p.wire.peer_id import make_peer_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from p2p.ids import Address, InfoHash, PeerId
    from p2p.metainfo.urls import Endpoint
    from p2p.session.encryption import Encryption
    from p2p.session.exchange import Exchange
    from p2p.session.handshaking import Opened
    from p2p.session.membership import Membership
    from p2p.session.peer_task import Peer
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions
    from p2p.wire.handshake import Handshake

log = logging.getLogger(__name__)


class Torrent(TorrentFacts):
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
        on_start: Callable[[Torrent], None],
        now: float,
    ) -> None:
        """`named` are peers that a link names; `on_names` hears of it when the torrent has other info-hashes, and
        `on_start` has to let `run` go."""
        environment = services.environment
        metainfo = source if isinstance(source, Metainfo) else None
        self.key = key
        self.metainfo = metainfo
        """None while it is fetched from peers."""
        self.info_hash: Final = (source.info_hash_v1 or source.info_hash_v2 or b"").hex()
        """The torrent's key in hex: its version 1 info-hash, or the version 2 one where no other was known."""
        self.info_hashes: tuple[InfoHash, ...] = source.wire_info_hashes()
        """The names of the torrent's swarms as far as they are known, version 1 first."""
        self.name = source.name or self.info_hash
        self.options = options
        self.peer_id: PeerId = make_peer_id(environment.secrets, VERSION)
        self.state = TorrentState.STOPPED
        self.message: str | None = None
        self.failure: StarlingError | None = None
        """What ended the last run, if it was an error."""
        self.check_progress = 0.0
        self.file_priorities: list[int] = []
        self.target = Path(options.download_dir or services.settings.download_dir).absolute()
        self.ledger = Ledger(environment.wall())
        tiers = tracker_tiers(source) if options.trackers is None else options.trackers
        self.tracking = Tracking(self, tiers, services, now)
        self.peer_list = PeerList(sources=PRIVATE_SOURCES) if self.private else PeerList()
        self.limit_down = RateLimiter(options.limit_down, now)
        self.limit_up = RateLimiter(options.limit_up, now)
        self.completed_at: float | None = None
        """When the last wanted piece was synced in this session, on the loop's clock."""
        self._magnet = source if isinstance(source, Magnet) else None
        self._named = named
        self._down = Throttle(self.limit_down, services.turns_down)
        self._up = Throttle(self.limit_up, services.turns_up)
        self._services = services
        self._on_names = on_names
        self._on_start = on_start
        self._store: PieceStore | None = None
        self._store_is_used = False
        self._run: Run | None = None
        self._next: Purpose | None = None
        self._turning: asyncio.Future[None] | None = None
        """Done when the next run begins, or will not."""
        self._work: Callable[[], Awaitable[None]] | None = None
        self._worked: asyncio.Future[None] | None = None
        self._moving = False
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if metainfo is not None:
            self.on_metainfo(metainfo)

    @property
    def _itself(self) -> Torrent:
        return self

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
        if self.metainfo is not None:
            return 1.0
        stage = None if self._run is None else self._run.members.stage
        return 0.0 if stage is None else min(stage.fetch.progress, 0.999)

    @property
    def exchange(self) -> Exchange | None:
        """What goes on with peers, once the content is open; None while it is stopped."""
        return None if self._run is None else self._run.exchange

    @property
    def connected_peers(self) -> list[Peer]:
        """Those we are connected to, in order of connection."""
        return [] if self._run is None else self._run.members.peers

    @property
    def running(self) -> bool:
        """Whether it is at work, or about to be, or has not ended yet."""
        return not self._stopped.is_set()

    @property
    def _members(self) -> Membership:
        if self._run is None:
            raise RuntimeError("the torrent does not run")
        return self._run.members

    # -- what users of the library call

    def start(self) -> None:
        """Run, again if need be; nothing for a torrent that runs. One that is being stopped starts when it has."""
        self._begin(Purpose.EXCHANGE)

    async def verify(self) -> None:
        """Hash the content that is there, whatever is on record, and go on as before: stopped, or in the swarm.

        Returns when the check has begun, or cannot; `check_progress` tells how far it is. What does not match is
        downloaded again. Raises StarlingError while the metadata is not there.
        """
        if self.metainfo is None:
            raise StarlingError("there is nothing to check before the metadata is there")
        self._next = Purpose.CHECK if self._is_to_stop else Purpose.RECHECK
        if self._turning is None or self._turning.done():
            self._turning = asyncio.get_running_loop().create_future()
        turning = self._turning
        self._restart()
        await asyncio.shield(turning)

    @property
    def _is_to_stop(self) -> bool:
        """Whether it stands still, or will once what it is at is done."""
        run = self._run
        if self._next is not None:
            return self._next is Purpose.CHECK
        return run is None or run.stopping.is_set() or run.purpose is Purpose.CHECK

    async def stop(self) -> None:
        """Stop in good order: peers, trackers, disk. Idempotent."""
        self.request_stop()
        await self._stopped.wait()

    def request_stop(self, message: str | None = None) -> None:
        """Begin to stop; `stopped()` tells when it is done. `message` says why."""
        self._next = None
        if self._run is not None:
            self._run.request_stop(message)
        if self._stopped.is_set():
            self._settle()

    async def stopped(self) -> None:
        """Wait until the torrent has stopped, for whatever reason."""
        await self._stopped.wait()

    async def completed(self) -> None:
        """Wait until everything wanted is verified and synced. Raises the StarlingError that ended the run."""
        await asyncio.shield(self._done)

    async def move(self, path: Path) -> None:
        """Move the content to the folder `path`, while the torrent goes on; returns when it is there.

        Within a filesystem it is renamed; elsewhere it is copied while the old place serves, and a move that was
        cut short goes on when the torrent is added again. What other files there are stay. Raises StarlingError
        where nothing is to be done or another move goes on, StorageError; then all is where it was.
        """
        if self._moving:
            raise StarlingError(f"{self.name} is being moved already")
        self._moving = True
        try:
            await move_content(self, path, self._services)
        finally:
            self._moving = False

    async def between_runs(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while no run goes: at once, or after the present one, and then go on as before. Raises what it
        raises."""
        self._work, self._worked = work, asyncio.get_running_loop().create_future()
        self._next = None if self._is_to_stop else Purpose.EXCHANGE
        self._restart()
        await asyncio.shield(self._worked)

    def set_target(self, path: Path) -> None:
        """The content is in another folder from now on. Not while a run goes that has opened it."""
        self.target = path.absolute()
        self.options = replace(self.options, download_dir=self.target)
        if self.metainfo is not None and self._store is not None:
            have = self._store
            self._make_store(Purpose.EXCHANGE)
            self._store.take_over(have)

    def set_limits(self, *, down: float | None, up: float | None) -> None:
        """Change the torrent's own rates, in bytes a second; None is unlimited. The session's hold beside them."""
        now = asyncio.get_running_loop().time()
        self.limit_down.set_limit(down, now)
        self.limit_up.set_limit(up, now)
        self.options = replace(self.options, limit_down=down, limit_up=up)

    def set_priorities(self, priorities: Mapping[int, int]) -> None:
        """Change priorities by index of file: 0 unwanted, 1 to 7 wanted, 4 normal. Those not named stay as they are.

        Blocks that are asked for already may still come, and a piece that a wanted file shares is wanted whole. Before
        the metadata is there the choice is kept. Raises StarlingError, and changes nothing, for what is no file or
        no priority.
        """
        files = None if self.metainfo is None else self.metainfo.files
        for index, priority in priorities.items():
            if index < 0 or (files is not None and index >= len(files)):
                raise StarlingError(f"there is no file number {index}")
            if not 0 <= priority <= FIRST_LAST:
                raise StarlingError(f"a priority is a number from 0 to {FIRST_LAST}, not {priority}")
        self.options = replace(self.options, priorities={**self.options.priorities, **priorities})
        if files is not None:
            for index, priority in priorities.items():
                self.file_priorities[index] = 0 if files[index].pad else priority
            self._on_choice()

    def set_mode(self, *, sequential: bool, first_and_last: bool) -> None:
        """Change whether pieces come in order, and whether the first and last of each file come before the rest."""
        self.options = replace(self.options, sequential=sequential, first_and_last=first_and_last)
        if self._run is not None:
            self._run.set_mode(self.pick_mode)
        self._on_choice()

    @property
    def pick_mode(self) -> PickMode:
        """In which order pieces are asked for."""
        return PickMode.SEQUENTIAL if self.options.sequential else PickMode.RAREST_FIRST

    def _on_choice(self) -> None:
        self._sizes_of = None
        if self._run is not None and self.metainfo is not None:
            pieces = piece_priorities(self.metainfo, self.file_priorities, self.options)
            self._run.on_choice(pieces, asyncio.get_running_loop().time())

    def set_trackers(self, tiers: Sequence[Sequence[str]]) -> None:
        """Announce to these from now on, tier by tier (BEP 12). Those that go are told `stopped`; if a private torrent
        loses the tracker that it has its peers of, they go too (BEP 27)."""
        self.options = replace(self.options, trackers=tuple(tuple(tier) for tier in tiers))
        self.tracking.set_tiers(tiers)

    def reannounce(self) -> None:
        """Announce to every tracker as early as it allows, see `AnnounceSchedule.reannounce`."""
        self.tracking.reannounce(asyncio.get_running_loop().time())

    def add_peers(self, addresses: list[Address], source: PeerSource) -> None:
        """The one door for addresses of peers."""
        self.peer_list.add(addresses, source, asyncio.get_running_loop().time())
        if self._run is not None:
            self._run.members.wake()

    async def look_up(self) -> None:
        """Show what is on record of a torrent that has not run yet."""
        if self._store is not None and not self.running:
            await self._store.look_up()

    # -- life

    def _begin(self, purpose: Purpose) -> None:
        run = self._run
        if self.running and run is not None and not run.stopping.is_set():
            if run.purpose is Purpose.CHECK:
                run.purpose = Purpose.RECHECK
            return
        self._next = Purpose.RECHECK if self._next is Purpose.CHECK else self._next or purpose
        self._restart()

    def _restart(self) -> None:
        """Let the next run begin: once the present one has ended, or now."""
        if self.running:
            if self._run is not None:
                self._run.request_stop()
            return
        self._stopped.clear()
        if self._done.done() and self._done.exception() is not None:
            self._done = asyncio.get_running_loop().create_future()
        self.state = TorrentState.QUEUED
        self._on_start(self)

    async def run(self) -> None:
        """Run after run, until no further one is wanted. Errors end in the torrent's state, bugs in the caller."""
        try:
            while self._next is not None or self._work is not None:
                await self._do_work()
                if self._next is not None:
                    purpose, self._next = self._next, None
                    await self._run_once(purpose)
        finally:
            if self.state is not TorrentState.ERROR:
                self.state = TorrentState.STOPPED
            self._next = None
            self._on_turn()
            self._settle()
            self._stopped.set()
            self._services.publish(EventKind.STOPPED, self.info_hash, self.message)

    async def _do_work(self) -> None:
        work, self._work = self._work, None
        if work is None or self._worked is None:
            return
        try:
            await work()
        except StarlingError as error:
            self._worked.set_exception(error)
        except BaseException:
            self._worked.cancel()
            raise
        else:
            self._worked.set_result(None)

    async def _run_once(self, purpose: Purpose) -> None:
        now = asyncio.get_running_loop().time()
        if self._store_is_used:
            self.peer_list.on_restart(now)
            self._make_store(purpose)
        elif purpose is not Purpose.EXCHANGE:
            self._make_store(purpose)
        self._store_is_used = True
        self.failure = self.message = None
        self.state = TorrentState.QUEUED
        self.ledger.started_time = self._services.environment.wall()
        run = self._run = Run(
            self,
            self._services,
            purpose,
            magnet=self._magnet if self.metainfo is None else None,
            named=self._named,
            down=self._down,
            up=self._up,
            now=now,
        )
        self._on_turn()
        try:
            await run.go()
        except CheckStoppedError:
            log.debug("%s was stopped before it joined its swarm", self.name)
        except StarlingError as error:
            self.on_failure(error)
        finally:
            if self.failure is None:
                self.message = run.stop_message
            self._on_run_ended(run)

    def _on_turn(self) -> None:
        if self._turning is not None and not self._turning.done():
            self._turning.set_result(None)

    def _on_run_ended(self, run: Run) -> None:
        """What the run moved is the torrent's from here on; the rest goes with it."""
        exchange = run.exchange
        if exchange is not None:
            self.ledger.close_run(
                uploaded=exchange.uploaded,
                downloaded=exchange.downloaded,
                wasted=exchange.wasted,
                corrupt=exchange.corrupt,
            )
        self._run = None

    def _settle(self) -> None:
        if not self._done.done():
            self._done.set_exception(self.failure or StarlingError("the torrent was stopped before it completed"))
            self._done.exception()  # nobody has to wait for it

    def on_bug(self, error: Exception) -> None:
        """Something that is no StarlingError ended `run`."""
        self.on_failure(StarlingError(f"a bug in this program: {type(error).__name__}: {error}"))

    def on_failure(self, error: StarlingError) -> None:
        """What ends a run is its first error; what follows from that, or from the stop, is not told."""
        if self.failure is not None:
            return
        self.state = TorrentState.ERROR
        self.message = str(error)
        self.failure = error
        self._services.publish(EventKind.ERROR, self.info_hash, self.message)

    def on_metainfo(self, metainfo: Metainfo) -> None:
        """What the torrent is, is known. Raises StarlingError for a choice of files that it does not have."""
        self.metainfo = metainfo
        self.name = metainfo.name
        self.file_priorities = file_priorities(metainfo, self.options)
        self._make_store(Purpose.EXCHANGE)
        self.set_names(metainfo.wire_info_hashes())

    def _make_store(self, purpose: Purpose) -> None:
        if self.metainfo is None:
            return
        options = self.options
        if self._store_is_used:  # what the user said of the content was of the first run
            options = replace(options, trust=False, recheck=False)
        if purpose is not Purpose.EXCHANGE:
            options = replace(options, trust=False, recheck=True)
        self._store = PieceStore(
            self.metainfo,
            self.target,
            services=self._services,
            wanted=lambda index: self.file_priorities[index] > 0,
            options=options,
            ledger=self.ledger,
        )

    def set_names(self, names: tuple[InfoHash, ...]) -> None:
        """The torrent's info-hashes as they are known now, version 1 first."""
        if names == self.info_hashes:
            return
        self.info_hashes = names
        if self._run is not None:
            self._run.members.set_names(names)
        self.tracking.on_names(asyncio.get_running_loop().time())
        self._on_names(self)

    def set_encryption(self, encryption: Encryption) -> None:
        """How connections begin from now on; for the session, which holds the setting."""
        if self._run is not None:
            self._run.members.set_encryption(encryption)

    def accept(self, opened: Opened, theirs: Handshake) -> None:
        """A peer reached the session and asked for this torrent; it is run to its end."""
        run = self._run
        if run is None or run.stopping.is_set():
            opened.stream.abort()
        else:
            run.members.accept(opened, theirs)

    def on_tick(self, now: float) -> None:
        """About once a second."""
        if self._run is not None:
            self._run.on_tick(now)

    def on_complete(self, at: float | None) -> None:
        """Everything wanted is had, since `at` on the loop's clock; None if it was from the start."""
        self.completed_at = self.completed_at if at is None else at
        if not self._done.done():
            self._done.set_result(None)
        self._services.publish(EventKind.COMPLETE, self.info_hash)

    def on_wanting(self) -> None:
        """More is wanted than is had, after nothing was: who waits for completion waits anew."""
        if self._done.done():
            self._done = asyncio.get_running_loop().create_future()
