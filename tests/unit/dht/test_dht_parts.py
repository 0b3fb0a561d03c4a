"""The small parts of a node: tokens, limits, the store, transactions, round trips, acquaintances, the outside view."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.dht import acquaintances, outside, peer_store, rate_limit, round_trips, transactions
from p2p.dht.acquaintances import Acquaintances
from p2p.dht.contact import Contact
from p2p.dht.outside import OutsideView
from p2p.dht.peer_store import PeerStore
from p2p.dht.rate_limit import RateLimit
from p2p.dht.round_trips import RoundTrips
from p2p.dht.token import ROTATION, Tokens
from p2p.dht.transactions import TIMEOUT, Transactions, Waiting
from p2p.ids import Address

SECRET = b"s" * 16
hosts = st.sampled_from(["20.0.0.1", "20.0.0.2", "2001:db8::1"])
times = st.floats(0, 1e9)


@given(hosts, times, st.floats(0, ROTATION))
def test_a_token_counts_for_five_minutes_at_least(host, now, later):
    tokens = Tokens(SECRET)
    assert tokens.accepts(tokens.give(host, now), host, now + later)


@given(hosts, times)
def test_a_token_is_dead_after_ten_minutes(host, now):
    tokens = Tokens(SECRET)
    assert not tokens.accepts(tokens.give(host, now), host, now + 2 * ROTATION)


@given(hosts, hosts, times)
def test_a_token_is_for_one_address(host, other, now):
    tokens = Tokens(SECRET)
    assert tokens.accepts(tokens.give(host, now), other, now) == (host == other)


@given(st.binary(max_size=40), times)
def test_made_up_tokens_do_not_count(token, now):
    assert not Tokens(SECRET).accepts(token, "20.0.0.1", now)
    assert not Tokens(SECRET).accepts(Tokens(b"t" * 16).give("20.0.0.1", now), "20.0.0.1", now)


def test_a_host_is_answered_its_burst_and_then_its_rate():
    limit = RateLimit(host_rate=2.0, host_burst=5.0)
    assert [limit.allow("20.0.0.1", 0.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert limit.allow("20.0.0.2", 0.0)
    assert [limit.allow("20.0.0.1", 1.0) for _ in range(3)] == [True, True, False]


def test_many_hosts_share_what_there_is_in_all():
    limit = RateLimit(total_rate=10.0, total_burst=20.0)
    assert sum(limit.allow(f"20.0.{number >> 8}.{number & 255}", 0.0) for number in range(2_000)) == 20
    assert sum(limit.allow(f"20.1.{number >> 8}.{number & 255}", 1.0) for number in range(2_000)) == 10


def test_a_flood_of_hosts_is_forgotten_again():
    limit = RateLimit()
    for number in range(rate_limit.MAX_HOSTS + 500):
        limit.allow(f"20.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert len(limit._hosts) == rate_limit.MAX_HOSTS


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 2)), max_size=200))
def test_no_limit_is_ever_passed(steps):
    limit = RateLimit(host_rate=5.0, host_burst=10.0, total_rate=8.0, total_burst=15.0)
    now, allowed = 0.0, []
    for who, later in steps:
        now += later / 20
        if limit.allow(f"20.0.0.{who}", now):
            allowed.append(who)
    assert len(allowed) <= 15 + 8.0 * now
    assert all(allowed.count(who) <= 10 + 5.0 * now for who in range(4))


def hashes(number):
    return number.to_bytes(20, "big")


def test_an_announce_counts_for_half_an_hour_from_its_last_time():
    store = PeerStore(random.Random(1))
    peer, other = Address("20.0.0.1", 1), Address("20.0.0.2", 2)
    store.announce(hashes(1), peer, 0.0)
    store.announce(hashes(1), other, 100.0)
    store.announce(hashes(1), peer, 1_000.0)
    assert store.sample(hashes(1), 9, peer_store.LIFE + 99.0) == [other, peer]
    assert store.sample(hashes(1), 9, peer_store.LIFE + 100.0) == [peer]
    assert store.sample(hashes(1), 9, peer_store.LIFE + 1_000.0) == []
    assert (len(store), store.hash_count) == (0, 0)


def test_a_sample_is_by_chance_and_of_what_was_announced():
    store = PeerStore(random.Random(1))
    peers = [Address(f"20.0.0.{number}", 1) for number in range(100)]
    for peer in peers:
        store.announce(hashes(1), peer, 0.0)
    drawn = [store.sample(hashes(1), 10, 1.0) for _ in range(100)]
    assert all(len(set(sample)) == 10 and set(sample) <= set(peers) for sample in drawn)
    assert {peer for sample in drawn for peer in sample} == set(peers)
    assert store.sample(hashes(2), 10, 1.0) == []


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(1, 9), st.floats(0, 300)), max_size=150),
)
def test_no_bound_of_the_store_is_passed_and_its_order_is_that_of_time(steps):
    bounds = {"MAX_PER_HASH": 5, "MAX_PER_HOST": 6, "MAX_ENTRIES": 12}
    kept = {name: getattr(peer_store, name) for name in bounds}
    try:
        for name, value in bounds.items():
            setattr(peer_store, name, value)
        store, now = PeerStore(random.Random(1)), 0.0
        for which, host, port, later in steps:
            now += later
            newest = Address(f"20.0.0.{host}", port)
            store.announce(hashes(which), newest, now)
            assert newest in store.sample(hashes(which), 99, now)
            entries = [(found, peer) for found, _ in store.counts(99) for peer in store.sample(found, 99, now)]
            assert len(entries) == len(store) <= 12
            assert len(store.counts(99)) == store.hash_count
            for number in range(7):
                assert sum(found == hashes(number) for found, _ in entries) <= 5
            for number in range(4):
                assert sum(peer.host == f"20.0.0.{number}" for _, peer in entries) <= 6
            assert list(store._order.values()) == sorted(store._order.values())
    finally:
        for name, value in kept.items():
            setattr(peer_store, name, value)


def waiting(number, sent=0.0):
    return Waiting(Address("20.0.0.1", number), None, sent)


def test_an_answer_counts_once_and_from_the_address_that_was_asked():
    pending = Transactions(SECRET)
    asked = waiting(1)
    transaction = pending.add(asked)
    assert pending.take(transaction, Address("20.0.0.1", 2)) is None
    assert pending.take(transaction, Address("20.0.0.2", 1)) is None
    assert pending.take(b"nope", asked.address) is None
    assert pending.take(transaction, asked.address) is asked
    assert pending.take(transaction, asked.address) is None
    assert asked.over


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_what_is_due_by_the_timer_has_failed_at_that_time(moments):
    pending = Transactions(SECRET)
    for number, sent in enumerate(sorted(moments)):
        pending.add(waiting(number + 1, sent))
    while (due := pending.next_timer) is not None:
        failed = pending.expired(due)
        assert failed
        assert all(due - each.sent >= TIMEOUT * (1 - 1e-9) for each in failed)
        assert pending.next_timer is None or pending.next_timer > due


def test_transaction_ids_are_all_different_and_follow_from_the_secret_alone():
    one, other, third = Transactions(SECRET), Transactions(SECRET), Transactions(b"t" * 16)
    drawn = [one.add(waiting(1)) for _ in range(500)]
    assert len(set(drawn)) == 500
    assert drawn == [other.add(waiting(1)) for _ in range(500)]
    assert not set(drawn) & {third.add(waiting(1)) for _ in range(500)}
    assert all(len(each) == transactions.TRANSACTION_SIZE for each in drawn)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=100))
def test_a_stall_is_never_sooner_or_later_than_its_bounds(rtts):
    trips = RoundTrips()
    assert trips.stall_after == round_trips.FIRST_STALL
    for rtt in rtts:
        trips.observe(rtt)
        assert round_trips.MIN_STALL <= trips.stall_after <= round_trips.MAX_STALL


def test_a_stall_follows_what_answers_take():
    trips = RoundTrips()
    for _ in range(50):
        trips.observe(0.1)
    assert 0.1 <= trips.stall_after < 0.15
    for _ in range(50):
        trips.observe(0.001)
    assert trips.stall_after == round_trips.MIN_STALL


def answered(number, now):
    contact = Contact(hashes(number), Address("10.0.0.1", number))
    contact.last_response = now
    return contact


def test_who_answered_lately_is_known_and_the_nearest_come_first():
    known = Acquaintances()
    for number in (9, 4, 1, 30):
        known.on_answer(answered(number, 0.0))
    assert [each.long_id for each in known.nearest(hashes(0), 3, 1.0)] == [1, 4, 9]
    assert known.nearest(hashes(0), 3, acquaintances.KNOWN_FOR) == []


def test_who_is_silent_is_known_no_more_until_it_answers():
    known = Acquaintances()
    contact = answered(1, 0.0)
    known.on_answer(contact)
    known.on_silence(contact, contact.address, until=10.0)
    assert known.is_silent(contact.address, 9.0)
    assert not known.is_silent(contact.address, 10.0)
    assert known.nearest(hashes(0), 3, 1.0) == []
    known.on_answer(contact)
    assert not known.is_silent(contact.address, 1.0)


def test_acquaintances_are_bounded():
    known = Acquaintances()
    for number in range(1, 3_000):
        known.on_answer(answered(number, 0.0))
        known.on_silence(None, Address("10.0.0.2", number), 10.0)
    assert len(known._known) == acquaintances.MAX_KNOWN
    assert len(known._silent) == acquaintances.MAX_SILENT


def voter(number):
    return Address(f"20.0.{number}.1", 1)


def test_our_address_is_what_enough_networks_agree_on():
    view = OutsideView()
    us, liar = Address("30.0.0.1", 5), Address("40.0.0.1", 5)
    for port in range(1, 200):
        assert not view.vote(Address("20.0.0.77", port), liar)  # one host, many voices
    assert not any(view.vote(voter(number), us) for number in range(1, outside.VOTES))
    assert view.host is None
    assert view.vote(voter(outside.VOTES), us)
    assert view.host == "30.0.0.1"
    assert not view.vote(voter(50), us)  # known by now


def test_a_new_address_needs_more_voices_than_the_old():
    view = OutsideView()
    us, moved = Address("30.0.0.1", 5), Address("30.0.0.2", 5)
    for number in range(20):
        view.vote(voter(number), us)
    assert not any(view.vote(voter(100 + number), moved) for number in range(20))
    assert view.vote(voter(0), moved)
    assert view.host == "30.0.0.2"


def test_voices_are_bounded_and_the_oldest_are_forgotten():
    view = OutsideView()
    for number in range(outside.MAX_VOTES * 3):
        view.vote(voter(number), Address(f"31.0.0.{number}", 5))
    assert len(view._votes) == outside.MAX_VOTES


def test_votes_of_and_for_local_addresses_do_not_count():
    view = OutsideView()
    for number in range(20):
        assert not view.vote(voter(number), Address("10.0.0.1", 5))
        assert not view.vote(Address(f"10.0.{number}.1", 5), Address("30.0.0.1", 5))
        assert not view.vote(voter(number), Address("2001:db8::1", 5))
    assert view.host is None


def test_one_in_ten_answers_comes_after_a_search_has_gone_on():
    """Round trips as on the Internet: a median of 90 ms, one in twenty above 240."""
    rng = random.Random(7)
    trips = RoundTrips()
    late = 0
    for number in range(4_000):
        rtt = 0.09 * rng.lognormvariate(0.0, 0.6)
        late += number > 50 and rtt > trips.stall_after
        trips.observe(rtt)
    assert 0.05 < late / 3_950 < 0.15
