"""A torrent as the daemon keeps it: the session's torrent, and what clients have said of it.

Reads only. Facts are those of `p2p.daemon.ports.Managed`, each computed when it is asked for, from what is in memory.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from p2p.daemon import expectations
from p2p.daemon.intent import Intent
from p2p.daemon.peer_facts import SOURCES, peer_facts, tracker_facts, tracker_host
from p2p.daemon.ports import ErrorKind, FileFacts, GoalMode, PeersFrom, Priority, Status
from p2p.daemon.swarm_facts import choking_facts, piece_map
from p2p.metainfo.magnet import Magnet
from p2p.session.snapshot import TorrentState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.daemon.own_facts import ChokingFacts, PieceMap
    from p2p.daemon.ports import PeerFacts, TrackerFacts
    from p2p.session.torrent import Torrent

_CHECKS: Final = (TorrentState.CHECK_QUEUED, TorrentState.CHECKING)
_ILL: Final = (TorrentState.ERROR, TorrentState.DISK_FULL)
_STATUS: Final = {
    TorrentState.QUEUED: Status.CHECK_QUEUED,
    TorrentState.CHECK_QUEUED: Status.CHECK_QUEUED,
    TorrentState.CHECKING: Status.CHECKING,
    TorrentState.METADATA: Status.DOWNLOADING,
    TorrentState.DOWNLOADING: Status.DOWNLOADING,
    TorrentState.DISK_FULL: Status.DOWNLOADING,
    TorrentState.SEEDING: Status.SEEDING,
    TorrentState.STOPPED: Status.STOPPED,
    TorrentState.ERROR: Status.STOPPED,
}
UNWANTED: Final = 0
LEVELS: Final = {Priority.LOW: 2, Priority.NORMAL: 4, Priority.HIGH: 6}
"""What the RPC's priorities are among the engine's 1 to 7."""


@dataclass(slots=True)
class Wishes:
    """What clients have said of a torrent, beside what the engine keeps. Units are those of the port."""

    labels: tuple[str, ...] = ()
    group: str = ""
    bandwidth_priority: Priority = Priority.NORMAL
    download_limit: int = 100
    download_limited: bool = False
    upload_limit: int = 100
    upload_limited: bool = False
    honors_session_limits: bool = True
    peer_limit: int = 0
    """0 for what the session says."""
    seed_idle_limit: int = 30
    seed_idle_mode: GoalMode = GoalMode.GLOBAL
    seed_ratio_limit: float = 2.0
    seed_ratio_mode: GoalMode = GoalMode.GLOBAL
    seed_time_limit: int = 1440
    seed_time_mode: GoalMode = GoalMode.GLOBAL
    intent: Intent = Intent.STOPPED
    manual_announce_time: int = 0
    edit_date: int = 0
    priorities: dict[int, Priority] = field(default_factory=dict)
    """By file index; normal where there is none."""


class Queue(Protocol):
    """What a torrent's facts need of the queue."""

    def position(self, torrent: int) -> int: ...
    def waits(self, torrent: int) -> bool: ...
    def stalled(self, managed: ManagedTorrent) -> bool: ...


