"""When torrents are announced nearby, and what of others' announces is read and believed (BEP 14)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.ids import Address
from p2p.swarm.local_announce import (
    AGAIN,
    BURST,
    INTERVAL,
    MAX_HEARD,
    MAX_HEARD_HOST,
    MAX_NEIGHBOURS,
    MAX_NEIGHBOURS_HOST,
    MAX_TORRENTS,
    PAUSE,
    WINDOW,
    LocalHearing,
    LocalSchedule,
)


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


def test_a_few_newcomers_go_at_once_and_then_one_a_minute():
    schedule = LocalSchedule()
    for number in range(BURST):
        schedule.add(torrent(number))
        assert schedule.due(float(number)) == [torrent(number)]
    schedule.add(torrent(BURST))
    assert schedule.due(float(BURST)) == []
    assert schedule.next_due(float(BURST)) == PAUSE
    schedule.add(torrent(BURST + 1))
    assert schedule.due(PAUSE) == [torrent(BURST), torrent(BURST + 1)]
    schedule.add(torrent(BURST + 2))
    assert schedule.next_due(PAUSE + 1) == 2 * PAUSE


def test_on_a_new_network_everything_is_announced_again():
    schedule = LocalSchedule()
    schedule.add(torrent(1))
    schedule.due(0.0)
    schedule.renew()
    assert schedule.due(10.0) == [torrent(1)]
    assert schedule.due(11.0) == []


def test_the_first_place_goes_round():
    schedule = LocalSchedule()
    for number in range(3):
        schedule.add(torrent(number))
    firsts = [schedule.due(turn * INTERVAL)[0] for turn in range(3)]
    assert sorted(firsts) == [torrent(number) for number in range(3)]


@settings(max_examples=30)
@given(st.integers(1, 60), st.floats(0.5, 50.0), st.lists(st.floats(0.0, 4 * INTERVAL), max_size=20))
def test_nobody_is_forgotten_and_the_pace_is_kept(count, step, renewals):
    schedule, now, times = LocalSchedule(), 0.0, []
    for number in range(count):
        schedule.add(torrent(number))
    heard = {}
    while now < 5 * INTERVAL:
        if any(now - step < at <= now for at in renewals):
            schedule.renew()
        announced = schedule.due(now)
        if announced:
            times.append(now)
            assert len(announced) <= MAX_TORRENTS
            heard |= dict.fromkeys(announced, now)
        now += step
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= BURST + (times[last] - began) / PAUSE + 1e-6
    assert len(heard) == count
    assert all(now - at <= INTERVAL + 3 * PAUSE + 2 * step for at in heard.values())


def test_a_flood_of_one_host_leaves_room_for_others_and_one_of_many_is_bounded():
    hearing = LocalHearing()
    assert sum(hearing.reads("10.0.0.1", 0.0) for _ in range(1_000)) == MAX_HEARD_HOST
    assert hearing.reads("10.0.0.2", 0.5)
    assert sum(hearing.reads(f"10.0.1.{number}", 0.9) for number in range(250)) == MAX_HEARD - MAX_HEARD_HOST - 1
    assert hearing.reads("10.0.0.1", 1.0)


def test_no_host_and_no_crowd_of_hosts_fills_the_list_of_peers():
    hearing = LocalHearing()
    ports = range(1, 1_000)
    believed = [port for port in ports if hearing.believes(torrent(1), Address("10.0.0.1", port), 0.0)]
    assert believed == list(range(1, MAX_NEIGHBOURS_HOST + 1))
    assert not hearing.believes(torrent(1), Address("10.0.0.1", 1), AGAIN / 2)
    assert hearing.believes(torrent(1), Address("10.0.0.1", 1), AGAIN)
    hosts = [f"10.0.{high}.{low}" for high in range(1, 4) for low in range(250)]
    crowd = sum(hearing.believes(torrent(1), Address(host, 6881), AGAIN) for host in hosts)
    assert crowd == MAX_NEIGHBOURS - MAX_NEIGHBOURS_HOST
    assert hearing.believes(torrent(2), Address("10.0.0.1", 9), 3.0)
    assert hearing.believes(torrent(1), Address("10.0.0.1", 9), WINDOW)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0.0, 2.0)), max_size=300))
def test_what_is_read_in_a_second_is_bounded_however_it_comes(arrivals):
    hearing, now, second, read = LocalHearing(), 0.0, 0.0, []
    for host, wait in arrivals:
        now += wait / 10
        if not read or now - second >= 1.0:
            second, read = now, []
        if hearing.reads(f"10.0.0.{host}", now):
            read.append(host)
        assert len(read) <= MAX_HEARD
        assert all(read.count(each) <= MAX_HEARD_HOST for each in read)
