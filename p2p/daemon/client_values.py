"""What a client gets to see of a daemon: plain values, the same whatever the server is.

The rule: a field that a server does not have keeps its default. Names and units are those of `p2p.daemon.ports`; names
that begin with `starling_` on the wire stand here without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from p2p.daemon.ports import (
    ErrorKind,
    FileFacts,
    GoalMode,
    Group,
    PeerFacts,
    PeersFrom,
    Priority,
    Space,
    Statistics,
    Status,
    Totals,
    TrackerFacts,
)

if TYPE_CHECKING:
    from p2p.daemon.names import Json

__all__ = [
    "AddedTorrent",
    "Changes",
    "ErrorKind",
    "FileFacts",
    "GoalMode",
    "Group",
    "Mark",
    "Part",
    "PeerFacts",
    "PeersFrom",
    "Priority",
    "ServerInfo",
    "Space",
    "Statistics",
    "Status",
    "TorrentChanges",
    "TorrentDetails",
    "TorrentRow",
    "Totals",
    "TrackerFacts",
]

ROW_OWN: Final = {
    "seeders": "starling_seeders",
    "leechers": "starling_leechers",
    "tracker": "starling_tracker",
}
"""Fields of a row that have another name on the wire; a foreign server's trackers tell them."""


@dataclass(frozen=True, slots=True)
class TorrentRow:
    """A torrent as a list shows it."""

    id: int = 0
    hash_string: str = ""
    name: str = ""
    status: Status = Status.STOPPED
    error: ErrorKind = ErrorKind.NONE
    error_string: str = ""
    total_size: int = 0
    size_when_done: int = 0
    left_until_done: int = 0
    have_valid: int = 0
    percent_done: float = 0.0
    metadata_percent_complete: float = 1.0
    recheck_progress: float = 0.0
    rate_download: int = 0
    rate_upload: int = 0
    eta: int = -1
    upload_ratio: float = -1.0
    uploaded_ever: int = 0
    downloaded_ever: int = 0
    peers_connected: int = 0
    peers_sending_to_us: int = 0
    peers_getting_from_us: int = 0
    seeders: int = -1
    """In the swarm, as trackers tell; -1 where none has."""
    leechers: int = -1
    tracker: str = ""
    """Host of the first tracker."""
    queue_position: int = 0
    labels: tuple[str, ...] = ()
    group: str = ""
    bandwidth_priority: Priority = Priority.NORMAL
    is_finished: bool = False
    is_stalled: bool = False
    is_private: bool = False
    sequential_download: bool = False
    added_date: int = 0
    done_date: int = 0
    activity_date: int = 0
    download_dir: str = ""


@dataclass(frozen=True, slots=True)
class TorrentDetails:
    """One torrent. What was not asked for, or is not known, is left at its default."""

    id: int = 0
    hash_string: str = ""
    name: str = ""
    comment: str = ""
    creator: str = ""
    date_created: int = 0
    piece_count: int = 0
    piece_size: int = 0
    file_count: int = 0
    magnet_link: str = ""
    torrent_file: str = ""
    primary_mime_type: str = ""
    have_unchecked: int = 0
    corrupt_ever: int = 0
    desired_available: int = 0
    edit_date: int = 0
    start_date: int = 0
    manual_announce_time: int = 0
    seconds_downloading: int = 0
    seconds_seeding: int = 0
    eta_idle: int = -1
    peer_limit: int = 0
    honors_session_limits: bool = True
    download_limit: int = 0
    download_limited: bool = False
    upload_limit: int = 0
    upload_limited: bool = False
    seed_idle_limit: int = 0
    seed_idle_mode: GoalMode = GoalMode.GLOBAL
    seed_ratio_limit: float = 0.0
    seed_ratio_mode: GoalMode = GoalMode.GLOBAL
    starling_seed_time_limit: int = 0
    starling_seed_time_mode: GoalMode = GoalMode.GLOBAL
    webseeds: tuple[str, ...] = ()
    peers_from: PeersFrom = field(default_factory=PeersFrom)
    files: tuple[FileFacts, ...] = ()
    peers: tuple[PeerFacts, ...] = ()
    tracker_stats: tuple[TrackerFacts, ...] = ()
    availability: tuple[int, ...] = ()
    pieces: str = ""
    """Base64 of a bitfield, first piece in the high bit."""


class Part(Enum):
    """Of a torrent's details, with the names of its fields that cost something."""

    FACTS = ()
    FILES = ("files", "file_stats")
    PEERS = ("peers", "peers_from")
    TRACKERS = ("tracker_stats",)
    PIECES = ("pieces", "availability")


COSTLY: Final = frozenset(name for part in Part for name in part.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a client has heard of changes: handed back to `Client.changes`, and of no other use."""

    revision: int | None
    generation: int
    asked: float
    whole: float
    """When everything was told last."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the list since a mark. `full`: these are all torrents, and others are gone."""

    torrents: tuple[TorrentRow, ...]
    removed: tuple[int, ...]
    full: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class AddedTorrent:
    id: int = 0
    hash_string: str = ""
    name: str = ""
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What answers. `rpc_version` is Transmission's number; `extensions` are methods of our own that it has."""

    version: str = ""
    rpc_version: int = 0
    rpc_version_semver: str = ""
    starling: str = ""
    """Our version, empty for another maker's daemon."""
    extensions: frozenset[str] = field(default_factory=frozenset)

    @property
    def ours(self) -> bool:
        return bool(self.starling)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentChanges:
    """What is to be other of a torrent; None leaves it as it is. Units are those of `p2p.daemon.ports.Managed`.

    Files are named by index; an empty tuple is no file. What begins with `starling_` is for our own daemon alone.
    """

    bandwidth_priority: Priority | None = None
    download_limit: int | None = None
    download_limited: bool | None = None
    upload_limit: int | None = None
    upload_limited: bool | None = None
    honors_session_limits: bool | None = None
    group: str | None = None
    labels: tuple[str, ...] | None = None
    peer_limit: int | None = None
    queue_position: int | None = None
    seed_idle_limit: int | None = None
    seed_idle_mode: GoalMode | None = None
    seed_ratio_limit: float | None = None
    seed_ratio_mode: GoalMode | None = None
    sequential_download: bool | None = None
    starling_seed_time_limit: int | None = None
    starling_seed_time_mode: GoalMode | None = None
    files_wanted: tuple[int, ...] = ()
    files_unwanted: tuple[int, ...] = ()
    priority_high: tuple[int, ...] = ()
    priority_normal: tuple[int, ...] = ()
    priority_low: tuple[int, ...] = ()
    tracker_list: tuple[tuple[str, ...], ...] | None = None
    """Tiers that replace those there are."""
    tracker_add: tuple[str, ...] = ()
    tracker_remove: tuple[int, ...] = ()
    """By id."""

    def arguments(self) -> dict[str, Json]:
        """As `torrent_set` takes them."""
        said: dict[str, Json] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "tracker_list" and value is not None:
                said[name] = "\n\n".join("\n".join(tier) for tier in value)
            elif isinstance(value, tuple):
                if value or name == "labels":
                    said[name] = list(value)
            elif value is not None:
                said[name] = value
        return said
