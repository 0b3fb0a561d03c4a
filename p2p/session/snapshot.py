"""What there is to see of a session, copied out between inputs: always consistent, never waiting for anything.

Sizes are bytes, rates bytes a second, times seconds since the epoch, durations seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2p.swarm.announce import TrackerSnapshot


class TorrentState(Enum):
    QUEUED = "queued"
    METADATA = "fetching metadata"
    CHECK_QUEUED = "waiting to be checked"
    """Other content on the same disk is being checked."""
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    DISK_FULL = "disk full"
    STOPPED = "stopped"
    ERROR = "error"


EARLY: Final = (TorrentState.QUEUED, TorrentState.METADATA, TorrentState.CHECK_QUEUED, TorrentState.CHECKING)
"""States in which nobody knows yet what is there."""


@dataclass(frozen=True, slots=True)
class PeerSnapshot:
    address: str
    client: str
    incoming: bool
    encrypted: bool
    """Whether the payload is; a peer may hide its handshake alone."""

    source: str
    progress: float
    seeder: bool
    am_choking: bool
    am_interested: bool
    peer_choking: bool
    peer_interested: bool
    snubbed: bool
    optimistic: bool
    rate_down: float
    rate_up: float
    downloaded: int
    uploaded: int
    requests_out: int
    requests_in: int


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """A file of a torrent. `index` is its place in the torrent, pads counted; pads are not shown."""

    index: int
    path: str
    """Below the torrent's top folder, with slashes; the name of a single file."""
    length: int
    done: int
    """Verified bytes."""
    priority: int
    """0 unwanted, 1 to 7 wanted, 4 normal."""


@dataclass(frozen=True, slots=True)
class TorrentRow:
    """What a list shows of a torrent: no peers, trackers, files or pieces, so that ten thousand cost little."""

    key: int
    info_hash: str
    name: str
    state: TorrentState
    message: str | None
    total_size: int
    wanted_size: int
    done_size: int
    left: int
    """Bytes of all that is not had, wanted or not."""
    check_progress: float
    metadata_progress: float
    rate_down: float
    rate_up: float
    downloaded: int
    uploaded: int
    """Over all runs."""
    connected: int
    """Peers."""
    added_time: float
    completed_time: float | None
    active_time: float | None


@dataclass(frozen=True, slots=True)
class TorrentSnapshot:
    info_hash: str
    name: str
    state: TorrentState
    message: str | None
    """What is wrong, or why it stopped."""

    total_size: int
    wanted_size: int
    done_size: int
    """Verified bytes of the wanted pieces."""

    check_progress: float
    rate_down: float
    rate_up: float
    downloaded: int
    """Over all runs, with `uploaded`."""

    uploaded: int
    session_downloaded: int
    session_uploaded: int
    wasted: int
    corrupt: int
    ratio: float
    eta: float | None
    peers: tuple[PeerSnapshot, ...]
    connected_seeders: int
    connected_leechers: int
    swarm_seeders: int | None
    """What trackers say; None where none has said."""

    swarm_leechers: int | None
    known_peers: int
    trackers: tuple[TrackerSnapshot, ...]
    piece_count: int
    pieces_had: int
    pieces: bytes
    """Bitfield of verified pieces, first piece in the high bit."""
    metadata_progress: float = 1.0
    """How much of the metadata is there; below 1.0 the sizes are not known, and stand at 0."""

    added_time: float = 0.0
    started_time: float | None = None
    completed_time: float | None = None
    active_time: float | None = None
    """When payload moved last."""
    downloading_seconds: float = 0.0
    seeding_seconds: float = 0.0
    """Over all runs."""
    sources: tuple[tuple[str, int], ...] = ()
    """Connected peers by who told of them (`PeerSource`); those that nobody is connected from are left out."""

    @property
    def progress(self) -> float:
        if self.metadata_progress < 1.0:
            return 0.0
        return 1.0 if self.wanted_size == 0 else self.done_size / self.wanted_size

    @property
    def complete(self) -> bool:
        early = self.state in EARLY
        return self.done_size >= self.wanted_size and self.metadata_progress == 1.0 and not early
