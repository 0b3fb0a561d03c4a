"""The schedule of the slow limits as a person writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import ConfigError
from tui.schedule_verbs import EVERY_DAY, _clock, _in_words, days, schedule_of, time_of_day


@given(st.integers(0, 1439), st.integers(1, EVERY_DAY))
def test_what_is_written_there_is_read_again(minutes, bits):
    assert time_of_day(_clock(minutes)) == minutes
    assert days(_in_words(bits)) == bits


@pytest.mark.parametrize(
    ("text", "bits"), [("Mon, tuesday", 0b110), ("weekends", 0b1000001), ("EVERY  DAY", EVERY_DAY), ("sun sun", 1)]
)
def test_days(text, bits):
    assert days(text) == bits


@pytest.mark.parametrize("text", ["", "24:00", "7", "7:60", "-1:00", "١:00", "7:5:1"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError):
        time_of_day(text)


@pytest.mark.parametrize("text", ["", "someday", "mo"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(ConfigError):
        days(text)


def test_what_the_dialog_says_are_settings():
    assert schedule_of({"enabled": "yes", "begin": "22:30", "end": "6:00", "days": "fri sat"}) == {
        "alt_speed_time_enabled": True,
        "alt_speed_time_begin": 1350,
        "alt_speed_time_end": 360,
        "alt_speed_time_day": 0b1100000,
    }
