"""What an announce and a scrape say, whichever way they travel: the values HTTP (BEP 3) and UDP (BEP 15) share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from p2p.ids import Address, InfoHash, PeerId

DEFAULT_INTERVAL: Final = 1_800.0
"""Seconds between announces where a tracker names no usable time; what trackers in use answer by default."""

MIN_INTERVAL: Final = 1.0
MAX_INTERVAL: Final = 86_400.0
"""Seconds. A tracker can slow a client to one announce a day but not silence it for ever; how often a client is willing
to announce is the announcer's own rule, so the lower bound only keeps time moving."""

MAX_COUNT: Final = 2**31 - 1
"""Peers a tracker may claim to know: what BEP 15 has room for. More is a lie that would break a column of a table."""

ANY_NUMBER: Final = -1
"""`num_want` that leaves the number of peers to the tracker (BEP 15)."""


class AnnounceEvent(Enum):
    """Why a client announces (BEP 3, section "trackers"). The value is the word HTTP uses."""

    NONE = ""
    STARTED = "started"
    COMPLETED = "completed"
    STOPPED = "stopped"
    PAUSED = "paused"
    """A partial seed: incomplete and fetching nothing (BEP 21)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceRequest:
    """One announce. `uploaded`, `downloaded` and `left` are bytes, 0 .. 2**64 - 1."""

    info_hash: InfoHash
    peer_id: PeerId
    port: int
    uploaded: int
    downloaded: int
    left: int
    event: AnnounceEvent = AnnounceEvent.NONE
    key: int = 0
    """32 bits that stay the same while the address changes (BEP 7, BEP 15); 0 when the client gives none."""
    num_want: int = ANY_NUMBER
    ip: str | None = None
    """An IP literal the client says it has; the tracker here believes the socket instead."""
    compact: bool = True
    no_peer_id: bool = False
    tracker_id: bytes | None = None
    """The tracker's own word, given back to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceReply:
    """What a tracker answers. Intervals are seconds; None stands for what it did not say."""

    interval: float
    min_interval: float | None = None
    seeders: int | None = None
    leechers: int | None = None
    completed: int | None = None
    """How many peers ever finished; the HTTP key is `downloaded`."""
    peers: tuple[Address, ...] = ()
    peer_ids: tuple[PeerId, ...] = ()
    """Beside `peers`, one each, or empty: only the dictionary form of BEP 3 has them."""
    tracker_id: bytes | None = None
    warning: str | None = None
    external_ip: str | None = None
    """The asker's address as the tracker sees it (BEP 24)."""


class ScrapeEntry(NamedTuple):
    """A swarm in numbers (BEP 48). `downloaders` are the leechers that still fetch (BEP 21), None where not said."""

    seeders: int
    completed: int
    leechers: int
    downloaders: int | None = None


def sane_interval(seconds: int) -> float:
    """`seconds` of a tracker's answer as a time to live by: zero and less say nothing, the rest is clamped."""
    if seconds <= 0:
        return DEFAULT_INTERVAL
    return min(max(float(seconds), MIN_INTERVAL), MAX_INTERVAL)


def sane_count(count: int) -> int:
    """A number of peers a tracker claims, clamped to 0 .. MAX_COUNT."""
    return min(max(count, 0), MAX_COUNT)
