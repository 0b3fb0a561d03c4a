"""What the RPC needs of whoever keeps the torrents: the port behind the methods, and the values that cross it.

The rule: facts are read, never waited for, so they are attributes and plain functions; only verbs are awaited. A verb
raises RpcError, or any StarlingError, with a sentence for the client. Sizes are bytes, rates bytes a second, limits
kilobytes a second (1,000 bytes, as Transmission counts), dates seconds since the epoch (0 for never), durations
seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Protocol

from p2p.daemon.removals import Removals
from p2p.daemon.tracker_facts import TrackerFacts as TrackerFacts  # noqa: PLC0414, TC001 - a part of the port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.daemon.deltas import Delta
    from p2p.daemon.names import Json
    from p2p.daemon.own_facts import ChokingFacts, PieceMap


class Status(IntEnum):
    STOPPED = 0
    CHECK_QUEUED = 1
    CHECKING = 2
    DOWNLOAD_QUEUED = 3
    DOWNLOADING = 4
    SEED_QUEUED = 5
    SEEDING = 6


class ErrorKind(IntEnum):
    NONE = 0
    TRACKER_WARNING = 1
    TRACKER_ERROR = 2
    LOCAL = 3


class GoalMode(IntEnum):
    """Which goal of seeding holds for a torrent: the session's, its own, or none."""

    GLOBAL = 0
    OWN = 1
    UNLIMITED = 2


