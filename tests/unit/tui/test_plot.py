"""Graphs of rates: their scale, their columns, their bars."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.daemon.client import RateSeries
from tui.plot import bars, columns_for, columns_of, scale_of, series_columns
from tui.rate_trail import RateTrail


def test_a_scale_is_round():
    assert [scale_of(most) for most in (0, 1024, 1025, 600 * 1024, 3 * 1024**2)] == [
        1024,
        1024,
        2048,
        1024**2,
        5 * 1024**2,
    ]


@given(st.floats(0, 1e18))
def test_a_scale_has_room_for_all(most):
    assert most <= scale_of(most) <= max(1024.0, 2.5 * most)


def test_columns_are_means_and_stand_still_as_time_goes_on():
    values = [float(number) for number in range(12)]
    assert columns_of(values, 0, 4, 12) == [1.0, 4.0, 7.0, 10.0]
    moved = columns_of([*values[1:], 12.0], 1, 5, 12)
    assert moved[1:4] == [4.0, 7.0, 10.0]
    assert columns_of([], 0, 4, 12) == columns_of(values, 0, 0, 12) == []


def test_an_axis_is_as_long_as_its_span():
    assert [columns_for(600, room) for room in (600, 188, 68, 0)] == [600, 150, 67, 1]


def test_a_series_is_grouped_by_its_date():
    series = RateSeries(10.0, 120.0, (3, 5, 7), (0, 0, 0))
    assert series_columns(series, series.down, 6, 12) == [3.0, 6.0]


def test_bars_stand_on_the_ground_with_the_newest_at_the_right():
    assert bars([8.0, 16.0, 0.5], 4, 2, 16.0) == ["  █ ", " ██▁"]
    assert bars([1.0], 0, 2, 1.0) == bars([1.0], 2, 0, 1.0) == []


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1e12), max_size=50), st.integers(0, 60), st.integers(0, 9))
def test_bars_fill_their_room(values, width, height):
    lines = bars(values, width, height, scale_of(max(values, default=0.0)))
    assert all(len(line) == width for line in lines)
    assert len(lines) == (height if width else 0)
    if lines:
        assert [cell != " " for cell in lines[-1]] == [False] * max(0, width - len(values)) + [
            value > 0 for value in values[-width:]
        ]


def test_a_trail_is_a_history():
    trail = RateTrail()
    assert trail.history(0.0).series == ()
    for second in range(0, 20, 2):
        trail.add(100, 10, float(second))
    (series,) = trail.history(20.0).series
    assert (series.interval, series.down, series.up) == (5.0, (100,) * 4, (10,) * 4)
