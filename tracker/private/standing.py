"""Whether a member may download: the ratio with its grace, and the duty to seed with its warnings. Pure decisions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.private.rules import DutyRules, RatioRules


class Duty(StrEnum):
    """Where a member stands with the seed time of one torrent.

    none -> open       once the share is downloaded
    open -> done       seed time or upload is enough
    open -> missed     the window ended: a warning
    missed -> done     made good later: the warning is lifted
    """

    NONE = "none"
    OPEN = "open"
    MISSED = "missed"
    DONE = "done"


def is_low(uploaded: int, downloaded: int, rules: RatioRules) -> bool:
    """Whether credited totals are below the minimum ratio."""
    return downloaded > rules.free_download and uploaded < rules.minimum * downloaded


def low_since(before: float | None, uploaded: int, downloaded: int, now: float, rules: RatioRules) -> float | None:
    """Since when the ratio has been too low, None if it is not."""
    if not is_low(uploaded, downloaded, rules):
        return None
    return now if before is None else before


def is_grace_over(since: float | None, now: float, rules: RatioRules) -> bool:
    return since is not None and now >= since + rules.grace


def arises(downloaded: int, size: int, rules: DutyRules) -> bool:
    """Whether so much of a torrent of `size` bytes was downloaded that seeding it is a duty."""
    return rules.seed_time > 0 and downloaded > 0 and downloaded >= rules.share * size


def is_fulfilled(uploaded: int, downloaded: int, seed_time: float, size: int, rules: DutyRules) -> bool:
    """By time, or by upload. The upload is held against the whole torrent, lest a tenth of it free from the rest."""
    if seed_time >= rules.seed_time:
        return True
    return rules.enough_ratio > 0 and 0 < rules.enough_ratio * max(size, downloaded) <= uploaded