class Priority(IntEnum):
    LOW = -1
    NORMAL = 0
    HIGH = 1


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a torrent. `name` is its path below the download folder, joined by "/"."""

    name: str
    length: int
    bytes_completed: int
    wanted: bool
    priority: int
    begin_piece: int
    end_piece: int
    """The piece after its last one."""


@dataclass(frozen=True, slots=True)
class PeerFacts:
    address: str
    port: int
    client_name: str
    flag_str: str
    progress: float
    rate_to_client: int
    rate_to_peer: int
    is_encrypted: bool
    is_incoming: bool
    is_utp: bool
    is_downloading_from: bool
    is_uploading_to: bool
    client_is_choked: bool
    client_is_interested: bool
    peer_is_choked: bool
    peer_is_interested: bool
    peer_id: str
    """Base64 of the 20 bytes."""
    bytes_to_client: int
    bytes_to_peer: int
    starling_optimistic: bool
    """Whether it holds the optimistic unchoke slot."""
    starling_snubbed: bool


@dataclass(frozen=True, slots=True)
class PeersFrom:
    """Connected peers by how we learned of them."""

    from_cache: int = 0
    from_dht: int = 0
    from_incoming: int = 0
    from_lpd: int = 0
    from_ltep: int = 0
    from_pex: int = 0
    from_tracker: int = 0


class Managed(Protocol):
    """A torrent that is kept. Attributes are cheap, since a client asks for a dozen of ten thousand torrents at once;
    what costs something is a function."""

    @property
    def id(self) -> int: ...
    @property
    def hash_string(self) -> str:
        """Lower-case hex of the version 1 info-hash, or of the version 2 one where that is the only one."""

    @property
    def name(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def creator(self) -> str: ...
    @property
    def date_created(self) -> int: ...
    @property
    def is_private(self) -> bool: ...
    @property
    def piece_count(self) -> int: ...
    @property
    def piece_size(self) -> int: ...
    @property
    def total_size(self) -> int: ...
    @property
    def file_count(self) -> int: ...
    @property
    def primary_mime_type(self) -> str: ...
    @property
    def torrent_file(self) -> str:
        """Where the daemon keeps its torrent file; empty while there is no metadata."""

    @property
    def download_dir(self) -> str: ...
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def group(self) -> str: ...
    @property
    def queue_position(self) -> int: ...
    @property
    def status(self) -> Status: ...
    @property
    def error(self) -> ErrorKind: ...
    @property
    def error_string(self) -> str: ...
    @property
    def is_finished(self) -> bool:
        """Stopped because a goal of seeding was reached."""

    @property
    def is_stalled(self) -> bool: ...
    @property
    def metadata_percent_complete(self) -> float: ...
    @property
    def recheck_progress(self) -> float: ...
    @property
    def percent_complete(self) -> float:
        """Of all there is, 0 to 1."""

    @property
    def percent_done(self) -> float:
        """Of what is wanted, 0 to 1."""

    @property
    def size_when_done(self) -> int: ...
    @property
    def left_until_done(self) -> int: ...
    @property
    def have_valid(self) -> int: ...
    @property
    def have_unchecked(self) -> int: ...
    @property
    def desired_available(self) -> int: ...
    @property
    def corrupt_ever(self) -> int: ...
    @property
    def downloaded_ever(self) -> int: ...
    @property
    def uploaded_ever(self) -> int: ...
    @property
    def upload_ratio(self) -> float:
        """-1 where it has no meaning, -2 where it is infinite."""

    @property
    def rate_download(self) -> int: ...
    @property
    def rate_upload(self) -> int: ...
    @property
    def eta(self) -> int:
        """-1 where there is none, -2 where it is not known."""

    @property
    def eta_idle(self) -> int: ...
    @property
    def activity_date(self) -> int: ...
    @property
    def added_date(self) -> int: ...
    @property
    def done_date(self) -> int: ...
    @property
    def edit_date(self) -> int: ...
    @property
    def start_date(self) -> int: ...
    @property
    def manual_announce_time(self) -> int: ...
    @property
    def seconds_downloading(self) -> int: ...
    @property
    def seconds_seeding(self) -> int: ...
    @property
    def bandwidth_priority(self) -> Priority: ...
    @property
    def download_limit(self) -> int: ...
    @property
    def download_limited(self) -> bool: ...
    @property
    def upload_limit(self) -> int: ...
    @property
    def upload_limited(self) -> bool: ...
    @property
    def honors_session_limits(self) -> bool: ...
    @property
    def peer_limit(self) -> int: ...
    @property
    def seed_idle_limit(self) -> int:
        """Minutes."""

    @property
    def seed_idle_mode(self) -> GoalMode: ...
    @property
    def seed_ratio_limit(self) -> float: ...
    @property
    def seed_ratio_mode(self) -> GoalMode: ...
    @property
    def starling_seed_time_limit(self) -> int:
        """Minutes of seeding in all."""

    @property
    def starling_seed_time_mode(self) -> GoalMode: ...
    @property
    def sequential_download(self) -> bool: ...
    @property
    def peers_connected(self) -> int: ...
    @property
    def peers_getting_from_us(self) -> int: ...
    @property
    def peers_sending_to_us(self) -> int: ...
    @property
    def starling_seeders(self) -> int:
        """In the swarm, the most that a tracker tells of; -1 where none has."""

    @property
    def starling_leechers(self) -> int: ...
    @property
    def starling_tracker(self) -> str:
        """Host of the first tracker, empty without one."""

    @property
    def web_seeds(self) -> Sequence[str]: ...
    @property
    def web_seeds_sending_to_us(self) -> int: ...

    def starling_choking(self) -> ChokingFacts: ...
    def starling_pieces(self) -> PieceMap: ...
    def magnet_link(self) -> str: ...
    def files(self) -> Sequence[FileFacts]: ...
    def peers(self) -> Sequence[PeerFacts]: ...
    def peers_from(self) -> PeersFrom: ...
    def trackers(self) -> Sequence[TrackerFacts]: ...
    def pieces(self) -> bytes:
        """Bitfield, first piece in the high bit."""

    def availability(self) -> Sequence[int]:
        """A piece: how many connected peers have it, -1 where we do."""


class Missing(Enum):
    """Stands for what a client did not ask to change."""

    UNCHANGED = "unchanged"


UNCHANGED = Missing.UNCHANGED


@dataclass(frozen=True, slots=True)
class FileChange:
    """File indices, ascending; an empty tuple is none. Those that are not in the torrent refuse the change."""

    wanted: tuple[int, ...] | None = ()
    unwanted: tuple[int, ...] | None = ()
    high: tuple[int, ...] | None = ()
    normal: tuple[int, ...] | None = ()
    low: tuple[int, ...] | None = ()
    """None stands for all files, in each of them."""


@dataclass(frozen=True, slots=True)
class TorrentChange:
    """What a client wants other of a torrent. Units are those of `Managed`."""

    bandwidth_priority: Priority | Missing = UNCHANGED
    download_limit: int | Missing = UNCHANGED
    download_limited: bool | Missing = UNCHANGED
    upload_limit: int | Missing = UNCHANGED
    upload_limited: bool | Missing = UNCHANGED
    honors_session_limits: bool | Missing = UNCHANGED
    group: str | Missing = UNCHANGED
    labels: tuple[str, ...] | Missing = UNCHANGED
    peer_limit: int | Missing = UNCHANGED
    queue_position: int | Missing = UNCHANGED
    seed_idle_limit: int | Missing = UNCHANGED
    seed_idle_mode: GoalMode | Missing = UNCHANGED
    seed_ratio_limit: float | Missing = UNCHANGED
    seed_ratio_mode: GoalMode | Missing = UNCHANGED
    starling_seed_time_limit: int | Missing = UNCHANGED
    starling_seed_time_mode: GoalMode | Missing = UNCHANGED
    sequential_download: bool | Missing = UNCHANGED
    trackers: tuple[tuple[str, ...], ...] | Missing = UNCHANGED
    """Tiers that replace the torrent's own."""

    location: str | Missing = UNCHANGED
    files: FileChange = FileChange()


