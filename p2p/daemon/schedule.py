"""When the alternative limits hold by the clock on the wall. Pure.

The rule: what counts is what a clock on the wall shows, in local time, so a change to summer time moves the hours with
it, an hour that comes twice counts twice, and one that is left out is over. The schedule speaks only when what it says
changes: until then a client that has switched by hand keeps what it chose. A clock that was put forward or back is
believed at the next look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import tzinfo

DAY: Final = 24 * 60
"""Minutes."""

MINUTE: Final = 60.0


class LocalTime(NamedTuple):
    weekday: int
    """0 is Sunday, as in the RPC's bits of days."""

    minute: int
    """Since midnight."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """On those days from `begin` to `end`, in minutes after midnight. Where the end is not after the beginning it is
    the next day's. A bit a day: 1 is Sunday, 64 Saturday."""

    begin: int
    end: int
    days: int


def local_time(wall: float, zone: tzinfo | None) -> LocalTime:
    """What a clock shows at `wall`, seconds since the epoch; `zone` None is the machine's."""
    local = datetime.fromtimestamp(wall, tz=UTC).astimezone(zone)
    return LocalTime(local.isoweekday() % 7, local.hour * 60 + local.minute)


def is_on(schedule: Schedule, at: LocalTime) -> bool:
    """Whether the alternative limits are to hold then."""
    if schedule.end > schedule.begin:
        return _has(schedule, at.weekday) and schedule.begin <= at.minute < schedule.end
    if at.minute >= schedule.begin:
        return _has(schedule, at.weekday)
    return at.minute < schedule.end and _has(schedule, (at.weekday - 1) % 7)  # since yesterday


def _has(schedule: Schedule, weekday: int) -> bool:
    return bool(schedule.days >> weekday & 1)


def look_in(wall: float) -> float:
    """Seconds until the next minute of the clock begins."""
    return MINUTE - wall % MINUTE


class Switch:
    """Remembers what the schedule said last."""

    def __init__(self) -> None:
        self._last: bool | None = None

    def round(self, schedule: Schedule | None, at: LocalTime) -> bool | None:
        """What is to be switched to now, None for nothing; `schedule` is None while there is none."""
        said = None if schedule is None else is_on(schedule, at)
        if said == self._last:
            return None
        self._last = said
        return said

    def forget(self) -> None:
        """The schedule is another: what it says holds at once."""
        self._last = None
