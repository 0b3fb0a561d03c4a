"""Processes that share swarms, without processes: several shared stores and the messages between them, kept or lost."""

from __future__ import annotations

import marshal
import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.figures import Traffic
from tracker.shared_store import ENTRIES, OTHERS, Kind, Knowledge, SharedStore
from tracker.store import Family, Role

DOWNLOADER, PARTIAL_SEED, SEEDER = Role
HASHES = [bytes([n]) * 20 for n in range(4)]
LIFETIME = 1_000.0


def v4(n):
    return bytes([10, 0, n >> 8, n & 255, 26, 225])


class Processes:
    """`count` stores, and queues of messages for each; `loss` is the chance that one gets lost."""

    def __init__(self, count, loss=0.0):
        self.now = 0.0
        self.loss = loss
        self.rng = random.Random(1)
        self.stores = [self.new(n, count, Knowledge.NOTHING if n else Knowledge.ALL) for n in range(count)]
        self.queues = [deque() for _ in range(count)]

    def new(self, number, count, knowledge):
        bounds = {"max_torrents": 1_000, "max_peers": 100_000, "knowledge": knowledge}
        return SharedStore(number, count, **bounds, clock=lambda: self.now, rng=random.Random(number))

    def __getitem__(self, number):
        return self.stores[number]

    def announce(self, at, info_hash, peer, role=DOWNLOADER, want=50, peer_id=bytes(20)):
        answer = self.stores[at].announce(info_hash, peer, peer_id, role, want, self.now, self.rng)
        return {bytes(answer.peers[n : n + len(peer)]) for n in range(0, len(answer.peers), len(peer))}

    def send(self, number):
        for to, content in self.stores[number].messages():
            assert len(content) < 100_000
            for other in range(len(self.stores)) if to is OTHERS else [to]:
                if other != number and self.rng.random() >= self.loss:
                    self.queues[other].append(content)

    def deliver(self, number):
        while self.queues[number]:
            self.stores[number].receive(self.queues[number].popleft())

    def settle(self, rounds=3):
        for _ in range(rounds):
            for number in range(len(self.stores)):
                self.send(number)
            for number in range(len(self.stores)):
                self.deliver(number)

    def contents(self, number):
        store = self.stores[number]
        found = {}
        for record in store.records():
            for n in range(len(record.seen)):
                peer = record.peers[n * record.family : (n + 1) * record.family]
                detail = record.details[n * 21 : n * 21 + 21]
                found[record.info_hash, peer] = detail[:20], detail[20] & 7
            found[record.info_hash, record.family] = record.completed
        return found

    def restart(self, number):
        self.queues[number].clear()
        self.stores[number] = self.new(number, len(self.stores), Knowledge.NOTHING)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_peer_announced_at_one_is_given_out_by_all(count):
    processes = Processes(count)
    for at in range(count):
        for info_hash in HASHES:
            processes.announce(at, info_hash, v4(at))
    processes.settle(1)
    for at in range(count):
        assert processes.announce(at, HASHES[at % 4], v4(99)) == {v4(n) for n in range(count)}
    assert all(store.totals().peers >= 4 * count for store in processes.stores)


def test_roles_completions_and_stops_reach_all():
    processes = Processes(2)
    processes.announce(0, HASHES[0], v4(1))
    processes.announce(0, HASHES[1], v4(1))
    processes.settle()
    processes[1].complete(HASHES[0], v4(1))
    processes.announce(1, HASHES[0], v4(1), SEEDER)
    processes[1].remove(HASHES[1], v4(1))
    processes.settle()
    assert processes.contents(0) == processes.contents(1)
    assert processes[0].counts(HASHES[0], Family.IPV4) == (1, 1, 0, 0)
    assert processes[0].counts(HASHES[1], Family.IPV4) == (0, 0, 0, 0)


def test_a_renewal_is_told_to_nobody_by_the_owner_and_to_the_owner_by_others():
    processes = Processes(3)
    processes.announce(0, HASHES[0], v4(1))
    for processes.now in (0.0, 1.0, 2.0, 3.0):
        processes.settle()
    processes.now = 10.0
    processes.announce(0, HASHES[0], v4(1))
    counts_only = processes[0].messages()
    processes.announce(1, HASHES[0], v4(1))
    renewal = processes[1].messages()
    assert {marshal.loads(content)[1] for _, content in counts_only} == {Kind.COUNTS}
    assert [(to, marshal.loads(content)[1]) for to, content in renewal] == [(0, Kind.RENEWALS), (0, Kind.HELD)]


def test_only_the_owner_lets_a_peer_expire_and_it_knows_of_renewals_elsewhere():
    processes = Processes(2)
    processes.announce(0, HASHES[0], v4(1))
    processes.announce(0, HASHES[0], v4(2))
    processes.settle()
    processes.now = 10.0
    processes.announce(1, HASHES[0], v4(2))
    processes.settle()
    assert processes[1].expire(5.0, 10_000)
    assert processes[1].totals().peers == 2
    assert processes[0].expire(5.0, 10_000)
    processes.settle()
    assert processes[0].totals().peers == processes[1].totals().peers == 1
    assert processes.announce(1, HASHES[0], v4(9)) == {v4(2)}


