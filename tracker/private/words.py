"""What members read in failures and warnings of their announces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker.private import standing

if TYPE_CHECKING:
    from tracker.private.records import Member, Totals
    from tracker.private.rules import DutyRules, RatioRules


def disabled(reason: str) -> str:
    return f"Your account is disabled: {reason}" if reason else "Your account is disabled"


def low_ratio(totals: Totals, rules: RatioRules) -> str:
    ratio = totals.uploaded / totals.downloaded if totals.downloaded else 0.0
    return f"your ratio is {ratio:.2f}, the least is {rules.minimum:.2f}"


def no_slot(slots: int) -> str:
    return f"Your slot limit is reached! You may at most download {slots} torrents at the same time"


def about_passkey(expires: float | None) -> list[str]:
    if expires is None:
        return []
    return [f"Your passkey was changed: fetch the .torrent files again, the old one ends {_day(expires)}"]


def about_ratio(member: Member, rules: RatioRules) -> list[str]:
    if member.ratio_low_since is None or not standing.is_low(member.totals.uploaded, member.totals.downloaded, rules):
        return []
    end = _day(member.ratio_low_since + rules.grace)
    return [f"Careful: {low_ratio(member.totals, rules)}; you can download until {end}"]


def about_warnings(in_force: int, rules: DutyRules) -> list[str]:
    if not in_force:
        return []
    limit = f" of {rules.max_warnings}" if rules.max_warnings else ""
    return [f"You have {in_force}{limit} hit-and-run warnings"]


def _day(at: float) -> str:
    # Times come from the file, which somebody may have edited.
    latest = 253_402_300_799.0  # the end of the year 9999
    return f"{datetime.fromtimestamp(min(max(at, 0.0), latest), UTC):%Y-%m-%d %H:%M} UTC"
