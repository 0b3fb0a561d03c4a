"""What a page sends over its socket."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.web.page_input import COLUMNS, ROWS, Focus, Pinged, Resized, Typed, bounded, page_input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["stdin", "resize", "ping", "focus", "blur"])


def test_what_pages_send_is_understood():
    assert page_input('["stdin", "q\\u00e9"]') == Typed("qé".encode())
    assert page_input('["resize", {"width": 120, "height": 40}]') == Resized(120, 40)
    assert page_input('["ping", "1795284052"]') == Pinged("1795284052")
    assert page_input('["focus"]') is Focus.GAINED
    assert page_input('["blur"]') is Focus.LOST


def test_half_a_character_is_no_key():
    assert page_input('["stdin", "\\ud800"]') == Typed(b"?")


@given(st.integers(), st.integers())
def test_sizes_are_kept_within_bounds(width, height):
    size = bounded(width, height)
    assert COLUMNS[0] <= size.width <= COLUMNS[1]
    assert ROWS[0] <= size.height <= ROWS[1]
    assert bounded("80", "24") == Resized(80, 24)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "null",
        "[]",
        '["stdin"]',
        '["stdin", 1]',
        '["resize", {"width": true, "height": 1}]',
        '["resize", {"width": 1e3, "height": 1}]',
        '["resize", {"width": 1}]',
        '["ping", "' + "9" * 65 + '"]',
        '["quit"]',
        "[" * 100_000,
    ],
)
def test_what_no_page_sends_is_refused(text):
    with pytest.raises(ValueError):
        page_input(text)


@given(st.lists(WORDS | JSON, max_size=3) | JSON)
def test_anything_else_is_understood_or_refused(envelope):
    try:
        said = page_input(json.dumps(envelope))
    except ValueError:
        return
    assert isinstance(said, Typed | Resized | Pinged | Focus)
