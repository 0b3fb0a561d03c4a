"""Ratio with its grace, seed-time duty with its warnings, and what they take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import TrackerError
from tracker.private import members, standing
from tracker.private.rules import DutyRules, PrivateRules, RatioRules
from tracker.private.standing import Duty

GIB = 1024**3
HOUR = 3_600.0
DAY = 86_400.0
RATIO = PrivateRules(ratio=RatioRules(minimum=0.5, free_download=GIB, grace=2 * DAY), duty=DutyRules(seed_time=0.0))
DUTY = PrivateRules(
    ratio=RatioRules(minimum=0.0),
    duty=DutyRules(
        seed_time=10 * HOUR, window=5 * DAY, share=0.1, enough_ratio=1.0, warning_life=7 * DAY, max_warnings=2
    ),
)


def download(house, key, size, *, after=HOUR, **fields):
    """Start and fetch `size` bytes; some are left."""
    house.announce(key, event="started", **fields)
    return house.announce(key, downloaded=size, after=after, **fields)


def seed(house, key, hours, **fields):
    """Announce as a seeder every half hour, the last time after `hours`."""
    for _ in range(int(2 * hours)):
        house.announce(key, left=0, after=HOUR / 2, **fields)


def tick(house, after=0.0):
    house.now += after
    house.desk.tick(house.now, 1_000)


def test_a_newcomer_is_asked_for_no_ratio(open_house):
    house = open_house(RATIO)
    house.torrent(size=9 * GIB)
    assert download(house, house.member(), GIB).warning is None
    assert house.announce(house.member("bob")).warning is None


def test_a_low_ratio_warns_then_takes_the_right_to_download_and_no_more(open_house):
    house = open_house(RATIO)
    house.torrent(size=9 * GIB)
    key = house.member()
    download(house, key, 2 * GIB)
    assert "your ratio is 0.00, the least is 0.50" in house.announce(key, downloaded=2 * GIB).warning
    with pytest.raises(TrackerError, match=r"^Access denied, leeching forbidden: your ratio is 0\.00"):
        house.announce(key, downloaded=2 * GIB, after=2 * DAY)
    assert house.announce(key, left=0, downloaded=2 * GIB).gives_peers
    assert house.announce(key, event="paused", downloaded=2 * GIB).gives_peers  # a partial seed gives, too


def test_a_ratio_that_rises_gives_the_right_back(open_house):
    house = open_house(RATIO)
    house.torrent(size=9 * GIB)
    key = house.member()
    download(house, key, 2 * GIB)
    house.announce(key, left=0, downloaded=2 * GIB, uploaded=GIB, after=3 * DAY / 100)
    admission = house.announce(key, left=5, downloaded=2 * GIB, uploaded=GIB, after=3 * DAY)
    assert admission.gives_peers
    assert admission.warning is None
    assert house.record().ratio_low_since is None


def test_bytes_of_a_refused_download_are_charged_all_the_same(open_house):
    house = open_house(RATIO)
    house.torrent(size=9 * GIB)
    key = house.member()
    download(house, key, 2 * GIB)
    house.now += 3 * DAY
    with pytest.raises(TrackerError, match="leeching forbidden"):
        house.announce(key, downloaded=3 * GIB)
    assert house.totals()[1] == 3 * GIB


def test_the_grace_goes_on_over_a_restart(open_house):
    house = open_house(RATIO)
    house.torrent(size=9 * GIB)
    key = house.member()
    download(house, key, 2 * GIB)
    house.now += DAY
    house.restart()
    assert house.announce(key, downloaded=2 * GIB).gives_peers
    house.now += DAY
    with pytest.raises(TrackerError, match="leeching forbidden"):
        house.announce(key, downloaded=2 * GIB)


def test_the_operator_can_take_the_right_to_download(house):
    house.torrent()
    key = house.member()
    members.forbid_download(house.connection, "ann")
    house.notice()
    with pytest.raises(TrackerError, match="leeching forbidden: the operator"):
        house.announce(key)
    assert house.announce(key, left=0).gives_peers
    members.allow_download(house.connection, "ann")
    house.notice()
    assert house.announce(key).gives_peers


@given(st.integers(0, 2**60), st.integers(0, 2**60), st.none() | st.floats(0, 1e9), st.floats(1e9, 2e9))
def test_low_since_is_set_once_and_only_while_it_is_low(uploaded, downloaded, before, now):
    rules = RATIO.ratio
    since = standing.low_since(before, uploaded, downloaded, now, rules)
    if downloaded > rules.free_download and uploaded / downloaded < 0.4999:
        assert since == (now if before is None else before)
    if downloaded <= rules.free_download or uploaded / downloaded > 0.5001:
        assert since is None


def test_who_takes_a_torrent_and_leaves_is_warned_when_the_window_ends(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB // 2)
    house.announce(key, downloaded=GIB // 2, event="stopped")
    tick(house, after=5 * DAY - 1.0)
    assert house.announce(key, info_hash=b"h" * 20, left=0).warning is None
    house.announce(key, left=0, event="stopped")
    tick(house, after=2.0)
    assert house.announce(key, left=0).warning == "You have 1 of 2 hit-and-run warnings"
    house.flush()
    (warning,) = members.warnings(house.connection, "ann", now=house.now)
    assert (warning.member, warning.torrent) == ("ann", "a torrent")


def test_less_than_a_tenth_is_no_duty(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB // 10 - 1)
    house.announce(key, event="stopped", downloaded=GIB // 10 - 1)
    tick(house, after=30 * DAY)
    assert house.announce(key).warning is None


def test_seed_time_fulfils(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB)
    seed(house, key, 10.5)  # the first of these announces only begins it
    house.announce(key, left=0, event="stopped")
    tick(house, after=30 * DAY)
    assert house.announce(key, left=0).warning is None
    assert house.record().seed_time == 10 * HOUR


def test_an_upload_as_large_as_the_torrent_fulfils_and_a_smaller_one_does_not(open_house):
    house = open_house(DUTY)
    house.torrent()
    house.torrent(b"i" * 20)
    key = house.member()
    for info_hash, sent in ((b"h" * 20, GIB), (b"i" * 20, GIB // 2)):
        download(house, key, GIB // 2, info_hash=info_hash)
        house.announce(key, info_hash=info_hash, downloaded=GIB // 2, uploaded=sent, event="stopped", after=HOUR)
    tick(house, after=30 * DAY)
    house.flush()
    assert len(members.warnings(house.connection, "ann", now=house.now)) == 1
    assert house.ledger.members[1].snatches[1].duty is Duty.DONE
    assert house.ledger.members[1].snatches[2].duty is Duty.MISSED


def test_who_still_seeds_at_the_end_of_the_window_may_go_on(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB)
    house.now += 5 * DAY - 2 * HOUR
    for _ in range(24):
        seed(house, key, 0.5)
        tick(house)
    assert house.announce(key, left=0).warning is None
    tick(house, after=30 * DAY)
    assert house.announce(key, left=0).warning is None


def test_who_is_still_downloading_at_the_end_of_the_window_does_not_seed(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB // 2)
    house.announce(key, downloaded=GIB // 2, after=5 * DAY - HOUR / 2)
    tick(house, after=HOUR)
    assert "1 of 2" in house.announce(key, downloaded=GIB // 2).warning


def test_a_warning_is_made_good_later(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB)
    house.announce(key, event="stopped", downloaded=GIB)
    tick(house, after=5 * DAY)
    assert "1 of 2" in house.announce(key, left=0).warning
    seed(house, key, 11)
    assert house.announce(key, left=0).warning is None
    house.restart()
    assert house.announce(key, left=0).warning is None


def warned(house, key, count):
    for number in range(count):
        info_hash = bytes([48 + number]) * 20
        house.torrent(info_hash)
        download(house, key, GIB, info_hash=info_hash)
        house.announce(key, info_hash=info_hash, event="stopped", downloaded=GIB)
    tick(house, after=5 * DAY + HOUR)


def test_enough_warnings_take_the_right_to_download_until_they_expire(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    warned(house, key, 2)
    house.restart()
    with pytest.raises(TrackerError, match="leeching forbidden: 2 hit-and-run warnings"):
        house.announce(key)
    assert house.announce(key, left=0).gives_peers
    house.now += 7 * DAY + 1.0
    assert house.announce(key).warning is None
    house.restart()
    assert house.announce(key).warning is None


def test_the_operator_can_lift_warnings(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    warned(house, key, 2)
    house.flush()
    assert members.lift_warnings(house.connection, "ann", now=house.now) == 2
    house.notice()
    assert house.announce(key).gives_peers
    assert house.announce(key).warning is None


def test_a_warning_that_is_not_yet_written_outlives_a_change_by_the_operator(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    warned(house, key, 1)
    members.set_slots(house.connection, "ann", 5)
    house.notice()
    assert "1 of 2" in house.announce(key, left=0).warning


def test_a_duty_goes_on_over_a_restart(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    download(house, key, GIB)
    house.announce(key, event="stopped", downloaded=GIB)
    house.restart()
    tick(house, after=5 * DAY)
    assert "1 of 2" in house.announce(key, left=0).warning


def test_two_clients_that_seed_at_once_count_once(open_house):
    house = open_house(DUTY)
    house.torrent()
    key = house.member()
    for _ in range(5):
        house.announce(key, left=0, after=450.0)
        house.announce(key, left=0, after=450.0, peer_id=b"-TR4000-bbbbbbbbbbbb", port=6_882)
        house.restart()
    assert house.record().seed_time == 9 * 450.0


def test_places_not_heard_of_for_long_are_forgotten_in_file_and_memory(house):
    house.torrent()
    key = house.member()
    house.announce(key, uploaded=10)
    house.flush()
    tick(house, after=DAY + 1.0)
    house.flush()
    assert house.connection.execute("SELECT count(*) FROM places").fetchone() == (0,)
    house.announce(key, uploaded=1_000)
    assert house.totals()[0] == 0
