"""Which torrents changed, told by number and by time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.deltas import MAX_REMOVED, ChangeLog

steps = st.lists(st.tuples(st.sampled_from(["change", "remove"]), st.integers(1, 6)), max_size=40)


@given(steps, st.integers(0, 40))
def test_a_delta_brings_a_client_up_to_date(steps, heard):
    """A client that took everything after `heard` steps and then the delta knows what the log knows."""
    log, alive, known, revision, seen = ChangeLog(50), set(), None, None, {}
    versions = {}
    for at, (what, torrent) in enumerate(steps):
        if at == heard:
            known, revision, seen = set(alive), log.revision, dict(versions)
        if what == "change":
            log.on_change(torrent, float(at))
            alive.add(torrent)
            versions[torrent] = at
        elif torrent in alive:
            log.on_removed(torrent, float(at))
            alive.discard(torrent)
    if known is None:
        return
    delta = log.since(revision)
    assert not delta.full
    assert delta.revision == log.revision
    assert (known - set(delta.removed)) | set(delta.changed) == alive
    assert set(delta.changed) == {torrent for torrent in alive if versions[torrent] != seen.get(torrent)}


def test_numbers_of_another_log_are_told_to_begin_anew():
    log = ChangeLog(1000)
    assert log.since(999).full
    assert log.since(1001).full
    assert not log.since(1000).full


def test_removals_are_forgotten_and_that_is_told():
    log = ChangeLog(0)
    for torrent in range(MAX_REMOVED + 1):
        log.on_removed(torrent, 0.0)
    assert log.since(0).full
    assert len(log.since(1).removed) == MAX_REMOVED


def test_recent_is_the_last_minute():
    log = ChangeLog(0)
    log.on_change(1, 0.0)
    log.on_change(2, 30.0)
    log.on_removed(3, 30.0)
    log.on_change(1, 31.0)
    assert log.recent(90.0).changed == (2, 1)
    assert log.recent(91.0).changed == (1,)
    assert log.recent(90.0).removed == (3,)
    assert log.recent(91.0).removed == ()