class ManagedTorrent:
    """See the module's head. `loop_time` is the loop's clock, `wall` the seconds since the epoch."""

    def __init__(
        self,
        number: int,
        torrent: Torrent,
        wishes: Wishes,
        *,
        loop_time: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.id = number
        self.torrent = torrent
        self.wishes = wishes
        self.queue: Queue | None = None
        """Where it stands, once it is among the daemon's torrents."""

        self.torrent_file = ""
        """Where its torrent file is kept; empty while it is not."""

        self.lost_file = False
        """Whether what is kept there is no torrent file any more, or not this one's."""

        self.needs_file = False
        """Whether nothing but its torrent file may tell what is in it: a private one's peers come from its tracker."""

        self.trouble = ""
        """Why it could not be done what a client asked for, after the verb had answered."""

        self._now = loop_time
        self._wall = wall

    # -- what it is

    @property
    def hash_string(self) -> str:
        return self.torrent.info_hash

    @property
    def name(self) -> str:
        return self.torrent.name

    @property
    def comment(self) -> str:
        metainfo = self.torrent.metainfo
        return "" if metainfo is None else metainfo.comment or ""

    @property
    def creator(self) -> str:
        metainfo = self.torrent.metainfo
        return "" if metainfo is None else metainfo.created_by or ""

    @property
    def date_created(self) -> int:
        metainfo = self.torrent.metainfo
        return 0 if metainfo is None else metainfo.creation_date or 0

    @property
    def is_private(self) -> bool:
        return self.torrent.private

    @property
    def piece_count(self) -> int:
        metainfo = self.torrent.metainfo
        return 0 if metainfo is None else metainfo.piece_count

    @property
    def piece_size(self) -> int:
        metainfo = self.torrent.metainfo
        return 0 if metainfo is None else metainfo.piece_length

    @property
    def total_size(self) -> int:
        metainfo = self.torrent.metainfo
        return 0 if metainfo is None else metainfo.total_size

    @property
    def file_count(self) -> int:
        metainfo = self.torrent.metainfo
        return 0 if metainfo is None else len(metainfo.files)

    @property
    def primary_mime_type(self) -> str:
        """Of the kind of file that most bytes are of."""
        metainfo = self.torrent.metainfo
        sizes: dict[str, int] = {}
        for each in () if metainfo is None else metainfo.files:
            kind = mimetypes.guess_type(each.path, strict=False)[0] or "application/octet-stream"
            sizes[kind] = sizes.get(kind, 0) + each.length
        return max(sizes, key=lambda kind: sizes[kind], default="application/octet-stream")

    @property
    def download_dir(self) -> str:
        return str(self.torrent.target)

    @property
    def web_seeds(self) -> Sequence[str]:
        metainfo = self.torrent.metainfo
        return () if metainfo is None else metainfo.web_seeds

    web_seeds_sending_to_us: Final = 0

    def magnet_link(self) -> str:
        metainfo = self.torrent.metainfo
        link = self.torrent.link if metainfo is None else Magnet.from_metainfo(metainfo)
        return f"magnet:?xt=urn:btih:{self.hash_string}" if link is None else link.uri()

    # -- how it is

    @property
    def queue_position(self) -> int:
        return 0 if self.queue is None else self.queue.position(self.id)

    @property
    def status(self) -> Status:
        state = self.torrent.state
        if self.queue is not None and self.queue.waits(self.id) and state not in _CHECKS:
            return Status.DOWNLOAD_QUEUED if self.left_until_done or self._is_bare else Status.SEED_QUEUED
        return _STATUS[state]

    @property
    def error(self) -> ErrorKind:
        torrent = self.torrent
        if self.trouble or torrent.state in _ILL or torrent.obstacle:
            return ErrorKind.LOCAL
        if torrent.tracking.complaint() is None or not torrent.running:
            return ErrorKind.NONE
        return ErrorKind.TRACKER_ERROR

    @property
    def error_string(self) -> str:
        if self.torrent.state in _ILL:
            return self.torrent.message or "stopped by an error"
        return self.trouble or self.torrent.obstacle or self._tracker_complaint() or ""

    def _tracker_complaint(self) -> str | None:
        """Of trackers that all refuse. One that answers is enough for a torrent to be well."""
        return self.torrent.tracking.complaint() if self.torrent.running else None

    @property
    def _is_bare(self) -> bool:
        return self.torrent.metainfo is None

    @property
    def is_finished(self) -> bool:
        return self.wishes.intent is Intent.FINISHED and not self.left_until_done

    @property
    def is_stalled(self) -> bool:
        return self.queue is not None and self.queue.stalled(self)

    @property
    def metadata_percent_complete(self) -> float:
        return self.torrent.metadata_progress

    @property
    def recheck_progress(self) -> float:
        return self.torrent.check_progress if self.torrent.state is TorrentState.CHECKING else 0.0

    @property
    def size_when_done(self) -> int:
        return self.torrent.sizes()[0]

    @property
    def left_until_done(self) -> int:
        exchange = self.torrent.exchange
        wanted, done = self.torrent.sizes() if exchange is None else (exchange.wanted_size, exchange.done_size)
        return wanted - done

    @property
    def have_valid(self) -> int:
        total = self.total_size
        return max(0, total - self.torrent.left) if self.torrent.metainfo is not None else 0

    have_unchecked: Final = 0

    @property
    def percent_complete(self) -> float:
        total = self.total_size
        return self.have_valid / total if total else 0.0

    @property
    def percent_done(self) -> float:
        exchange = self.torrent.exchange
        wanted, done = self.torrent.sizes() if exchange is None else (exchange.wanted_size, exchange.done_size)
        if self.torrent.metainfo is None:
            return 0.0
        return done / wanted if wanted else 1.0

    @property
    def desired_available(self) -> int:
        return self.left_until_done if any(peer.seeder for peer in self.torrent.snapshot().peers) else 0

    @property
    def corrupt_ever(self) -> int:
        exchange = self.torrent.exchange
        return self.torrent.ledger.corrupt + (0 if exchange is None else exchange.corrupt)

    @property
    def downloaded_ever(self) -> int:
        exchange = self.torrent.exchange
        return self.torrent.ledger.downloaded + (0 if exchange is None else exchange.downloaded)

    @property
    def uploaded_ever(self) -> int:
        exchange = self.torrent.exchange
        return self.torrent.ledger.uploaded + (0 if exchange is None else exchange.uploaded)

    @property
    def upload_ratio(self) -> float:
        ledger, exchange = self.torrent.ledger, self.torrent.exchange
        downloaded, uploaded = ledger.downloaded, ledger.uploaded
        if exchange is not None:
            downloaded, uploaded = downloaded + exchange.downloaded, uploaded + exchange.uploaded
            if not uploaded and exchange.done_size:
                return 0.0
        base = downloaded or self.have_valid
        if base:
            return uploaded / base
        return -2.0 if uploaded else -1.0

    @property
    def rate_download(self) -> int:
        exchange = self.torrent.exchange
        return 0 if exchange is None or exchange.rate_down.silent else int(exchange.rate_down.rate(self._now()))

    @property
    def rate_upload(self) -> int:
        exchange = self.torrent.exchange
        return 0 if exchange is None or exchange.rate_up.silent else int(exchange.rate_up.rate(self._now()))

    @property
    def eta(self) -> int:
        return expectations.eta(self.torrent, self._now())

    @property
    def eta_idle(self) -> int:
        return expectations.eta_idle(self.torrent, self._now())

    # -- when

    @property
    def activity_date(self) -> int:
        return int(self.torrent.ledger.active_time or 0)

    @property
    def added_date(self) -> int:
        return int(self.torrent.ledger.added_time)

    @property
    def done_date(self) -> int:
        return int(self.torrent.ledger.completed_time or 0)

    @property
    def start_date(self) -> int:
        return int(self.torrent.ledger.started_time or 0)

    @property
    def edit_date(self) -> int:
        return self.wishes.edit_date

    @property
    def manual_announce_time(self) -> int:
        return self.wishes.manual_announce_time

    @property
    def seconds_downloading(self) -> int:
        return int(self.torrent.ledger.downloading_for(self._now()))

    @property
    def seconds_seeding(self) -> int:
        return int(self.torrent.ledger.seeding_for(self._now()))

    # -- how it is to be handled

    @property
    def labels(self) -> Sequence[str]:
        return self.wishes.labels

    @property
    def group(self) -> str:
        return self.wishes.group

    @property
    def bandwidth_priority(self) -> Priority:
        return self.wishes.bandwidth_priority

    @property
    def download_limit(self) -> int:
        return self.wishes.download_limit

    @property
    def download_limited(self) -> bool:
        return self.wishes.download_limited

    @property
    def upload_limit(self) -> int:
        return self.wishes.upload_limit

    @property
    def upload_limited(self) -> bool:
        return self.wishes.upload_limited

    @property
    def honors_session_limits(self) -> bool:
        return self.wishes.honors_session_limits

    @property
    def peer_limit(self) -> int:
        return self.torrent.peer_limit

    @property
    def seed_idle_limit(self) -> int:
        return self.wishes.seed_idle_limit

    @property
    def seed_idle_mode(self) -> GoalMode:
        return self.wishes.seed_idle_mode

    @property
    def seed_ratio_limit(self) -> float:
        return self.wishes.seed_ratio_limit

    @property
    def seed_ratio_mode(self) -> GoalMode:
        return self.wishes.seed_ratio_mode

    @property
    def starling_seed_time_limit(self) -> int:
        return self.wishes.seed_time_limit

    @property
    def starling_seed_time_mode(self) -> GoalMode:
        return self.wishes.seed_time_mode

    @property
    def sequential_download(self) -> bool:
        return self.torrent.options.sequential

    # -- with whom

    @property
    def peers_connected(self) -> int:
        return len(self.torrent.connected_peers)

    @property
    def peers_getting_from_us(self) -> int:
        return sum(not peer.wire.am_choking and peer.wire.peer_interested for peer in self.torrent.connected_peers)

    @property
    def peers_sending_to_us(self) -> int:
        return sum(not peer.wire.peer_choking and peer.wire.am_interested for peer in self.torrent.connected_peers)

    @property
    def starling_seeders(self) -> int:
        seeders, _ = self.torrent.tracking.counts()
        return -1 if seeders is None else seeders

    @property
    def starling_leechers(self) -> int:
        _, leechers = self.torrent.tracking.counts()
        return -1 if leechers is None else leechers

    @property
    def starling_tracker(self) -> str:
        url = next((url for tier in self.torrent.tracking.tiers for url in tier), "")
        return tracker_host(url)

    def starling_choking(self) -> ChokingFacts:
        return choking_facts(self.id, self.torrent, self._now())

    def starling_pieces(self) -> PieceMap:
        return piece_map(self.id, self.torrent)

    def files(self) -> Sequence[FileFacts]:
        metainfo = self.torrent.metainfo
        if metainfo is None:
            return ()
        folder = f"{metainfo.name}/" if metainfo.layout.root else ""
        have, names, found = self.torrent.store.have, self.torrent.store.places.names, []
        for index, each in enumerate(metainfo.files):
            pieces = metainfo.layout.pieces_of_file(index)
            had = sum(have[piece] for piece in pieces) if each.length else 0
            done = each.length if had == len(pieces) else min(each.length, had * metainfo.piece_length)
            found.append(
                FileFacts(
                    name="/".join(names[index]) if index in names else folder + each.path,
                    length=each.length,
                    bytes_completed=done,
                    wanted=self.torrent.file_priorities[index] != UNWANTED,
                    priority=self.wishes.priorities.get(index, Priority.NORMAL),
                    begin_piece=pieces.start,
                    end_piece=pieces.stop,
                )
            )
        return found

    def peers(self) -> Sequence[PeerFacts]:
        return [peer_facts(peer) for peer in self.torrent.snapshot().peers]

    def peers_from(self) -> PeersFrom:
        counts: dict[str, int] = {}
        for peer in self.torrent.connected_peers:
            name = SOURCES.get(peer.source.value, "from_cache")
            counts[name] = counts.get(name, 0) + 1
        return PeersFrom(**counts)

    def trackers(self) -> Sequence[TrackerFacts]:
        offset = self._wall() - self._now()
        return [tracker_facts(at, each, offset) for at, each in enumerate(self.torrent.tracking.snapshot())]

    def pieces(self) -> bytes:
        return b"" if self.torrent.metainfo is None else self.torrent.store.have.to_bytes()

    def availability(self) -> Sequence[int]:
        metainfo = self.torrent.metainfo
        if metainfo is None:
            return ()
        have, counts = self.torrent.store.have, self.torrent.availability()[0] or [0] * metainfo.piece_count
        return [-1 if have[piece] else count for piece, count in enumerate(counts)]
