"""What an announce counts for: rises of a client's counters, what of them is credited, and time spent seeding.

The rules: a client is its peer id at one torrent of one member. What counts is how far its counters rose since it last
announced, so its first report counts nothing, and neither does one in which a counter fell: either is a new base.
Nothing is ever negative. Bases are kept with the totals they led to, so a tracker that comes back with both loses
nothing of a client that went on, and one that comes back with older ones of both counts the same rise again, once.

A `started` that carries on from a known base counts like any other, or who sends nothing else would download for free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_COUNTER: Final = 2**62 - 1
"""Bytes a client can report. Four exabytes are no client's, and what is below adds up within SQLite's integers."""


@dataclass(slots=True)
class Place:
    """One client of a member at a torrent, as it last announced."""

    key: int
    source: str
    addresses: tuple[bytes, ...]
    """Compact, at most one a family, where others reach it."""
    uploaded: int
    downloaded: int
    left: int
    resting: bool
    """Fetches nothing: a seeder or a partial seed (BEP 21)."""
    seen: float


class Rise(NamedTuple):
    """By how much counters rose, in how many seconds. `is_base`: the report has nothing to compare with."""

    uploaded: int
    downloaded: int
    seconds: float
    is_base: bool


class Terms(NamedTuple):
    """What a byte counts for when it is credited."""

    upload_factor: int
    download_factor: int


def rise(before: Place | None, uploaded: int, downloaded: int, now: float) -> Rise:
    """Since the last report of the same client, if there is one that counts."""
    if before is None or uploaded < before.uploaded or downloaded < before.downloaded:
        return Rise(0, 0, 0.0, is_base=True)
    return Rise(uploaded - before.uploaded, downloaded - before.downloaded, max(0.0, now - before.seen), is_base=False)


def terms(since: float, freeleech: Iterable[float | None], double_upload: Iterable[float | None]) -> Terms:
    """For bytes moved after `since`, when torrent, member and everybody are promoted until these times (None: not).

    A promotion that ended between two announces covers both: nobody is charged for bytes that were free when they came.
    Promotions do not add up.
    """
    return Terms(
        2 if any(until is not None and until > since for until in double_upload) else 1,
        0 if any(until is not None and until > since for until in freeleech) else 1,
    )


def seed_seconds(before: Place | None, counted_until: float, now: float, lifetime: float) -> float:
    """Seconds that this announce shows to have been seeded, beyond those that another client's counted already.

    Nothing for a gap longer than `lifetime`: a client that was silent that long was gone. What was counted until a time
    that is still to come was counted by a clock that has been set back since.
    """
    if before is None or not before.resting or now - before.seen > lifetime:
        return 0.0
    if counted_until > now:
        return max(0.0, now - before.seen)
    return max(0.0, now - max(before.seen, counted_until))
