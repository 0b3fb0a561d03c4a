"""One torrent of a session: what it is, what a user may ask of it, and the runs that it has, one at a time.

The rule: everything that outlives a run is here, and everything that a stop undoes is the run's (`p2p.session.run`).
Which run goes when is `p2p.session.runs`, what a user may wish `p2p.session.torrent_wishes`, what there is to read
`p2p.session.torrent_facts`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import MissingContentError, StarlingError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.bandwidth import Bandwidth
from p2p.session.event_bus import EventKind
from p2p.session.goals import Goals
from p2p.session.ledger import Ledger
from p2p.session.magnet_stage import UNKNOWN_LEFT, tracker_tiers
from p2p.session.piece_store import PieceStore
from p2p.session.run import Purpose, Run
from p2p.session.runs import Runs
from p2p.session.selection import file_priorities
from p2p.session.snapshot import TorrentState
from p2p.session.torrent_content import TorrentContent
from p2p.session.torrent_facts import TorrentFacts
from p2p.session.torrent_network import TorrentNetwork
from p2p.session.torrent_wishes import TorrentWishes
from p2p.session.tracking import Tracking
from p2p.swarm.peer_list import PRIVATE_SOURCES, PeerList, PeerSource
from p2p.version import VERSION
from p2p.wire.peer_id import make_peer_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from p2p.ids import InfoHash, PeerId
    from p2p.metainfo.urls import Endpoint
    from p2p.session.exchange import Exchange
    from p2p.session.handshaking import Opened
    from p2p.session.membership import Membership
    from p2p.session.peer_task import Peer
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions
    from p2p.wire.handshake import Handshake

log = logging.getLogger(__name__)


class Torrent(TorrentFacts, TorrentWishes, TorrentNetwork, TorrentContent):
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
        self._services = services
        self._state = TorrentState.STOPPED
        self._message: str | None = None
        self.failure: StarlingError | None = None
        """What ended the last run, if it was an error."""
        self.check_progress = 0.0
        self.file_priorities: list[int] = []
        self.target = Path(options.download_dir or services.settings.download_dir).absolute()
        self.ledger = Ledger(environment.wall())
        self.goals = Goals(ratio=options.seed_ratio, time=options.seed_time)
        self.goal: str | None = None
        """The goal that ended the last run, if one did."""
        tiers = tracker_tiers(source) if options.trackers is None else options.trackers
        self.tracking = Tracking(self, tiers, services, now)
        self.peer_list = PeerList(
            sources=PRIVATE_SOURCES if self.private else tuple(PeerSource), refuses=services.refuses
        )
        self.bandwidth = Bandwidth(services, down=options.limit_down, up=options.limit_up, now=now)
        self.completed_at: float | None = None
        """When the last wanted piece was synced in this session, on the loop's clock."""
        self.exchange: Exchange | None = None
        """What goes on with peers, once the content is open; None while it is stopped."""
        self._magnet = source if isinstance(source, Magnet) else None
        self._named = named
        self._on_names = on_names
        self._store: PieceStore | None = None
        self._store_is_used = False
        self._runs = Runs(self, services, make_run=self._make_run, on_start=on_start)
        if metainfo is not None:
            self.on_metainfo(metainfo)

    @property
    def _itself(self) -> Torrent:
        return self

    @property
    def current_run(self) -> Run | None:
        """The run that goes; None while it is stopped."""
        return self._runs.current

    @property
    def state(self) -> TorrentState:
        """What it is at."""
        return self._state

    @state.setter
    def state(self, state: TorrentState) -> None:
        self._state = state
        self._services.notices.on_lively(self)

    @property
    def message(self) -> str | None:
        """What is wrong, or why it stopped."""
        return self._message or (self._services.obstacle if self.running else None)

    @message.setter
    def message(self, message: str | None) -> None:
        self._message = message
        self._services.notices.on_change(self)

    @property
    def link(self) -> Magnet | None:
        """The magnet link it was added by; None where it was added by its metadata."""
        return self._magnet

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
        stage = None if self.current_run is None else self.current_run.members.stage
        return 0.0 if stage is None else min(stage.fetch.progress, 0.999)

    @property
    def connected_peers(self) -> list[Peer]:
        """Those we are connected to, in order of connection."""
        return [] if self.current_run is None else self.current_run.members.peers

    @property
    def running(self) -> bool:
        """Whether it is at work, or about to be, or has not ended yet."""
        return self._runs.running

    @property
    def _members(self) -> Membership:
        if self.current_run is None:
            raise RuntimeError("the torrent does not run")
        return self.current_run.members

    # -- what users of the library call

    def start(self) -> None:
        """Run, again if need be; nothing for a torrent that runs. One that is being stopped starts when it has."""
        self._runs.begin(Purpose.EXCHANGE)

    async def verify(self) -> None:
        """Hash the content that is there, whatever is on record, and go on as before: stopped, or in the swarm.

        Returns when the check has begun, or cannot; `check_progress` tells how far it is. What does not match is
        downloaded again. Raises StarlingError while the metadata is not there.
        """
        if self.metainfo is None:
            raise StarlingError("there is nothing to check before the metadata is there")
        await self._runs.verify()

    async def stop(self) -> None:
        """Stop in good order: peers, trackers, disk. Idempotent."""
        self._runs.request_stop(None)
        await self._runs.stopped()

    def request_stop(self, message: str | None = None) -> None:
        """Begin to stop; `stopped()` tells when it is done. `message` says why."""
        self._runs.request_stop(message)

    async def stopped(self) -> None:
        """Wait until the torrent has stopped, for whatever reason."""
        await self._runs.stopped()

    async def completed(self) -> None:
        """Wait until everything wanted is verified and synced. Raises the StarlingError that ended the run."""
        await self._runs.completed()

    async def between_runs(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while no run goes: at once, or after the present one, and then go on as before. Raises what it
        raises."""
        await self._runs.between(work)

    def _make_next_store(self) -> None:
        if self.metainfo is not None and self._store is not None:
            self._make_store(Purpose.EXCHANGE)

    # -- life

    async def run(self) -> None:
        """Run after run, until no further one is wanted. Errors end in the torrent's state, bugs in the caller."""
        await self._runs.go()

    def _make_run(self, purpose: Purpose) -> Run:
        now = asyncio.get_running_loop().time()
        if self._store_is_used:
            self.peer_list.on_restart(now)
            self._make_store(purpose)
        elif purpose is not Purpose.EXCHANGE:
            self._make_store(purpose)
        self._store_is_used = True
        self.failure = self.message = self.goal = None
        self.state = TorrentState.QUEUED
        self.ledger.started_time = self._services.environment.wall()
        return Run(
            self,
            self._services,
            purpose,
            magnet=self._magnet if self.metainfo is None else None,
            named=self._named,
            down=self.bandwidth.down,
            up=self.bandwidth.up,
            now=now,
        )

    def on_bug(self, error: Exception) -> None:
        """Something that is no StarlingError ended `run`."""
        self.on_failure(StarlingError(f"a bug in this program: {type(error).__name__}: {error}"))

    def on_failure(self, error: StarlingError) -> None:
        """What ends a run is its first error; what follows from that, or from the stop, is not told."""
        if self.failure is not None:
            return
        self.state = TorrentState.ERROR
        missing = isinstance(error, MissingContentError)
        self.message = f"missing files: {error}" if missing else str(error)
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
        accepts_losses = options.accept_losses or options.recheck or self._accepts_losses
        if purpose is not Purpose.EXCHANGE:
            options = replace(options, trust=False, recheck=True)
        former = self._store
        self._store = PieceStore(
            self.metainfo,
            self.target,
            services=self._services,
            wanted=lambda index: self.file_priorities[index] > 0,
            options=replace(options, accept_losses=accepts_losses),
            ledger=self.ledger,
            may_settle=lambda: self._busy_with is None,
        )
        if former is not None:
            self._store.take_over(former)

    def set_names(self, names: tuple[InfoHash, ...]) -> None:
        """The torrent's info-hashes as they are known now, version 1 first."""
        if names == self.info_hashes:
            return
        self.info_hashes = names
        if self.current_run is not None:
            self.current_run.members.set_names(names)
        self.tracking.on_names(asyncio.get_running_loop().time())
        self._on_names(self)

    def accept(self, opened: Opened, theirs: Handshake) -> None:
        """A peer reached the session and asked for this torrent; it is run to its end."""
        run = self.current_run
        if run is None or run.stopping.is_set():
            opened.stream.abort()
        else:
            run.members.accept(opened, theirs)

    def on_lively(self) -> None:
        """Something changed, and more may with time."""
        self._services.notices.on_lively(self)

    def on_tick(self, now: float) -> None:
        """About once a second, while it is lively."""
        notices = self._services.notices
        notices.on_change(self)
        if self.current_run is None or not self.current_run.on_tick(now):
            notices.on_calm(self)

    def on_complete(self, at: float | None) -> None:
        """Everything wanted is had, since `at` on the loop's clock; None if it was from the start."""
        self.completed_at = self.completed_at if at is None else at
        self._runs.on_complete()
        self._services.publish(EventKind.COMPLETE, self.info_hash)

    def on_wanting(self) -> None:
        """More is wanted than is had: who waits for completion waits anew."""
        if self._runs.on_wanting():
            self._services.publish(EventKind.DOWNLOADING, self.info_hash)
