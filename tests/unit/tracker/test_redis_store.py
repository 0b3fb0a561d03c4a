"""Stores that tell each other by way of a Redis: without one, batch by batch, so that every order can be tried."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tracker.figures import Traffic
from tracker.memory_store import MemoryStore
from tracker.redis_clock import RedisClock
from tracker.redis_format import (
    MAX_CHANGES,
    Change,
    Keys,
    Total,
    pack_entry,
    pack_value,
    read_entry,
    read_total,
    read_value,
)
from tracker.redis_siblings import RedisSiblings
from tracker.redis_store import RedisStore
from tracker.store import OWED, Family, Role

KEYS = Keys("starling")
HASH = b"\x01" * 20
ID = b"a" * 20
IPV4, IPV6 = Family.IPV4, Family.IPV6

hashes = st.sampled_from([HASH, b"\x02" * 20])
peers = st.integers(0, 3).map(lambda n: bytes([10, 0, 0, n, 26, 225])) | st.just(bytes(15) + b"\x01\x1a\xe1")
marks = st.sampled_from([role | debt for role in Role for debt in (0, OWED)])
details = st.tuples(st.binary(min_size=20, max_size=20), marks).map(lambda pair: pair[0] + bytes([pair[1]]))
times = st.integers(0, 2**47).map(lambda n: n / 1000)


@given(st.binary(min_size=20, max_size=20), st.sampled_from(Family))
def test_a_key_tells_its_swarm(info_hash, family):
    assert KEYS.read_swarm(KEYS.swarm(info_hash, family)) == (info_hash, family)


@given(st.binary(max_size=90))
def test_any_key_is_a_swarm_or_refused(name):
    for key in (name, b"starling:1:swarm:4:" + name):
        try:
            swarm = KEYS.read_swarm(key)
        except ValueError:
            continue
        assert KEYS.swarm(*swarm) == key


@given(details, times)
def test_a_value_tells_its_peer(detail, seen):
    assert read_value(pack_value(detail, seen)) == (detail, pytest.approx(seen, abs=0.001))


@given(st.binary(max_size=40))
def test_any_value_is_a_peer_or_refused(value):
    try:
        detail, seen = read_value(value)
    except ValueError:
        return
    assert pack_value(detail, seen) == value


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"1.0", b" 1", b"1e3", b"nan", b"9" * 5_000, b"2147483648", "٣".encode()]
)
def test_counts_that_cannot_be_are_refused(value):
    with pytest.raises(ValueError):
        read_total(value)
    assert read_total(b"2147483647") == 2**31 - 1


@given(st.lists(st.builds(Change, hashes, peers, st.none() | details, times), max_size=9), st.integers(0, 10**17))
def test_an_entry_tells_its_changes(changes, number):
    totals = [Total(HASH, IPV6, 5)]
    entry = read_entry(
        {
            name: str(value).encode() if isinstance(value, int) else value
            for name, value in pack_entry(b"somebody", number, changes, totals).items()
        }
    )
    assert (entry.writer, entry.number, entry.totals, entry.refused) == (b"somebody", number, totals, 0)
    assert sorted(entry.changes, key=repr) == sorted(changes, key=repr)


@given(st.dictionaries(st.sampled_from([b"by", b"n", b"4", b"6", b"c", b"x"]), st.binary(max_size=200)))
@settings(max_examples=300)
def test_any_entry_is_read_or_refused(fields):
    for also in ({}, {b"by": b"somebody", b"n": b"1"}):
        try:
            entry = read_entry(fields | also)
        except ValueError:
            continue
        assert len(entry.changes) <= 2 * MAX_CHANGES
        for change in entry.changes:
            assert change.peer[-2:] != b"\0\0"
            assert change.detail is None or change.detail[20] & 3 in tuple(Role)


def test_a_clock_keeps_its_difference_until_it_cannot_be_true():
    clock = RedisClock()
    clock.on_time(10.0, 10.5, 1_000.25)
    assert clock.there(10.0) == 1_000.0
    clock.on_time(20.0, 20.1, 1_010.1)
    assert clock.there(10.0) == 1_000.0  # within the time of the way
    clock.on_time(30.0, 30.1, 5_000.05)
    assert clock.there(30.0) == 5_000.0
    assert clock.here(5_000.0) == 30.0


def make_store(now, max_unsent=1_000):
    memory = MemoryStore(max_torrents=100, max_peers=100)
    return RedisStore(memory, clock=lambda: now[0], rng=random.Random(1), max_unsent=max_unsent)


def test_a_word_that_is_late_is_answered_with_what_is_known():
    now = [100.0]
    store = make_store(now)
    peer = bytes([10, 0, 0, 1, 26, 225])
    store.announce(HASH, peer, ID, Role.SEEDER, 0, 100.0, random.Random(1))
    store.take_unsent(10)
    store.on_change(HASH, peer, b"b" * 20 + b"\x04", 50.0)
    store.on_change(HASH, peer, None, 60.0)
    assert store.take_unsent(10).peers == {(HASH, peer): (ID + b"\x02", 100.0)}


def test_who_stopped_here_does_not_come_back_by_an_older_word():
    now = [100.0]
    store = make_store(now)
    peer = bytes([10, 0, 0, 1, 26, 225])
    store.remove(HASH, peer)
    store.on_change(HASH, peer, ID + b"\x04", 99.0)
    store.on_page(HASH, {peer: (ID + b"\x04", 99.0)})
    assert store.totals().peers == 0
    store.on_change(HASH, peer, ID + b"\x04", 101.0)
    assert store.totals().peers == 1
    assert store.take_unsent(10).peers == {}


def test_what_finds_no_room_is_forgotten_and_said_to_be():
    store = make_store([0.0], max_unsent=10)
    for n in range(11):
        store.announce(HASH, bytes([10, 0, 0, n, 26, 225]), ID, Role.SEEDER, 0, 0.0, random.Random(1))
    assert store.dropped
    assert store.unsent == 1


def test_what_was_given_back_is_sent_again_unless_something_newer_is():
    now = [100.0]
    store = make_store(now)
    one, other = (bytes([10, 0, 0, n, 26, 225]) for n in (1, 2))
    store.announce(HASH, one, ID, Role.SEEDER, 0, 100.0, random.Random(1))
    store.remove(HASH, other)
    unsent = store.take_unsent(10)
    now[0] = 200.0
    store.remove(HASH, one)
    store.give_back(unsent)
    assert store.take_unsent(10).peers == {(HASH, one): (None, 200.0), (HASH, other): (None, 100.0)}


def test_processes_beside_one_another_know_the_same_while_redis_is_down_and_say_nothing_more_when_it_is_up():
    now, is_up = [100.0], [True]
    stores = [make_store(now) for _ in range(2)]
    one, other = (RedisSiblings(n, store, lambda: is_up[0]) for n, store in enumerate(stores))
    peers = [bytes([10, 0, n // 256, n % 256, 26, 225]) for n in range(90)]
    for peer in peers[:2]:
        stores[0].announce(HASH, peer, ID, Role.SEEDER, 0, 100.0, random.Random(1))
    assert one.messages() == other.messages() == []
    is_up[0] = False
    (first,) = one.messages()  # what Redis had not been told is told first
    other.receive(first.content)
    assert stores[1].counts(HASH, Family.IPV4).seeders == 2
    for peer in peers[2:]:
        stores[0].announce(HASH, peer, ID, Role.DOWNLOADER, 0, 100.0, random.Random(1))
    now[0] = 200.0
    stores[0].remove(HASH, peers[5])
    for message in one.messages():
        other.receive(message.content)
    assert stores[1].counts(HASH, Family.IPV4) == (2, 0, 87, 87)
    assert stores[1].unsent == 0  # the first has them for Redis
    other.receive(b"rubbish")
    is_up[0] = True
    assert one.messages() == []
    stores[0].announce(HASH, peers[5], ID, Role.SEEDER, 0, 200.0, random.Random(1))
    assert one.messages() == []
    one.on_traffic(Traffic(udp_announces=7))
    (message,) = one.messages()
    other.receive(message.content)
    assert other.traffic_elsewhere == [Traffic(udp_announces=7)]


class SharingMachine(RuleBasedStateMachine):
    """Three processes, each cut off and joined again at any time; once all is said, all know the same."""

    def __init__(self):
        super().__init__()
        self.now = [1_000.0]
        self.stores = [make_store(self.now) for _ in range(3)]
        self.stream = []
        self.read = [0, 0, 0]
        self.rng = random.Random(3)
        self.is_up = [True]
        self.siblings = [RedisSiblings(n, store, lambda: self.is_up[0]) for n, store in enumerate(self.stores)]

    who = st.integers(0, 2)

    @rule(who=who, info_hash=hashes, peer=peers, role=st.sampled_from(Role), peer_id=st.sampled_from([ID, b"b" * 20]))
    def announce(self, who, info_hash, peer, role, peer_id):
        self.now[0] += 1.0  # a peer says one thing at a time
        self.stores[who].announce(info_hash, peer, peer_id, role, 0, self.now[0], self.rng, 5.0)

    @rule(who=who, info_hash=hashes, peer=peers)
    def stop(self, who, info_hash, peer):
        self.now[0] += 1.0
        self.stores[who].remove(info_hash, peer)

    @rule(who=who)
    def send(self, who):
        unsent = self.stores[who].take_unsent(MAX_CHANGES)
        self.stream.append([Change(*key, *told) for key, told in unsent.peers.items()])

    @rule(who=who)
    def follow(self, who):
        for changes in self.stream[self.read[who] :]:
            for change in changes:
                self.stores[who].on_change(*change)
        self.read[who] = len(self.stream)

    @rule(is_up=st.booleans())
    def change(self, is_up):
        """Whether they take Redis for down, and then tell one another beside it."""
        self.is_up[0] = is_up

    @rule(who=who)
    def tell(self, who):
        for message in self.siblings[who].messages():
            for other in range(3):
                if other != who:
                    self.siblings[other].receive(message.content)

    def teardown(self):
        for _ in range(8):
            for who in range(3):
                self.send(who)
                self.follow(who)
        for who in range(3):
            self.follow(who)
        assert not any(store.unsent for store in self.stores)
        known = [self.known(store) for store in self.stores]
        assert known[0] == known[1] == known[2]

    def known(self, store):
        found = {}
        for info_hash, family, _, its, column, _ in store.records():
            for n in range(len(its) // family):
                found[info_hash, its[n * family : n * family + family]] = (
                    column[21 * n : 21 * n + 20],
                    column[21 * n + 20] & 3,
                )
        return found


TestSharing = SharingMachine.TestCase
TestSharing.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
