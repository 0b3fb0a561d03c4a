"""Totals from deltas: what is credited, what is not, and that restarts of either side lose and double nothing."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.private import members, torrents
from tracker.private.accounts import Place, rise, seed_seconds, terms
from tracker.private.database import MAX_TOTAL
from tracker.private.members import Promotion
from tracker.private.reading import read_changes
from tracker.private.records import Totals
from tracker.private.rules import PrivateRules

MIB = 1024**2
COUNTER = st.integers(0, 2**62)


def test_bytes_between_two_announces_are_credited(house):
    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=30 * MIB, downloaded=50 * MIB, after=1_800.0)
    house.announce(key, uploaded=40 * MIB, downloaded=70 * MIB, event="stopped", after=600.0)
    assert house.totals() == (40 * MIB, 70 * MIB, 40 * MIB, 70 * MIB)


def test_what_a_client_comes_with_is_not_credited(house):
    house.torrent()
    key = house.member()
    house.announce(key, uploaded=900 * MIB, downloaded=5 * MIB)
    assert house.totals() == (0, 0, 0, 0)
    house.announce(key, uploaded=901 * MIB, downloaded=5 * MIB, after=1_800.0)
    assert house.totals() == (MIB, 0, MIB, 0)


def test_a_counter_that_falls_is_a_new_base(house):
    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=100, downloaded=100, after=1_800.0)
    house.announce(key, uploaded=40, downloaded=500, after=1_800.0)
    assert house.totals() == (100, 100, 100, 100)
    house.announce(key, uploaded=45, downloaded=500, after=1_800.0)
    assert house.totals() == (105, 100, 105, 100)


def test_a_client_that_starts_anew_with_its_old_peer_id_is_credited_from_zero(house):
    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=100, after=1_800.0)
    house.announce(key, event="started", after=60.0)
    house.announce(key, uploaded=7, after=1_800.0)
    assert house.totals()[0] == 107


def test_started_again_and_again_does_not_download_for_free(house):
    house.torrent()
    key = house.member()
    for step in range(5):
        house.announce(key, event="started", downloaded=step * MIB, after=1_800.0)
    assert house.totals()[1] == 4 * MIB


def test_the_counters_are_those_of_the_client_and_not_of_the_address(house):
    """A client with IPv4 and IPv6 announces over both with the same counters."""
    house.torrent()
    key = house.member()
    for host in ("10.0.0.1", "2001:db8::1"):
        house.announce(key, host=host, event="started")
    for host in ("10.0.0.1", "2001:db8::1"):
        house.announce(key, host=host, uploaded=100, after=900.0)
    assert house.totals()[0] == 100


def test_a_hybrid_that_is_announced_under_both_hashes_counts_once(house):
    house.torrent(b"1" * 20, b"2" * 20)
    key = house.member()
    for counter, event in ((0, "started"), (70, ""), (90, "completed")):
        for info_hash in (b"1" * 20, b"2" * 20):
            left = 0 if event == "completed" else 9
            house.announce(key, info_hash=info_hash, downloaded=counter, left=left, event=event, after=10.0)
    assert house.totals()[1] == 90
    assert house.record().finished == 1
    assert torrents.show(house.connection, b"2" * 20).finished == 1


def test_two_torrents_and_two_clients_are_apart(house):
    house.torrent()
    house.torrent(b"i" * 20)
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, info_hash=b"i" * 20, event="started")
    house.announce(key, peer_id=b"-TR4000-bbbbbbbbbbbb", port=6_882, event="started")
    house.announce(key, uploaded=1, after=1_800.0)
    house.announce(key, info_hash=b"i" * 20, uploaded=10)
    house.announce(key, peer_id=b"-TR4000-bbbbbbbbbbbb", port=6_882, uploaded=100)
    assert house.totals()[0] == 111


def finish(house, key, **fields):
    return house.announce(key, left=0, event="completed", after=1_800.0, **fields)


def test_completed_counts_once_and_only_for_who_had_something_left(house):
    house.torrent()
    key, other = house.member(), house.member("bob")
    house.announce(key, event="started")
    finish(house, key)
    finish(house, key)
    house.announce(key, event="stopped", left=0)
    house.restart()
    house.announce(key, event="started")  # and again from the beginning
    finish(house, key)
    finish(house, other, peer_id=b"-TR4000-bbbbbbbbbbbb", host="10.0.0.2")  # never seen before
    assert house.record().finished == 1
    assert house.record("bob").finished == 0
    assert torrents.show(house.connection, b"h" * 20).finished == 1


def test_who_had_everything_already_completes_nothing(house):
    house.torrent()
    key = house.member()
    house.announce(key, left=0, event="started")
    finish(house, key)
    assert house.record().finished == 0


def test_completed_with_something_left_does_not_count(house):
    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, left=5, event="completed", after=60.0)
    assert house.record().finished == 0


@pytest.mark.parametrize("whose", ["torrent", "member", "everybody"])
@pytest.mark.parametrize(
    ("promotion", "credited"),
    [(Promotion.FREELEECH, (10, 0)), (Promotion.DOUBLE_UPLOAD, (20, 30))],
)
def test_promotions_until_they_end(house, whose, promotion, credited):
    house.torrent()
    key = house.member()
    until = house.now + 3_600.0
    match whose:
        case "torrent":
            torrents.promote(house.connection, b"h" * 20, promotion, until=until)
        case "member":
            members.promote(house.connection, "ann", promotion, until=until)
        case _:
            members.promote_all(house.connection, promotion, until=until)
    house.notice()
    house.announce(key, event="started")
    house.announce(key, uploaded=10, downloaded=30, after=3_599.0)
    assert house.totals() == (*credited, 10, 30)
    house.announce(key, uploaded=10, downloaded=30, after=2.0)
    house.announce(key, uploaded=11, downloaded=31, after=60.0)
    assert house.totals() == (credited[0] + 1, credited[1] + 1, 11, 31)


def test_a_promotion_that_was_taken_away_ends_and_one_without_end_does_not(house):
    house.torrent()
    key = house.member()
    members.promote_all(house.connection, Promotion.FREELEECH, until=math.inf)
    house.restart()
    house.announce(key, event="started")
    house.announce(key, downloaded=10, after=86_000.0)
    assert house.totals()[1] == 0
    members.promote_all(house.connection, Promotion.FREELEECH, until=None)
    house.notice()
    house.announce(key, downloaded=15, after=60.0)
    assert house.totals()[1] == 5


def test_the_operators_credit_and_the_servers_increments_do_not_overwrite_one_another(house):
    house.torrent()
    key = house.member(uploaded=1_000)
    house.announce(key, event="started")
    house.announce(key, uploaded=10, after=60.0)
    members.credit(house.connection, "ann", uploaded=500, downloaded=-10)
    house.notice()
    assert house.totals() == (1_510, 0, 10, 0)
    house.announce(key, uploaded=15, after=60.0)
    record = house.record()
    assert (record.uploaded, record.downloaded, record.actual_uploaded) == (1_515, 0, 15)
    assert house.totals() == (1_515, 0, 15, 0)


def test_a_change_is_seen_with_a_batch_on_its_way(house):
    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=10, after=60.0)
    assert house.ledger.take_batch(house.now) is not None  # and not written
    house.announce(key, uploaded=13, after=60.0)
    members.credit(house.connection, "ann", uploaded=100)
    house.notice()
    assert house.totals()[0] == 113


def test_a_batch_that_is_tried_twice_counts_once(house):
    from tracker.private.batch import write

    house.torrent()
    key = house.member()
    house.announce(key, event="started")
    house.announce(key, uploaded=10, after=60.0)
    batch = house.ledger.take_batch(house.now)
    write(house.connection, batch)
    write(house.connection, batch)
    house.ledger.on_written()
    assert house.record().uploaded == 10


def test_totals_end_at_what_the_file_holds(house):
    house.torrent()
    key = house.member(uploaded=MAX_TOTAL - 5)
    house.announce(key, event="started")
    house.announce(key, uploaded=100, after=60.0)
    assert house.record().uploaded == MAX_TOTAL


def test_more_changes_than_are_kept_are_told_from_none(house):
    house.member()
    known = house.last_change
    house.member("bob")
    house.connection.execute("DELETE FROM changes WHERE id <= ?", (known,))
    assert read_changes(house.connection, known, house.now) is not None
    assert read_changes(house.connection, known - 1, house.now) is None
    assert read_changes(house.connection, house.last_change + 1, house.now) is None


@given(st.none() | st.tuples(COUNTER, COUNTER), COUNTER, COUNTER, st.floats(-1e6, 1e6))
def test_no_rise_is_negative_and_none_is_more_than_the_counter(before, uploaded, downloaded, elapsed):
    place = None
    if before is not None:
        place = Place(0, "", (), before[0], before[1], 0, resting=False, seen=0.0)
    found = rise(place, uploaded, downloaded, elapsed)
    assert 0 <= found.uploaded <= uploaded
    assert 0 <= found.downloaded <= downloaded
    assert found.seconds >= 0


def test_terms_do_not_add_up():
    assert terms(0.0, (5.0, 6.0, None), (5.0, 5.0, 5.0)) == (2, 0)
    assert terms(5.0, (5.0, None), (5.0,)) == (1, 1)


def test_seed_time_is_counted_once_for_two_clients_and_not_over_a_gap():
    place = Place(0, "", (), 0, 0, 0, resting=True, seen=100.0)
    assert seed_seconds(place, 0.0, 400.0, 4_500.0) == 300.0
    assert seed_seconds(place, 350.0, 400.0, 4_500.0) == 50.0
    assert seed_seconds(place, 0.0, 100.0 + 4_501.0, 4_500.0) == 0.0
    assert seed_seconds(place, 0.0, 50.0, 4_500.0) == 0.0
    assert seed_seconds(None, 0.0, 50.0, 4_500.0) == 0.0


# -- against a plain model


class Model:
    """The rule in the plainest words: a base for each client, and one pair of totals. Copied when written."""

    def __init__(self):
        self.bases = {}
        self.totals = Totals()

    def announce(self, client, uploaded, downloaded, stops):
        base = self.bases.pop(client, None)
        if base is not None and uploaded >= base[0] and downloaded >= base[1]:
            self.totals.uploaded += uploaded - base[0]
            self.totals.downloaded += downloaded - base[1]
        if not stops:
            self.bases[client] = (uploaded, downloaded)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(0, 2), st.integers(0, 9 * MIB), st.integers(0, 9 * MIB)),
        st.tuples(st.sampled_from(["announce", "start", "stop", "reset"]), st.integers(0, 2)),
        st.tuples(st.sampled_from(["flush", "restart", "crash"])),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_totals_follow_the_model_over_restarts_of_either_side(house_context, actions):
    with house_context(PrivateRules()) as house:
        house.torrent()
        key = house.member()
        counters = {client: [0, 0] for client in range(3)}
        moved = [0, 0]
        model, written = Model(), Model()
        for action, *facts in actions:
            if action in ("flush", "restart"):
                written = copy.deepcopy(model)
            match action:
                case "move":
                    client, up, down = facts
                    counters[client][0] += up
                    counters[client][1] += down
                    moved[0] += up
                    moved[1] += down
                case "reset":
                    counters[facts[0]] = [0, 0]
                case "flush":
                    house.flush()
                case "restart":
                    house.restart()
                case "crash":
                    house.crash()
                    model = copy.deepcopy(written)
                case _:
                    client = facts[0]
                    up, down = counters[client]
                    event = {"announce": "", "start": "started", "stop": "stopped"}[action]
                    house.announce(
                        key,
                        peer_id=b"-TR4000-aaaaaaaaaaa%d" % client,
                        port=6_881 + client,
                        uploaded=up,
                        downloaded=down,
                        event=event,
                        after=60.0,
                    )
                    model.announce(client, up, down, action == "stop")
            expected = (model.totals.uploaded, model.totals.downloaded)
            assert house.totals() == (*expected, *expected)
            assert 0 <= expected[0] <= moved[0]
            assert 0 <= expected[1] <= moved[1]
        record = house.record()
        assert (record.uploaded, record.downloaded) == (model.totals.uploaded, model.totals.downloaded)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["announce", "flush", "crash", "restart"]), max_size=20))
def test_a_client_that_goes_on_loses_nothing_by_crashes_of_the_tracker(house_context, actions):
    with house_context() as house:
        house.torrent()
        key = house.member()
        house.announce(key, event="started")
        house.flush()
        sent = 0
        for action in actions:
            match action:
                case "announce":
                    sent += MIB
                    house.announce(key, uploaded=sent, after=60.0)
                case "flush":
                    house.flush()
                case "crash":
                    house.crash()
                case _:
                    house.restart()
        house.announce(key, uploaded=sent, event="stopped", after=60.0)
        assert house.totals()[0] == sent
