"""The alternative limits by the clock on the wall: days, midnight, summer time, and clocks that jump."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.schedule import DAY, LocalTime, Schedule, Switch, is_on, local_time, look_in
from p2p.daemon.session_values import SessionValues, initial
from p2p.daemon.speeds import SETTINGS, Speeds
from p2p.session.settings import Settings
from p2p.simulation.virtual_loop import run

SUNDAY, MONDAY, SATURDAY = 0, 1, 6
schedules = st.builds(Schedule, st.integers(0, DAY - 1), st.integers(0, DAY - 1), st.integers(0, 127))


SPRING, AUTUMN = (datetime(2026, *when, 1, tzinfo=UTC).replace(tzinfo=None) for when in ((3, 29), (10, 25)))


class SummerTime(tzinfo):
    """One hour ahead of UTC, two from 29 March 2026 01:00 UTC to 25 October 2026 01:00 UTC."""

    def utcoffset(self, at):
        return timedelta(hours=1) + self.dst(at)

    def dst(self, at):
        utc = at.replace(tzinfo=None) - timedelta(hours=2 - at.fold)
        return timedelta(hours=1 if SPRING - timedelta(hours=1) <= utc < AUTUMN else 0)

    def fromutc(self, at):
        naive = at.replace(tzinfo=None)
        summer = SPRING <= naive < AUTUMN
        twice = AUTUMN <= naive < AUTUMN + timedelta(hours=1)
        return (naive + timedelta(hours=2 if summer else 1)).replace(tzinfo=self, fold=int(twice))

    def tzname(self, at):
        return "ST"


def wall(*when):
    return datetime(*when, tzinfo=UTC).timestamp()


@given(schedules, st.integers(0, 6), st.integers(0, DAY - 1))
def test_it_holds_from_the_beginning_to_the_end_of_each_of_its_days(schedule, weekday, minute):
    length = (schedule.end - schedule.begin) % DAY or DAY
    spans = [
        (day * DAY + schedule.begin, day * DAY + schedule.begin + length)
        for day in range(7)
        if schedule.days >> day & 1
    ]
    at = weekday * DAY + minute
    expected = any(begin <= each < end for begin, end in spans for each in (at, at + 7 * DAY))
    assert is_on(schedule, LocalTime(weekday, minute)) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((SUNDAY, 21 * 60 + 59), False),
        ((SUNDAY, 22 * 60), True),
        ((MONDAY, 5 * 60 + 59), True),
        ((MONDAY, 6 * 60), False),
        ((MONDAY, 22 * 60), False),
        ((SATURDAY, 22 * 60), False),
    ],
)
def test_the_night_after_sunday_is_sundays(at, expected):
    assert is_on(Schedule(22 * 60, 6 * 60, days=1), LocalTime(*at)) is expected


def test_local_time_is_what_a_clock_shows():
    assert local_time(wall(2026, 11, 21, 23, 30), timezone(timedelta(hours=1))) == (SUNDAY, 30)
    assert local_time(wall(2026, 7, 1, 10, 5), SummerTime()) == (3, 12 * 60 + 5)
    assert local_time(wall(2026, 12, 1, 10, 5), SummerTime()) == (2, 11 * 60 + 5)
    assert look_in(wall(2026, 7, 1, 10, 5) + 12.5) == 47.5


@pytest.mark.parametrize(
    ("day", "hours_on"),
    [
        ((2026, 3, 28), 2.0),
        ((2026, 3, 29), 1.0),  # the clock goes from 02:00 to 03:00
        ((2026, 10, 25), 3.0),  # the hour from 02:00 comes twice
        ((2026, 10, 26), 2.0),
    ],
)
def test_the_hours_follow_summer_time(day, hours_on):
    schedule, midnight = Schedule(60, 3 * 60, days=127), wall(*day) - 3600
    on = [is_on(schedule, local_time(midnight + minute * 60, SummerTime())) for minute in range(12 * 60)]
    assert sum(on) / 60 == hours_on


def test_the_schedule_speaks_only_when_what_it_says_changes():
    switch, schedule = Switch(), Schedule(60, 120, days=127)
    said = [switch.round(schedule, LocalTime(0, minute)) for minute in (0, 59, 60, 61, 119, 120, 121)]
    assert said == [False, None, True, None, None, False, None]
    assert switch.round(schedule, LocalTime(3, 61)) is True  # a clock that was put forward
    assert switch.round(None, LocalTime(3, 62)) is None
    assert switch.round(schedule, LocalTime(3, 63)) is True
    switch.forget()
    assert switch.round(schedule, LocalTime(3, 64)) is True


class Clock:
    def __init__(self, *when):
        self.offset = wall(*when)

    def __call__(self):
        return self.offset + asyncio.get_running_loop().time()


async def speeds_at(clock, **changes):
    values = SessionValues(initial(Settings(), "/c"))
    limits = []
    speeds = Speeds(values, wall=clock, zone=UTC, set_limits=lambda down, up: limits.append((down, up)))
    values.applied_by(SETTINGS, speeds.apply)
    await values.set({"speed_limit_down": 100, "speed_limit_down_enabled": True, **changes})
    return values, limits, asyncio.create_task(speeds.run())


DAYTIME = {"alt_speed_time_enabled": True, "alt_speed_time_begin": 8 * 60, "alt_speed_time_end": 18 * 60}


async def end(task):
    task.cancel()
    await asyncio.wait([task])


def test_limits_follow_the_clock_within_a_minute_and_a_hand_until_then():
    async def scenario():
        values, limits, task = await speeds_at(Clock(2026, 6, 1, 7, 58, 30), **DAYTIME, alt_speed_up=7)
        await asyncio.sleep(1)
        assert limits[-1] == (100_000, None)
        await asyncio.sleep(150)
        assert values["alt_speed_enabled"] is True
        assert limits[-1] == (50_000, 7_000)
        await values.set({"alt_speed_enabled": False})
        assert limits[-1] == (100_000, None)
        await asyncio.sleep(3600)
        assert limits[-1] == (100_000, None)  # the hand's word holds until the schedule has another
        await values.set({"alt_speed_enabled": True})
        await asyncio.sleep(9 * 3600)
        assert limits[-1] == (100_000, None)
        await end(task)

    run(scenario())


def test_a_clock_that_jumps_is_believed_within_a_minute():
    async def scenario():
        clock = Clock(2026, 6, 1, 12)
        values, _, task = await speeds_at(clock, **DAYTIME)
        assert values["alt_speed_enabled"] is True
        clock.offset -= 6 * 3600
        await asyncio.sleep(61)
        assert values["alt_speed_enabled"] is False
        clock.offset += 30 * 3600
        await asyncio.sleep(61)
        assert values["alt_speed_enabled"] is True
        await end(task)

    run(scenario())


def test_a_schedule_that_is_set_holds_at_once_unless_the_same_words_say_otherwise():
    async def scenario():
        values, limits, task = await speeds_at(Clock(2026, 6, 1, 12))
        await asyncio.sleep(1000)
        await values.set(DAYTIME)
        assert limits[-1] == (50_000, 50_000)
        await values.set({"alt_speed_time_end": 11 * 60})
        assert limits[-1] == (100_000, None)
        await values.set({"alt_speed_time_end": 13 * 60, "alt_speed_time_day": 126, "alt_speed_enabled": False})
        assert limits[-1] == (100_000, None)
        await asyncio.sleep(600)
        assert limits[-1] == (100_000, None)
        await values.set({"alt_speed_time_enabled": False, "alt_speed_enabled": True})
        await asyncio.sleep(24 * 3600)
        assert limits[-1] == (50_000, 50_000)
        await values.set({"alt_speed_down": 9})
        assert limits[-1] == (9_000, 50_000)
        await end(task)

    run(scenario())