def test_who_starts_anew_is_given_everything_and_lets_nobody_expire_early():
    processes = Processes(3)
    for n in range(3 * ENTRIES + 7):
        processes.announce(n % 3, HASHES[n % 4 if n < 100 else 1], v4(n), Role(n % 3))
    processes[0].complete(HASHES[0], v4(0))
    processes.settle()
    before = processes.contents(1)
    assert len(before) > 1_000
    processes.now = 5_000.0
    processes.restart(1)
    assert processes[1].totals().peers == 0
    processes.settle()
    assert processes.contents(1) == before == processes.contents(0)
    assert processes[1].expire(processes.now - LIFETIME, 1_000_000)
    processes.settle()
    own = {key: entry for key, entry in before.items() if key[0][0] % 3 == 1}
    assert {key: entry for key, entry in processes.contents(1).items() if key[0][0] % 3 == 1} == own


def test_a_process_that_was_told_wrong_is_set_right():
    processes = Processes(2, loss=0.3)
    rng = random.Random(5)
    for turn in range(200):
        peer, info_hash, at = v4(rng.randrange(30)), rng.choice(HASHES), rng.randrange(2)
        if rng.random() < 0.3:
            processes[at].remove(info_hash, peer)
        else:
            processes.announce(at, info_hash, peer, rng.choice(list(Role)))
        if turn % 5 == 0:
            processes.settle(1)
    assert processes.contents(0) != processes.contents(1)
    processes.loss = 0.0
    for _ in range(4):
        processes.now += 1.0
        processes.settle()
    assert set(processes.contents(0)) == set(processes.contents(1))
    for info_hash in HASHES:
        assert processes[0].counts(info_hash, Family.IPV4) == processes[1].counts(info_hash, Family.IPV4)


@pytest.mark.parametrize("first", [0, 1])
def test_a_stop_is_not_undone_by_older_word_of_the_same_peer(first):
    """The owner answers a wish for a whole swarm just before it hears of a stop, and its answer arrives just after."""
    processes = Processes(2)
    processes.announce(0, HASHES[0], v4(1))
    processes.settle()
    processes[0].receive(processes[1]._message(0, Kind.WANTED, [(HASHES[0], 6)]).content)
    processes[1].remove(HASHES[0], v4(1))
    for number in (first, 1 - first):
        processes.send(number)
        processes.deliver(1 - number)
    for _ in range(4):
        processes.now += 1.0
        processes.settle()
    assert processes[0].totals().peers == processes[1].totals().peers == 0


def test_two_that_start_anew_at_once_learn_from_the_third_and_take_nothing_from_it():
    processes = Processes(3)
    for n in range(40):
        processes.announce(n % 3, HASHES[n % 4], v4(n))
    processes.settle()
    before = processes.contents(2)
    processes.restart(0)
    processes.restart(1)
    for _ in range(6):
        processes.now += 1.0
        processes.settle()
    assert processes.contents(0) == processes.contents(1) == processes.contents(2) == before


def test_when_all_start_anew_they_go_on_with_what_they_are_told():
    processes = Processes(3)
    processes.settle()
    for n in range(3):
        processes.restart(n)
    processes.announce(1, HASHES[0], v4(1))
    for _ in range(10):
        processes.now += 1.0
        processes.settle()
    processes.announce(2, HASHES[1], v4(2))
    processes.settle()
    assert processes.contents(0) == processes.contents(1) == processes.contents(2)
    assert processes[0].totals().peers == 2


steps = st.lists(
    st.tuples(
        st.sampled_from(["announce", "remove", "complete", "settle", "restart"]),
        st.integers(0, 2),
        st.sampled_from(HASHES),
        st.integers(0, 5).map(v4),
        st.sampled_from(Role),
    ),
    max_size=40,
)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_any_history_with_pauses_leaves_all_processes_alike(steps):
    processes = Processes(3)
    processes.settle()
    for verb, at, info_hash, peer, role in steps:
        processes.now += 1.0
        match verb:
            case "announce":
                processes.announce(at, info_hash, peer, role)
            case "remove":
                processes[at].remove(info_hash, peer)
            case "complete":
                processes[at].complete(info_hash, peer)
            case "restart":
                processes.restart(at)
        processes.settle()
    assert processes.contents(0) == processes.contents(1) == processes.contents(2)


def test_who_begins_again_after_completing_counts_again_wherever_it_completes():
    processes = Processes(3)
    processes.settle()
    for at in range(3):
        processes.announce(at, HASHES[0], v4(1))
        processes.settle()
        assert processes[(at + 1) % 3].complete(HASHES[0], v4(1))
        processes.settle()
        assert processes.contents(0) == processes.contents(1) == processes.contents(2)
    assert processes[0].counts(HASHES[0], Family.IPV4).completed == 3


def test_what_others_have_answered_is_known():
    processes = Processes(3)
    processes[1].on_traffic(Traffic(http_announces=4))
    processes[2].on_traffic(Traffic(http_announces=5))
    processes[2].on_traffic(Traffic(http_announces=6))
    processes.settle()
    assert sorted(each.http_announces for each in processes[0].traffic_elsewhere) == [4, 6]


@pytest.mark.parametrize("content", [b"", b"junk", b"\xfb\x03", b"i\x01\x00\x00\x00"])
def test_a_message_that_cannot_be_read_is_dropped(content):
    processes = Processes(2)
    processes[0].receive(content)
    assert processes[0].totals().peers == 0
