"""What the columns say of torrents, and which of them there is room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.client import ErrorKind, Status, TorrentRow
from tui.columns import COLUMNS, GAP, USUAL, laid_out, state_of

NOW = 2_000_000_000.0


@given(st.integers(1, 300), st.lists(st.sampled_from(list(COLUMNS)), unique=True, min_size=1))
def test_columns_fill_the_room_and_never_more(room, keys):
    found = laid_out(["name", *(key for key in keys if key != "name")], room)
    assert [column.key for column, _ in found].count("name") == 1
    assert sum(width for _, width in found) + GAP * (len(found) - 1) == room


def test_a_narrow_terminal_keeps_what_matters_most():
    assert [column.key for column, _ in laid_out(USUAL, 80)] == [
        "name",
        "state",
        "done",
        "size",
        "down",
        "up",
        "ratio",
        "eta",
    ]
    assert [column.key for column, _ in laid_out(USUAL, 40)] == ["name", "done", "down"]
    assert len(laid_out(USUAL, 200)) == len(USUAL)


def test_bars_of_progress_are_for_terminals_that_leave_names_their_room():
    assert "progress" not in [column.key for column, _ in laid_out(USUAL, 140)]
    assert laid_out(USUAL, 160)[0][1] >= 48
    assert "progress" in [column.key for column, _ in laid_out(USUAL, 180)]


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"status": Status.DOWNLOADING}, "leeching"),
        ({"status": Status.SEEDING}, "seeding"),
        ({"status": Status.SEEDING, "is_stalled": True}, "stalled"),
        ({"status": Status.STOPPED, "is_finished": True}, "finished"),
        ({"status": Status.CHECKING, "recheck_progress": 0.4}, "check 40%"),
        ({"status": Status.DOWNLOADING, "metadata_percent_complete": 0.1}, "metadata"),
        ({"status": Status.SEEDING, "error": ErrorKind.LOCAL}, "error"),
    ],
)
def test_the_state_in_a_word(facts, word):
    assert state_of(TorrentRow(**facts)) == word


@pytest.mark.parametrize(
    ("key", "facts", "text"),
    [
        ("done", {"percent_done": 0.99999}, "99%"),
        ("done", {"percent_done": 1.0}, "100%"),
        ("done", {"percent_done": 0.29}, "29%"),
        ("progress", {"percent_done": 0.999}, "━" * 19 + "─"),
        ("progress", {"percent_done": 1.0}, "━" * 20),
        ("progress", {"percent_done": 0.26}, "━" * 5 + "─" * 15),
        ("size", {"size_when_done": 3 * 1024**3}, "3 GiB"),
        ("down", {"rate_download": 0}, ""),
        ("down", {"rate_download": 1_536}, "1.5 K"),
        ("ratio", {"upload_ratio": -1.0}, ""),
        ("eta", {"eta": 65}, "1m 05s"),
        ("seeders", {"seeders": -1}, ""),
        ("seeders", {"seeders": 1_234}, "1,234"),
        ("added", {"added_date": int(NOW) - 7_200}, "2h 00m"),
        ("label", {"labels": ("a\x1b", "b")}, "a�, b"),
        ("name", {"name": "two\nlines"}, "two lines"),
    ],
)
def test_what_a_column_says(key, facts, text):
    assert COLUMNS[key].text(TorrentRow(**facts), NOW) == text


def test_nothing_known_of_an_eta_sorts_after_all_that_is_known():
    eta = COLUMNS["eta"].sort
    assert eta(TorrentRow(eta=-1)) > eta(TorrentRow(eta=10**9))
