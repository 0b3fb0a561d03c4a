"""What a private tracker holds in memory: members, torrents, and what each member did on each torrent.

Plain records; `tracker.private.ledger` owns them and `tracker.private.desk` decides with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tracker.private.standing import Duty

if TYPE_CHECKING:
    from tracker.private.accounts import Place
    from tracker.private.guesses import SourceNetwork


class Warned(NamedTuple):
    """A hit-and-run warning."""

    torrent: int
    issued: float
    expires: float


@dataclass(slots=True)
class Snatch:
    """One member at one torrent: actual bytes, seconds seeded, and the duty that follows."""

    first_seen: float
    last_seen: float
    uploaded: int = 0
    downloaded: int = 0
    seed_time: float = 0.0
    counted_until: float = 0.0
    """Until when seconds were counted, so that two clients at once count once."""
    finished: float | None = None
    duty: Duty = Duty.NONE
    duty_since: float | None = None
    places: dict[bytes, Place] = field(default_factory=dict)
    """By peer id."""


@dataclass(slots=True)
class Totals:
    """Bytes and seconds of a member."""

    uploaded: int = 0
    downloaded: int = 0
    actual_uploaded: int = 0
    actual_downloaded: int = 0
    seed_time: float = 0.0

    def add(self, other: Totals) -> None:
        self.uploaded += other.uploaded
        self.downloaded += other.downloaded
        self.actual_uploaded += other.actual_uploaded
        self.actual_downloaded += other.actual_downloaded
        self.seed_time += other.seed_time


@dataclass(slots=True)
class Member:
    id: int
    name: str
    is_active: bool
    reason: str
    may_download: bool
    max_slots: int | None
    freeleech_until: float | None
    double_upload_until: float | None
    totals: Totals
    ratio_low_since: float | None
    last_seen: float | None
    passkeys: dict[bytes, float | None]
    """When each hash expires, None for the current one."""
    warnings: list[Warned]
    snatches: dict[int, Snatch] = field(default_factory=dict)
    downloading: dict[int, float] = field(default_factory=dict)
    """When each torrent was last announced as a download."""
    networks: dict[SourceNetwork, float] = field(default_factory=dict)
    """When each was last announced from."""


class Taker(NamedTuple):
    member: int
    seen: float


@dataclass(slots=True)
class Torrent:
    id: int
    name: str
    size: int | None
    is_registered: bool
    reason: str
    freeleech_until: float | None
    double_upload_until: float | None
    info_hashes: tuple[bytes, ...]
    takers: tuple[Taker, ...] = ()
    """The last two different members that were seen downloading it, latest first: enough to know of somebody else."""

    def on_taker(self, member: int, now: float) -> None:
        others = [taker for taker in self.takers if taker.member != member]
        self.takers = (Taker(member, now), *others[:1])

    def had_taker_besides(self, member: int, since: float) -> bool:
        return any(taker.member != member and taker.seen >= since for taker in self.takers)


class FlagKey(NamedTuple):
    member: int
    torrent: int
    """0 where none is concerned."""
    kind: str


@dataclass(slots=True)
class FlagNote:
    """What is to be added to a flag."""

    detail: str
    source: str
    first_seen: float
    last_seen: float
    times: int = 1
