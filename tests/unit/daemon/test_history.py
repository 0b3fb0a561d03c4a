"""Rates over time in rings of fixed size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon import history as history_module
from p2p.daemon.history import History, RateRing


def test_steps_are_means_and_silence_is_zero():
    ring = RateRing(10.0, 4, now=1000.0)
    for second in range(10):
        ring.add(second, 100, 1000.0 + second)
    ring.add(7, 7, 1010.0)
    series = ring.series(1012.0, wall=5012.0)
    assert (series.down, series.up, series.end, series.interval) == ((4,), (100,), 5010.0, 10.0)
    assert ring.series(1040.0, wall=5040.0).down == (4, 7, 0, 0)
    assert ring.series(1041.0, wall=5041.0).end == 5040.0
    assert ring.series(9_000_000.0, wall=0.0).down == (0, 0, 0, 0)


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 1000)), max_size=40))
def test_a_ring_never_has_more_than_its_steps_and_ends_now(told):
    ring, now = RateRing(5.0, 6, now=0.0), 0.0
    for pause, rate in told:
        now += pause
        ring.add(rate, rate, now)
        series = ring.series(now, wall=now)
        assert len(series.down) == len(series.up) <= 6
        assert now - 5.0 < series.end + 0.001
        assert series.end <= now + 0.001
        assert max(series.down, default=0) <= max(rate for _, rate in told)


def test_torrents_are_bounded_and_forgotten(monkeypatch):
    monkeypatch.setattr(history_module, "MAX_TORRENTS", 2)
    history = History(0.0)
    history.on_rates(3, 4, {1: (1, 0), 2: (2, 0)}, 0.0)
    history.on_rates(3, 4, {1: (1, 0), 3: (3, 0)}, 1.0)
    assert history.of_torrent(2, 2.0, 2.0).series == ()
    assert history.of_torrent(1, 2.0, 2.0).series[0].down == (1, 1)
    history.forget(1)
    assert history.of_torrent(1, 2.0, 2.0).series == ()
    session = history.of_session(2.0, 2.0)
    assert session.id is None
    assert [series.interval for series in session.series] == [1.0, 10.0, 60.0]
    assert session.series[0].up == (4, 4)


def test_memory_is_what_is_said():
    def size(rings):
        return sum(2 * count * 4 for _, count in rings)

    assert size(history_module.SESSION_STEPS) <= 22.5 * 1024
    assert size(history_module.TORRENT_STEPS) <= 5.2 * 1024
    assert size(history_module.TORRENT_STEPS) * history_module.MAX_TORRENTS < 4_000_000
