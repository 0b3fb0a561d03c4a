"""What cannot be true is not credited, what is seldom honest is flagged, and the operator reads why."""

from __future__ import annotations

import pytest

from p2p.errors import TrackerError
from tracker.private import members
from tracker.private.rules import CheatRules, PrivateRules

MIB = 1024**2
GIB = 1024**3
RULES = PrivateRules(
    cheats=CheatRules(max_speed=10 * MIB, max_rise=20 * GIB, first_sight=GIB, nobody=MIB, networks=2, max_networks=3)
)


@pytest.fixture
def house(open_house):
    house = open_house(RULES)
    house.torrent()
    house.now += 2 * house.rules.peer_lifetime  # by now the tracker has seen who is there
    # somebody who downloads, so that uploads have an audience
    house.announce(house.member("bob"), host="10.0.0.9", peer_id=b"-TR4000-bbbbbbbbbbbb", event="started")
    return house


def test_an_impossible_speed_is_not_credited_and_flagged(house):
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=11 * MIB * 100, downloaded=5, after=100.0)
    assert house.totals() == (0, 5, 0, 5)
    assert house.flags() == ["impossible speed"]
    (flag,) = members.flags(house.connection, "ann")
    assert flag.detail == f"uploaded {1_100 * MIB} bytes in 100 s, {11 * MIB} a second"
    assert flag.source == "10.0.0.1"
    house.announce(key, uploaded=11 * MIB * 100 + 7, downloaded=5, after=100.0)
    assert house.totals()[0] == 7  # and goes on from there


def test_a_speed_that_is_possible_is_credited(house):
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=9 * MIB * 100, after=100.0)
    assert house.totals()[0] == 900 * MIB
    assert house.flags() == []


def test_two_announces_in_a_row_are_no_speed(house):
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=50 * MIB, after=0.01)
    assert house.totals()[0] == 50 * MIB


def test_a_long_silence_does_not_excuse_a_jump(house):
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=100 * GIB, after=20 * 3_600.0)
    assert house.totals()[0] == 0
    assert "counter jump" in house.flags()


def test_a_download_that_jumps_is_flagged_and_charged(house):
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, downloaded=30 * GIB, after=60.0)
    assert house.totals()[1] == 30 * GIB
    assert house.flags() == ["counter jump"]


def test_counters_at_first_sight_are_flagged_unless_the_client_says_it_starts(house):
    house.announce(house.member(), uploaded=2 * GIB)
    house.announce(house.member("cid"), uploaded=2 * GIB, event="started", host="10.0.0.3")
    house.announce(house.member("dan"), uploaded=GIB, host="10.0.0.4")
    assert house.totals() == (0, 0, 0, 0)
    assert house.flags() == ["counters at first sight"]
    assert house.flags("cid") == []
    assert house.flags("dan") == []


def test_an_upload_with_nobody_there_is_flagged(house):
    house.torrent(b"i" * 20)
    key = house.member()
    house.announce(key, info_hash=b"i" * 20, left=0, event="started")
    house.announce(key, info_hash=b"i" * 20, left=0, uploaded=2 * MIB, after=100.0)
    assert house.flags() == ["upload to nobody"]
    house.announce(key, left=0, event="started")
    house.announce(key, left=0, uploaded=2 * MIB, after=100.0)
    assert len(house.flags()) == 1  # there bob downloads


def test_a_tracker_that_just_started_does_not_know_who_was_there(house):
    house.torrent(b"i" * 20)
    key = house.member()
    house.announce(key, info_hash=b"i" * 20, left=0, event="started")
    house.restart()
    house.announce(key, info_hash=b"i" * 20, left=0, uploaded=2 * MIB, after=100.0)
    assert house.flags() == []
    for step in range(1, 5):
        house.announce(key, info_hash=b"i" * 20, left=0, uploaded=step * 4 * MIB, after=3_000.0)
    assert house.flags() == ["upload to nobody"]


def test_a_members_own_other_client_is_no_audience(house):
    house.torrent(b"i" * 20)
    key = house.member()
    house.announce(key, info_hash=b"i" * 20, port=6_882, peer_id=b"-TR4000-cccccccccccc")
    house.announce(key, info_hash=b"i" * 20, left=0, event="started")
    house.announce(key, info_hash=b"i" * 20, left=0, uploaded=2 * MIB, after=100.0)
    assert house.flags() == ["upload to nobody"]


def test_who_just_finished_or_left_was_an_audience(house):
    house.torrent(b"i" * 20)
    key = house.member()
    bob = house.member("eve")
    house.announce(bob, info_hash=b"i" * 20, host="10.0.0.5", event="started")
    house.announce(key, info_hash=b"i" * 20, left=0, event="started")
    house.announce(bob, info_hash=b"i" * 20, host="10.0.0.5", event="completed", left=0, after=3_000.0)
    house.restart()
    house.announce(key, info_hash=b"i" * 20, left=0, uploaded=2 * MIB, after=1_000.0)
    assert house.flags() == []


