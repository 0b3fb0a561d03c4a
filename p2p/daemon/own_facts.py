"""What our daemon tells beyond Transmission's RPC, as values: the server writes them, the client reads them, and the
schema is generated from them.

Sizes are bytes, rates bytes a second, durations seconds; times are seconds since the epoch. Counts start with the
daemon. None stands where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class LogLine:
    """`serial` rises by one with each line; `text` has no line breaks."""

    serial: int
    time: float
    level: str
    logger: str
    text: str


@dataclass(frozen=True, slots=True)
class LogFacts:
    """`level` is the least that is logged now; `serial` that of the last line, to ask with the next time."""

    level: str
    serial: int
    lines: tuple[LogLine, ...]


class Reciprocation(Enum):
    """Who gives in a pair of peers, as the choking goes."""

    NONE = "none"
    GIVING = "giving"
    """We unchoke it, and it chokes us."""
    TAKING = "taking"
    """It unchokes us, and we choke it."""
    MUTUAL = "mutual"


@dataclass(frozen=True, slots=True)
class PeerChoking:
    """A connected peer, and the choking between it and us."""

    address: str
    port: int
    client_name: str
    source: str
    is_incoming: bool
    is_encrypted: bool
    is_seeder: bool
    progress: float
    am_choking: bool
    am_interested: bool
    peer_choking: bool
    peer_interested: bool
    is_snubbed: bool
    """It leaves what we asked for unanswered."""
    is_optimistic: bool
    reciprocation: Reciprocation
    rate_from: int
    rate_to: int
    bytes_from: int
    bytes_to: int
    requests_to: int
    """Blocks that we wait for."""
    requests_from: int
    """Blocks that it waits for."""
    connected_for: float
    unchoked_for: float | None
    """None while we choke it."""


@dataclass(frozen=True, slots=True)
class ChokingFacts:
    """The choking round of one torrent. The clocks are None while nothing is due."""

    id: int
    hash_string: str
    is_running: bool
    is_seeding: bool
    slots: int
    """Regular unchoke slots; one optimistic slot comes on top."""
    unchoked: int
    interested: int
    """Peers that want what we have."""
    round_interval: float
    next_round_in: float | None
    optimistic_interval: float
    next_optimistic_in: float | None
    optimistic: str | None
    """Address and port of the peer with the optimistic slot."""
    rate_from: int
    rate_to: int
    peers: tuple[PeerChoking, ...]


@dataclass(frozen=True, slots=True)
class PieceMap:
    """The pieces of one torrent, each text base64. `pieces` is a bitfield, first piece in the high bit; `availability`
    has one byte a piece: how many connected peers have it, 255 for that or more."""

    id: int
    hash_string: str
    piece_count: int
    piece_size: int
    pieces: str
    availability: str
    distributed_copies: float
    """Whole copies among the connected peers and us."""


@dataclass(frozen=True, slots=True)
class DhtBucket:
    prefix_bits: int
    contacts: int
    good: int
    waiting: int
    """Contacts in the replacement cache."""
    changed_ago: float


@dataclass(frozen=True, slots=True)
class DhtFamily:
    """Our node in one family of addresses."""

    ipv6: bool
    node_id: str
    outside: str | None
    """Our address as others see it."""
    good: int
    questionable: int
    bad: int
    stored_hashes: int
    stored_peers: int
    round_trip: float | None
    buckets: tuple[DhtBucket, ...]


@dataclass(frozen=True, slots=True)
class DhtTraffic:
    """Datagrams and bytes since the node began."""

    received: int
    sent: int
    bytes_received: int
    bytes_sent: int
    queries_received: int
    queries_sent: int
    responses_received: int
    broken: int
    unasked: int
    over_limit: int


@dataclass(frozen=True, slots=True)
class DhtFacts:
    is_running: bool
    is_ready: bool
    """Whether the nodes nearest to us have answered."""
    is_read_only: bool
    port: int
    lookups: int
    """Searches under way."""
    waiting: int
    """Queries without an answer yet."""
    traffic: DhtTraffic | None
    families: tuple[DhtFamily, ...]


@dataclass(frozen=True, slots=True)
class DiskJobs:
    """Jobs of one kind. The percentiles are of the last minutes, from asking to the answer, None without any."""

    kind: str
    under_way: int
    done: int
    failed: int
    bytes: int
    p50: float | None
    p95: float | None
    p99: float | None
    worst: float | None


@dataclass(frozen=True, slots=True)
class Filesystem:
    """`mount` is its topmost folder, `paths` are folders on it that torrents download to, at most ten; `free` is what
    we may still write."""

    device: int
    mount: str
    paths: tuple[str, ...]
    free: int
    total: int
    torrents: int


@dataclass(frozen=True, slots=True)
class DiskFacts:
    queue: int
    """Jobs asked for and not done."""
    hash_rate: float
    hashed: int
    """Bytes hashed."""
    jobs: tuple[DiskJobs, ...]
    filesystems: tuple[Filesystem, ...]


@dataclass(frozen=True, slots=True)
class RateSeries:
    """Mean rates in steps of `interval` seconds, the oldest first; the last step ended at `end`."""

    interval: float
    end: float
    down: tuple[int, ...]
    up: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RateHistory:
    """Of the session, or of one torrent: finer series first, each looking back further than the one before."""

    id: int | None
    series: tuple[RateSeries, ...]


@dataclass(frozen=True, slots=True)
class TrackerHost:
    """How a tracker's host has answered, over all torrents."""

    host: str
    torrents: int
    """Whose first tracker is there."""
    announces: int
    """That were answered."""
    failures: int
    skipped: int
    """Announces that were not made because the host has not been answering."""
    failures_in_row: int
    last_success: float | None
    last_failure: float | None
    last_error: str
    response_time: float | None
    """Smoothed over the last answers."""


@dataclass(frozen=True, slots=True)
class TrackerHealthFacts:
    hosts: tuple[TrackerHost, ...]


class CreationState(Enum):
    WAITING = "waiting"
    HASHING = "hashing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Creation:
    """A torrent that is being made, or was. `torrent` is its number here once it is seeded in place."""

    job: int
    state: CreationState
    path: str
    name: str
    bytes_done: int
    bytes_total: int
    started: float
    ended: float | None
    torrent_file: str
    hash_string: str
    magnet_link: str
    torrent: int | None
    notices: tuple[str, ...]
    """What was left out of it, or needs another name."""
    error: str


@dataclass(frozen=True, slots=True)
class CreationFacts:
    creations: tuple[Creation, ...]


@dataclass(frozen=True, slots=True)
class CreatedFile:
    """`metainfo` is the torrent file in base64."""

    job: int
    metainfo: str
