"""Answers to questions, and what the dialogs of limits say with them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.client import GoalMode, Priority
from p2p.errors import ConfigError
from tui.file_verbs import file_changes
from tui.form import Field, Form, file_name, kilo, labels, minutes, ratio
from tui.limit_verbs import limits_of, session_limits_of

NONE = {"down": "", "up": "", "ratio": "", "idle": "", "endless": "", "honors": ""}


@given(st.text(max_size=40))
def test_any_answer_makes_sense_or_is_refused(text):
    for check, most in ((kilo, 100_000_000), (minutes, 60 * 24 * 3650), (ratio, 1_000_000)):
        try:
            found = check(text)
        except ConfigError:
            continue
        assert found is None or (math.isfinite(found) and 0 <= found <= most)


@pytest.mark.parametrize("text", ["", " ", ".", "..", "a/b", "a\0", "ä" * 128])
def test_names_that_no_file_can_have(text):
    with pytest.raises(ConfigError):
        file_name(text)


def test_labels_are_what_is_between_commas():
    assert labels(" a, b,,a ") == ("a", "b")
    with pytest.raises(ConfigError):
        labels(",".join(map(str, range(101))))


def test_the_first_answer_that_cannot_be_is_told():
    form = Form("", (Field("a", "A", check=kilo), Field("b", "B", check=kilo)))
    assert form.trouble({"a": "1,000", "b": ""}) is None
    name, reason = form.trouble({"a": "1", "b": "x"})
    assert (name, "kB/s" in reason) == ("b", True)


def test_limits_of_a_torrent():
    free = limits_of(NONE)
    assert (free.download_limited, free.download_limit, free.seed_ratio_mode) == (False, None, GoalMode.GLOBAL)
    assert not free.honors_session_limits
    bound = limits_of({**NONE, "down": "70", "ratio": "1.5", "idle": "9", "honors": "yes"})
    assert (bound.download_limited, bound.download_limit, bound.upload_limited) == (True, 70, False)
    assert (bound.seed_ratio_limit, bound.seed_ratio_mode, bound.seed_idle_mode) == (1.5, GoalMode.OWN, GoalMode.OWN)
    assert limits_of({**NONE, "ratio": "1", "endless": "yes"}).seed_ratio_mode is GoalMode.UNLIMITED


def test_limits_of_the_session():
    answers = dict.fromkeys(
        ("speed_limit_down", "speed_limit_up", "alt_speed_down", "alt_speed_up", "seed_ratio_limit"), ""
    )
    found = session_limits_of({**answers, "idle_seeding_limit": "", "alt_speed_enabled": "", "speed_limit_up": "5"})
    assert (found["speed_limit_up"], found["speed_limit_up_enabled"]) == (5, True)
    assert found["speed_limit_down_enabled"] is False
    assert "speed_limit_down" not in found
    assert (found["alt_speed_down"], found["alt_speed_enabled"]) == (0, False)


def test_a_file_with_a_priority_is_wanted():
    high = file_changes((3,), wanted=True, priority=Priority.HIGH)
    assert (high.files_wanted, high.priority_high, high.priority_low) == ((3,), (3,), ())
    assert file_changes((3,), wanted=False, priority=None).files_unwanted == (3,)
