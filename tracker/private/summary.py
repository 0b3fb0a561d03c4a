"""A member's standing as the member sees it: totals, rights, warnings and the duties that are left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.private import standing
from tracker.private.standing import Duty

if TYPE_CHECKING:
    from tracker.private.ledger import Ledger
    from tracker.private.records import Member
    from tracker.private.rules import PrivateRules

MAX_ROWS: Final = 100
"""Of each list; a page needs no more, and making it must not hold up announces."""


@dataclass(frozen=True, slots=True)
class OpenDuty:
    """A torrent that still wants seeding. Seconds; `until` is since the epoch, None where the window has ended."""

    torrent: str
    seed_time_left: float
    until: float | None


@dataclass(frozen=True, slots=True)
class ActiveTorrent:
    torrent: str
    uploaded: int
    downloaded: int
    seed_time: float
    is_seeding: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSummary:
    """Bytes and seconds; times since the epoch. The totals are credited ones where the name does not say actual."""

    name: str
    is_active: bool
    uploaded: int
    downloaded: int
    actual_uploaded: int
    actual_downloaded: int
    ratio: float
    """Infinite where nothing was downloaded."""
    minimum_ratio: float
    seed_time: float
    finished: int
    no_download: str | None
    """Why the member may not download, None if it may."""
    ratio_grace_until: float | None
    """Until when the ratio must have risen, None where it is high enough."""
    freeleech_until: float | None
    """The latest of the member's own and everybody's; in the past or None: not in force."""
    double_upload_until: float | None
    slots: int
    """0 for any number."""
    warnings: tuple[tuple[str, float], ...]
    """Torrent and when it expires."""
    duties: tuple[OpenDuty, ...]
    active: tuple[ActiveTorrent, ...]


def of(member: Member, ledger: Ledger, no_download: str | None, rules: PrivateRules, now: float) -> MemberSummary:
    totals = member.totals
    duties: list[OpenDuty] = []
    active: list[ActiveTorrent] = []
    finished = 0
    for torrent_id, snatch in member.snatches.items():
        finished += snatch.finished is not None
        torrent = ledger.torrents.get(torrent_id)
        name = "" if torrent is None else torrent.name
        if snatch.duty in (Duty.OPEN, Duty.MISSED) and len(duties) < MAX_ROWS:
            is_open = snatch.duty is Duty.OPEN and snatch.duty_since is not None
            until = (snatch.duty_since or 0.0) + rules.duty.window if is_open else None
            duties.append(OpenDuty(name, max(0.0, rules.duty.seed_time - snatch.seed_time), until))
        here = [place for place in snatch.places.values() if place.seen >= now - rules.peer_lifetime]
        if here and len(active) < MAX_ROWS:
            is_seeding = all(place.resting for place in here)
            active.append(ActiveTorrent(name, snatch.uploaded, snatch.downloaded, snatch.seed_time, is_seeding))
    is_low = standing.is_low(totals.uploaded, totals.downloaded, rules.ratio) and member.ratio_low_since is not None
    return MemberSummary(
        name=member.name,
        is_active=member.is_active,
        uploaded=totals.uploaded,
        downloaded=totals.downloaded,
        actual_uploaded=totals.actual_uploaded,
        actual_downloaded=totals.actual_downloaded,
        ratio=totals.uploaded / totals.downloaded if totals.downloaded else math.inf,
        minimum_ratio=rules.ratio.minimum,
        seed_time=totals.seed_time,
        finished=finished,
        no_download=no_download,
        ratio_grace_until=(member.ratio_low_since or 0.0) + rules.ratio.grace if is_low else None,
        freeleech_until=_latest(member.freeleech_until, ledger.promotions.get("freeleech")),
        double_upload_until=_latest(member.double_upload_until, ledger.promotions.get("double_upload")),
        slots=rules.limits.slots if member.max_slots is None else member.max_slots,
        warnings=tuple(
            (name_of(ledger, warned.torrent), warned.expires) for warned in member.warnings if warned.expires > now
        )[:MAX_ROWS],
        duties=tuple(duties),
        active=tuple(active),
    )


def name_of(ledger: Ledger, torrent_id: int) -> str:
    torrent = ledger.torrents.get(torrent_id)
    return "" if torrent is None else torrent.name


def _latest(*times: float | None) -> float | None:
    return max((at for at in times if at is not None), default=None)