def test_impossible_counters_are_refused_and_flagged(house):
    key = house.member()
    for field in ("uploaded", "downloaded"):
        with pytest.raises(TrackerError, match="impossible"):
            house.announce(key, **{field: 2**62})
    assert house.flags() == ["impossible counter"]
    house.announce(key, left=2**64 - 1, event="started")  # a magnet link does not know yet
    house.announce(key, left=2**64 - 1, uploaded=5, after=60.0)
    assert house.record().uploaded == 5


def come(house, key, number, **fields):
    """A client at an address of its own."""
    return house.announce(key, host=f"10.1.0.{number}", peer_id=b"-TR4000-%012d" % number, left=0, **fields)


def test_a_passkey_in_two_places_is_flagged_by_default(open_house):
    house = open_house()
    house.torrent()
    key = house.member()
    come(house, key, 1)
    come(house, key, 2)
    assert house.flags() == ["passkey in many places"]
    (flag,) = members.flags(house.connection, "ann")
    assert (flag.source, flag.detail) == ("10.1.0.2", "in use from 1 more at the same time")


def test_a_passkey_in_too_many_places_is_refused_but_not_where_it_was(house):
    key = house.member()
    come(house, key, 1)
    come(house, key, 2)
    assert house.flags() == []
    house.torrent(b"i" * 20)
    come(house, key, 3, info_hash=b"i" * 20)
    assert house.flags() == ["passkey in many places"]
    with pytest.raises(TrackerError, match="in use from 3 other places"):
        come(house, key, 4, info_hash=b"i" * 20)
    come(house, key, 4, info_hash=b"i" * 20, event="stopped")  # does not make it a place of the member's
    with pytest.raises(TrackerError, match="in use from 3 other places"):
        come(house, key, 4, info_hash=b"i" * 20)
    assert come(house, key, 1).gives_peers


def test_a_client_that_moves_is_in_one_place(open_house):
    house = open_house()
    house.torrent()
    key = house.member()
    for number in range(5):
        house.announce(key, host=f"10.1.0.{number}", left=0, after=60.0)
        house.announce(key, host=f"2001:db8:{number}::1", left=0)
    assert house.flags() == []
    house.announce(key, host="10.1.0.0", left=0, key=99, after=60.0)
    assert "passkey in many places" in house.flags()


def test_ipv4_and_ipv6_are_counted_apart(open_house):
    house = open_house()
    house.torrent()
    key = house.member()
    house.announce(key, host="10.1.0.1", port=1, peer_id=b"1" * 20)
    house.announce(key, host="2001:db8::1", port=2, peer_id=b"2" * 20)
    house.announce(key, host="2001:db8::2:0:0:1", port=3, peer_id=b"3" * 20)  # of the same 64 bits
    assert house.flags() == []


def test_places_of_long_ago_are_not_at_the_same_time(house):
    key = house.member()
    for number in range(6):
        house.announce(key, host=f"10.1.0.{number}", after=5_000.0)
    assert house.flags() == []


def test_a_peer_id_in_two_places_with_two_keys_is_two_clients(house):
    key = house.member()
    house.announce(key, event="started", key=1)
    house.announce(key, uploaded=5 * MIB, key=2, host="10.0.0.2", after=60.0)
    assert house.totals()[0] == 0
    assert "peer id in two places" in house.flags()


def test_a_client_that_moved_with_its_key_goes_on(house):
    key = house.member()
    house.announce(key, event="started", key=1)
    house.announce(key, uploaded=5 * MIB, key=1, host="10.0.0.2", after=60.0)
    assert house.totals()[0] == 5 * MIB
    assert house.flags() == []


def test_flags_are_counted_and_kept_over_restarts_until_the_operator_clears_them(house):
    key = house.member()
    house.announce(key, event="started")
    for step in range(1, 4):
        house.announce(key, uploaded=step * 30 * GIB, after=60.0)
        house.restart()
    (flag,) = members.flags(house.connection, "ann")
    assert (flag.kind, flag.times, flag.torrent) == ("counter jump", 3, "a torrent")
    assert flag.first_seen < flag.last_seen
    assert members.clear_flags(house.connection, "ann") == 1
    assert house.flags() == []


def test_flags_are_bounded_while_they_cannot_be_written(house, monkeypatch):
    from tracker.private import ledger

    monkeypatch.setattr(ledger, "MAX_FLAGS", 1)
    key = house.member()
    house.torrent(b"i" * 20)
    for info_hash in (b"h" * 20, b"i" * 20):
        house.announce(key, info_hash=info_hash, uploaded=5 * GIB)
    assert house.ledger.lost_flags == 1
    assert len(house.flags()) == 1
