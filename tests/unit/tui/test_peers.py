"""Peers in words: with whom a torrent is, and what flags say; and the log's lines about one torrent."""

from __future__ import annotations

import dataclasses

import pytest

from p2p.daemon.client import LogFacts, LogLine, PeerFacts, TorrentDetails, TorrentRow, TrackerFacts
from p2p.daemon.shapes import Reader
from tui.details import ABOUT, TABS
from tui.peers import FLAGS, MOST_NAMED, flags_in_words, with_whom
from tui.widgets.log_table import LogTable

NOW = 2_000_000_000.0
PEER = dataclasses.replace(Reader(PeerFacts).one({}), address="192.0.2.1", port=6881, client_name="X 1")


def peer(**parts):
    return dataclasses.replace(PEER, **parts)


def test_who_gives_and_who_takes_is_named_with_the_most_first():
    slow, fast = peer(rate_to_client=1024), peer(rate_to_client=4096, rate_to_peer=2048, progress=1.0, port=1)
    assert list(with_whom([slow, fast])) == [
        ("From", "4 KiB/s  192.0.2.1:1, X 1, a seeder"),
        ("", "1 KiB/s  192.0.2.1:6881, X 1, a leecher"),
        ("To", "2 KiB/s  192.0.2.1:1, X 1, a seeder"),
    ]
    assert list(with_whom([PEER])) == []
    many = list(with_whom([peer(rate_to_peer=9, port=number) for number in range(MOST_NAMED + 3)]))
    assert many[-1] == ("", "and 3 more")
    overview = TABS[0].lines(TorrentDetails(peers=(fast,)), TorrentRow(), NOW)
    assert ("From", "4 KiB/s  192.0.2.1:1, X 1, a seeder") in overview


@pytest.mark.parametrize(
    ("flags", "words"),
    [("", ""), ("DE", "we download from it, encrypted"), ("OO", "optimistic unchoke"), ("Z\x1b", "Z, \ufffd")],
)
def test_flags_in_words(flags, words):
    assert flags_in_words(flags) == words
    assert len(flags_in_words("".join(FLAGS) * 100)) < 500


def test_the_line_under_the_cursor_is_told_in_whole():
    tracker = TrackerFacts(1, "http://a/announce", "", "", "", 0)
    tracker = dataclasses.replace(
        tracker, has_announced=True, last_announce_result="no such torrent\x1b[2J", next_announce_time=int(NOW) + 90
    )
    details = TorrentDetails(peers=(peer(flag_str="u"),), tracker_stats=(tracker,))
    assert ABOUT["peers"](details, 0, NOW) == "it would take, if we unchoked it"
    told = "http://a/announce: no such torrent\ufffd[2J: asked again in "
    assert ABOUT["trackers"](details, 0, NOW) == told + "1m 30s"
    assert ABOUT["trackers"](details, 0, NOW + 30) == told + "1m 00s"
    assert ABOUT["trackers"](details, 1, NOW) == ABOUT["peers"](TorrentDetails(), 0, NOW) == ""


def test_the_log_of_a_torrent_is_what_names_it_and_nothing_that_is_called_alike():
    texts = ["torrent added name=a info_hash=" + "a" * 40, "a name=a", "added id=1", "added id=12", "x=" + "a" * 41]
    lines = tuple(LogLine(number, NOW, "info", "", text) for number, text in enumerate(texts, 1))
    log = LogTable()
    log.take(LogFacts("info", 5, lines), "a" * 40, 1)
    assert [line.serial for line in log._kept] == [1, 3]
