"""The wall clock that accounts are kept by, set back and forth: nobody loses what is his, nobody is paid twice."""

from __future__ import annotations

from tracker.private.rules import CheatRules, LimitRules, PrivateRules

GIB = 1024**3
DAY = 86_400.0


def seed_time(house):
    return house.record().seed_time


def test_a_clock_that_is_set_back_or_forth_takes_and_gives_no_bytes_and_little_seed_time(house):
    house.torrent()
    key = house.member()
    house.announce(key, left=0)
    house.announce(key, after=1_000.0, left=0, uploaded=1_000)
    assert (house.totals()[2], seed_time(house)) == (1_000, 1_000.0)
    house.announce(key, after=-DAY, left=0, uploaded=2_000)
    assert (house.totals()[2], seed_time(house)) == (2_000, 1_000.0)
    house.announce(key, after=1_000.0, left=0, uploaded=3_000)
    assert (house.totals()[2], seed_time(house)) == (3_000, 2_000.0)
    house.announce(key, after=30 * DAY, left=0, uploaded=4_000)
    assert (house.totals()[2], seed_time(house)) == (4_000, 2_000.0)
    house.restart()
    house.announce(key, after=1_000.0, left=0, uploaded=5_000)
    assert (house.totals()[2], seed_time(house)) == (5_000, 3_000.0)


def test_clients_of_a_time_to_come_hold_no_slots_places_or_networks(open_house):
    house = open_house(
        PrivateRules(limits=LimitRules(slots=1, places=1), cheats=CheatRules(networks=1, max_networks=1))
    )
    other = b"o" * 20
    house.torrent()
    house.torrent(other)
    key = house.member()
    house.announce(key, left=GIB)
    house.now -= DAY
    admission = house.announce(key, host="10.9.9.9", info_hash=other, peer_id=b"-TR4000-bbbbbbbbbbbb", key=2)
    assert admission.gives_peers
    assert house.announce(key, host="10.9.9.9", peer_id=b"-TR4000-bbbbbbbbbbbb", key=2, left=0).gives_peers
