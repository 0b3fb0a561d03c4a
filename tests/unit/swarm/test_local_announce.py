"""When torrents are announced nearby (BEP 14)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.swarm.local_announce import INTERVAL, MAX_TORRENTS, PAUSE, LocalSchedule


def torrent(number):
    return number.to_bytes(20, "big")


def test_a_torrent_is_announced_at_once_and_every_five_minutes():
    schedule = LocalSchedule()
    assert schedule.next_due(0.0) is None
    schedule.add(torrent(1))
    assert schedule.due(0.0) == [torrent(1)]
    assert schedule.due(INTERVAL - 1) == []
    assert schedule.next_due(1.0) == INTERVAL
    assert schedule.due(INTERVAL) == [torrent(1)]
    schedule.remove(torrent(1))
    assert schedule.due(3 * INTERVAL) == []
    assert torrent(1) not in schedule


def test_a_newcomer_waits_for_the_minute_to_pass():
    schedule = LocalSchedule()
    schedule.add(torrent(1))
    schedule.due(0.0)
    schedule.add(torrent(2))
    assert schedule.due(1.0) == []
    assert schedule.next_due(1.0) == PAUSE
    assert schedule.due(PAUSE) == [torrent(2)]


def test_the_first_place_goes_round():
    schedule = LocalSchedule()
    for number in range(3):
        schedule.add(torrent(number))
    firsts = [schedule.due(turn * INTERVAL)[0] for turn in range(3)]
    assert sorted(firsts) == [torrent(number) for number in range(3)]


@settings(max_examples=30)
@given(st.integers(1, 60), st.floats(0.5, 50.0))
def test_nobody_is_forgotten_and_the_pace_is_kept(count, step):
    schedule, now, last = LocalSchedule(), 0.0, None
    for number in range(count):
        schedule.add(torrent(number))
    heard = {}
    while now < 5 * INTERVAL:
        announced = schedule.due(now)
        if announced:
            assert last is None or now - last >= PAUSE
            assert len(announced) <= MAX_TORRENTS
            last = now
            for info_hash in announced:
                assert now - heard.get(info_hash, -INTERVAL) >= INTERVAL - PAUSE
                heard[info_hash] = now
        now += step
    assert len(heard) == count
    assert all(now - at <= INTERVAL + 3 * PAUSE + 2 * step for at in heard.values())
