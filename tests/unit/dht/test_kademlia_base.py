"""What `kademlia` does that BEP 5 or a bound of ours forbids and ours does not: a fact and its correction each."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kademlia.node import Node, NodeHeap
from kademlia.routing import KBucket, RoutingTable

from p2p.dht.contact import FRESH_FOR, Contact
from p2p.dht.routing_table import Bucket, K, NodeTable
from p2p.dht.shortlist import Shortlist
from p2p.ids import Address

TOP = 2**160 - 1
OWN = bytes(20)
seeds = st.integers(0, 2**32)


def node_id(number):
    return number.to_bytes(20, "big")


def contact(number, *, host="10.0.0.1", now=0.0):
    made = Contact(node_id(number), Address(host, 1 + number % 65_000))
    made.last_response = now
    return made


def filled(rng, count, *, own=OWN):
    """A table of `count` random contacts of local addresses, and all that were offered."""
    table = NodeTable(own, 0.0, widths=())
    offered = [contact(rng.getrandbits(160)) for _ in range(count)]
    for index, each in enumerate(offered):
        each.address = Address("10.0.0.1", index + 1)
        table.add_contact(each, 0.0)
    return table, offered


@settings(max_examples=40)
@given(seeds, st.integers(0, 80))
def test_buckets_cover_every_id_once(seed, count):
    base = RoutingTable(None, K, Node(OWN))
    assert base.buckets[0].range == (0, TOP + 1)  # the fact: one id too many
    table, _ = filled(random.Random(seed), count)
    ranges = [bucket.range for bucket in table.buckets]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == TOP
    assert all(high + 1 == low for (_, high), (low, _) in pairwise(ranges))
    for low, high in ranges:  # each is a prefix
        assert (high - low + 1) & (high - low) == 0
        assert low & (high - low) == 0


@settings(max_examples=40)
@given(seeds)
def test_an_id_at_the_end_of_a_range_belongs_to_that_range(seed):
    base = RoutingTable(None, K, Node(OWN))
    base.split_bucket(0)
    border = Node(node_id(base.buckets[0].range[1]))
    assert base.buckets[0].has_in_range(border)
    assert base.get_bucket_for(border) == 1  # the fact: looked for next door
    table, _ = filled(random.Random(seed), 60)
    for bucket in table.buckets:
        for end in bucket.range:
            assert table.buckets[table.get_bucket_for(Node(node_id(end)))] is bucket


def test_halves_and_flushed_tables_keep_buckets_of_ours():
    class Mine(KBucket):
        pass

    assert all(type(half) is KBucket for half in Mine(0, TOP, K).split())  # the fact
    table, _ = filled(random.Random(1), 60)
    assert {type(bucket) for bucket in table.buckets} == {Bucket}
    table.flush()
    assert {type(bucket) for bucket in table.buckets} == {Bucket}


@settings(max_examples=30)
@given(seeds, st.integers(0, 200))
def test_the_replacement_cache_holds_k(seed, count):
    assert KBucket(0, TOP, K).max_replacement_nodes == 5 * K  # the fact
    table, _ = filled(random.Random(seed), count)
    assert all(len(bucket.replacement_nodes) <= K and len(bucket) <= K for bucket in table.buckets)
    for bucket in table.buckets:  # who waits does so because it is full, and waits only
        assert not bucket.replacement_nodes or len(bucket) == K
        assert not set(bucket.nodes) & set(bucket.replacement_nodes)


@settings(max_examples=30)
@given(seeds, st.integers(9, 200))
def test_only_the_bucket_of_our_own_id_splits(seed, count):
    rng = random.Random(seed)
    own = rng.randbytes(20)
    table, _ = filled(rng, count, own=own)
    widths = [bucket.range[1] - bucket.range[0] + 1 for bucket in table.buckets]
    ours = table.get_bucket_for(Node(own))
    # Every other bucket is the sibling of one that held our id, so there is one a prefix length.
    others = sorted(widths[:ours] + widths[ours + 1 :], reverse=True)
    assert others == [2**159 >> depth for depth in range(len(others))]


def test_a_full_bucket_asks_nobody_by_itself():
    pinged = []
    base = RoutingTable(type("Protocol", (), {"call_ping": lambda _, node: pinged.append(node)})(), 1, Node(OWN))
    base.split_bucket(0)
    base.add_contact(Node(node_id(TOP - 1)))
    base.buckets[1].depth = lambda: 5  # else it splits, though it does not hold our id: another fact
    with pytest.raises((TypeError, RuntimeError)):  # the fact: a ping begins, on whatever loop runs
        base.add_contact(Node(node_id(TOP - 2)))
    assert len(pinged) == 1
    table = NodeTable(OWN, 0.0, widths=())
    for number in range(4 * K):
        table.add_contact(contact(TOP - number), 0.0)
    assert sum(len(bucket) for bucket in table.buckets) == K


@settings(max_examples=60)
@given(seeds, st.integers(0, 150), st.integers(0, 30))
def test_the_nearest_are_exactly_the_nearest(seed, count, k):
    rng = random.Random(seed)
    table, _ = filled(rng, count, own=rng.randbytes(20))
    target = rng.randbytes(20)
    position = int.from_bytes(target, "big")
    everybody = sorted(table.contacts(), key=lambda each: each.long_id ^ position)
    assert table.closest(target, k, 0.0) == everybody[:k]
    assert table.find_neighbors(Node(target), k or K) == everybody[: k or K]


def test_the_base_finds_neighbours_that_are_not_the_nearest():
    wrong = 0
    for seed in range(20):
        rng = random.Random(seed)
        base = RoutingTable(None, K, Node(OWN))
        nodes = [Node(rng.randbytes(20), "10.0.0.1", index + 1) for index in range(60)]
        base.buckets[0].ksize = 1_000
        for each in nodes:
            base.add_contact(each)
        for _ in range(3):
            base.split_bucket(0)
        target = Node(rng.randbytes(20))
        nearest = sorted(nodes, key=target.distance_to)[:K]
        wrong += [each.id for each in base.find_neighbors(target, K)] != [each.id for each in nearest]
    assert wrong  # the fact


def test_find_neighbors_leaves_out_the_node_itself_and_its_home():
    table, offered = filled(random.Random(3), 20)
    asked = table.contacts()[0]
    found = table.find_neighbors(asked, 30, exclude=table.contacts()[1])
    assert asked not in found
    assert table.contacts()[1] not in found
    assert len(found) == len(table.contacts()) - 2
    assert offered


def test_no_clock_is_read(monkeypatch):
    def forbidden():
        raise AssertionError("a clock was read")

    monkeypatch.setattr(time, "monotonic", forbidden)
    with pytest.raises(AssertionError):
        KBucket(0, TOP, K)  # the fact
    table, _ = filled(random.Random(1), 60)
    table.closest(OWN, K, 0.0)
    assert table.lonely_buckets() == []
    assert table.lonely_buckets(FRESH_FOR) == table.buckets
    assert table.lonely_buckets(FRESH_FOR - 1) == []


def test_a_heap_knows_its_members_without_a_search():
    looked_at = []

    class Watched(NodeHeap):
        def __init__(self, node, maxsize):
            super().__init__(node, maxsize)
            self.heap = Entries()

    class Entries(list):
        def __iter__(self):
            for entry in super().__iter__():
                looked_at.append(entry)
                yield entry

    base = Watched(Node(OWN), 2)
    base.heap.extend((number, Node(node_id(number))) for number in range(1, 100))
    assert Node(node_id(99)) in base
    assert len(looked_at) == 99  # the fact
    looked_at.clear()
    shortlist = Shortlist(OWN, 2)
    shortlist.heap = Entries()
    shortlist.push([contact(number) for number in range(1, 100)])
    assert contact(99) in shortlist
    assert looked_at == []


@settings(max_examples=60)
@given(seeds, st.lists(st.tuples(st.sampled_from(["push", "pop", "remove", "trim"]), st.integers(0, 40)), max_size=60))
def test_a_shortlist_is_a_sorted_set(seed, steps):
    rng = random.Random(seed)
    pool = [contact(rng.getrandbits(160)) for _ in range(41)]
    target = rng.randbytes(20)
    shortlist = Shortlist(target, 5)
    model = {}
    position = int.from_bytes(target, "big")

    def order():
        return sorted(model.values(), key=lambda each: each.long_id ^ position)

    for step, which in steps:
        match step:
            case "push":
                shortlist.push([pool[which], pool[which - 1]])
                shortlist.push(pool[which])
                model |= {each.id: each for each in (pool[which], pool[which - 1])}
            case "pop":
                expected = order()[0] if model else None
                assert shortlist.popleft() is expected
                model.pop(expected.id if expected else None, None)
            case "remove":
                shortlist.remove([pool[which].id])
                model.pop(pool[which].id, None)
            case "trim":
                dropped = shortlist.trim(which)
                assert dropped == order()[which:]
                for each in dropped:
                    del model[each.id]
        assert list(shortlist.sorted()) == order()
        assert list(shortlist) == order()[:5]
        assert len(shortlist) == min(len(model), 5)
        assert all((each in shortlist) == (each.id in model) for each in pool)
        assert all(shortlist.get_node(each.id) is model.get(each.id) for each in pool)
