"""Which torrents a word names: by id before hash before name, one for a plain word, as many as fit for a pattern."""

from __future__ import annotations

import pytest

from p2p.cli.remote_names import NoTorrentError, chosen
from p2p.daemon.client_values import TorrentRow

ROWS = [
    TorrentRow(id=6, hash_string="abcdef" + "0" * 34, name="Debian 12"),
    TorrentRow(id=2, hash_string="abcdef" + "1" * 34, name="[ISO] debian"),
    TorrentRow(id=3, hash_string="c0ffee" + "2" * 34, name="3"),
    TorrentRow(id=4, hash_string="decade" + "3" * 34, name="12"),
    TorrentRow(id=5, hash_string="123456" + "4" * 34, name="abcdef"),
]


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("3", [3]),
        ("12", [4]),
        ("C0FFEE", [3]),
        ("abcdef0", [6]),
        ("123456", [5]),
        ("debian 12", [6]),
        ("[iso] Debian", [2]),
        ("ISO", [2]),
        ("*debian*", [2, 6]),
        ("?", [3]),
        ("[0-9]*", [3, 4]),
    ],
)
def test_a_word_names(word, ids):
    assert [row.id for row in chosen(ROWS, [word])] == ids


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("abcdef", "abcdef names 2 torrents: 6 Debian 12, 2 \\[ISO\\] debian; give an id"),
        ("debian", "debian names 2 torrents"),
        ("99", "no torrent is called 99"),
        ("1", "no torrent is called 1"),
        ("", "names 5 torrents: 6 Debian 12, 2 \\[ISO\\] debian, 3 3 and 2 more"),
        ("zzz*", "no torrent's name is like zzz\\*"),
        ("a\x1b[31m", r"like a\\x1b\[31m"),
    ],
)
def test_what_is_not_clear_is_refused(word, reason):
    with pytest.raises(NoTorrentError, match=reason):
        chosen(ROWS, [word])


def test_each_is_named_once_and_in_order():
    assert [row.id for row in chosen(ROWS, ["*debian*", "5", "6"])] == [2, 5, 6]