class SourceKind(Enum):
    METAINFO = "metainfo"
    MAGNET = "magnet"
    URL = "url"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Addition:
    """A torrent to add. `source` is the bytes of a torrent file, or what `kind` says, in UTF-8."""

    kind: SourceKind
    source: bytes
    download_dir: str | None = None
    paused: bool | None = None
    """None leaves it to the session's setting."""
    is_whole: bool = False
    """The torrent was made of this very content a moment ago: nothing has to be hashed again."""
    cookies: str = ""
    change: TorrentChange = TorrentChange()


@dataclass(frozen=True, slots=True)
class Added:
    torrent: Managed
    duplicate: bool


class Start(Enum):
    QUEUED = "when the queue lets it"
    NOW = "now"


class Content(Enum):
    """What becomes of the content of a torrent that is removed, or that is told another place."""

    KEEP = "keep"
    DELETE = "delete"
    MOVE = "move"
    FIND = "find"


class Step(Enum):
    """Where to in the queue."""

    TOP = "top"
    UP = "up"
    DOWN = "down"
    BOTTOM = "bottom"


@dataclass(frozen=True, slots=True)
class Totals:
    uploaded_bytes: int = 0
    downloaded_bytes: int = 0
    files_added: int = 0
    session_count: int = 0
    seconds_active: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    active_torrent_count: int
    paused_torrent_count: int
    torrent_count: int
    download_speed: int
    upload_speed: int
    current: Totals
    cumulative: Totals


@dataclass(frozen=True, slots=True)
class Space:
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Group:
    """A bandwidth group. Limits are kilobytes a second."""

    name: str
    honors_session_limits: bool = True
    speed_limit_down: int = 0
    speed_limit_down_enabled: bool = False
    speed_limit_up: int = 0
    speed_limit_up_enabled: bool = False


class Library(Removals, Protocol):
    """The torrents and settings behind the RPC."""

    def torrents(self) -> Sequence[Managed]:
        """In order of id."""

    def by_id(self, number: int) -> Managed | None: ...
    def by_hash(self, hash_string: str) -> Managed | None:
        """By an info-hash in lower-case hex, of either version."""

    def recent(self) -> Delta: ...
    def since(self, revision: int) -> Delta: ...
    def settings(self) -> Mapping[str, Json]:
        """Every key of `session_fields`, each with its value, all at hand."""

    def statistics(self) -> Statistics: ...
    def groups(self) -> Sequence[Group]: ...

    async def add(self, addition: Addition) -> Added: ...
    async def remove(self, torrents: Sequence[Managed], content: Content) -> None: ...
    async def start(self, torrents: Sequence[Managed], when: Start) -> None: ...
    async def stop(self, torrents: Sequence[Managed]) -> None: ...
    async def verify(self, torrents: Sequence[Managed]) -> None:
        """Returns when the checks are queued."""

    async def reannounce(self, torrents: Sequence[Managed]) -> None: ...
    async def change(self, torrents: Sequence[Managed], change: TorrentChange) -> None: ...
    async def set_location(self, torrents: Sequence[Managed], location: str, content: Content) -> None:
        """Returns when the moves are begun."""

    async def rename(self, torrent: Managed, path: str, name: str) -> None: ...
    async def move_in_queue(self, torrents: Sequence[Managed], step: Step) -> None: ...
    async def set_settings(self, changes: Mapping[str, Json]) -> None:
        """Take in checked values; RpcError names the first that cannot be."""

    async def set_group(self, name: str, changes: Mapping[str, Json]) -> None: ...
    async def free_space(self, path: str) -> Space: ...
    async def test_port(self, ip_protocol: str | None) -> bool: ...
    async def update_blocklist(self) -> int:
        """How many rules there are now."""

    async def settle(self) -> None:
        """Let what verbs have changed survive the end of the process; it does not raise where the disk refuses."""

    def close(self) -> None:
        """Begin to end the daemon; the answer to the client still goes out."""
