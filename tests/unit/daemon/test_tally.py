"""Torrents counted as they change."""

from __future__ import annotations

from collections import Counter

from fake_library import FakeLibrary, FakeTorrent
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon import tally as tally_module
from p2p.daemon.ports import ErrorKind, Status
from p2p.daemon.tally import Tally


def test_changes_are_counted_and_bytes_go_to_their_tracker():
    library, tally = FakeLibrary(2), Tally()
    library.kept[1].downloaded_ever = 1000
    assert tally.look(library) == []
    assert tally.states == {("a.test", Status.SEEDING): 2}
    assert tally.folders == {"/downloads": 2}
    assert not tally.downloaded.total()  # what was before is not counted
    torrent = library.kept[1]
    torrent.status, torrent.rate_download, torrent.downloaded_ever = Status.DOWNLOADING, 50, 1500
    torrent.error = ErrorKind.LOCAL
    tally.look(library)
    assert tally.rate_down == 0  # nobody said that it changed, so nobody looks
    library.log.on_change(1, 0.0)
    tally.look(library)
    assert tally.states == {("a.test", Status.SEEDING): 1, ("a.test", Status.DOWNLOADING): 1}
    assert (tally.rate_down, tally.active, tally.downloaded["a.test"]) == (50, {1: (50, 0)}, 500)
    assert tally.errors == {ErrorKind.NONE: 1, ErrorKind.LOCAL: 1}
    del library.kept[1]
    library.log.on_removed(1, 0.0)
    assert tally.look(library) == [1]
    assert (tally.rate_down, tally.active, tally.torrents) == (0, {}, 1)
    assert tally.by_host() == {"a.test": 1}


def test_trackers_are_bounded(monkeypatch):
    monkeypatch.setattr(tally_module, "MAX_HOSTS", 2)
    library, tally = FakeLibrary(0), Tally()
    for number, host in enumerate(("a", "", "b", "c", "d", "a"), 1):
        library.kept[number] = FakeTorrent(number, starling_tracker=host)
    tally.look(library)
    assert tally.by_host() == {"a": 2, "none": 1, "b": 1, "other": 2}


def test_a_look_is_bounded_and_the_next_goes_on(monkeypatch):
    monkeypatch.setattr(tally_module, "MAX_A_LOOK", 3)
    library, tally = FakeLibrary(8), Tally()
    tally.look(library)
    assert tally.torrents == 3
    del library.kept[8]
    library.log.on_removed(8, 0.0)
    library.log.on_change(1, 0.0)
    library.kept[1].rate_upload = 9
    tally.look(library)
    assert (tally.torrents, tally.rate_up) == (6, 0)  # who changed last comes last
    tally.look(library)
    assert (tally.torrents, tally.rate_up) == (7, 9)


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(Status), st.integers(0, 9), st.booleans()), max_size=30))
def test_any_changes_add_up(steps):
    library, tally = FakeLibrary(0), Tally()
    for number, status, rate, goes in steps:
        if goes:
            if library.kept.pop(number, None) is not None:
                library.log.on_removed(number, 0.0)
        else:
            library.kept[number] = FakeTorrent(number, status=status, rate_upload=rate, peers_connected=rate)
            library.log.on_change(number, 0.0)
        tally.look(library)
        kept = library.kept.values()
        assert tally.states == Counter((each.starling_tracker, each.status) for each in kept)
        assert tally.rate_up == tally.peers == sum(each.rate_upload for each in kept)
        assert set(tally.active) == {each.id for each in kept if each.rate_upload}
