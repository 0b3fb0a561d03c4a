"""The contract of tracker.store.Store, run on every form of it."""

from __future__ import annotations

import random
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec.announce import ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.memory_store import MemoryStore
from tracker.store import Role, Totals

HASHES = [bytes([n]) * 20 for n in range(3)]
HASH = HASHES[0]
ID = b"-ST0100-abcdefghijkl"


@pytest.fixture(params=[MemoryStore], ids=["memory"])
def make_store(request):
    return request.param


@pytest.fixture
def store(make_store):
    return make_store(max_torrents=100, max_peers=10_000)


def v4(n):
    return Address(f"10.0.{n // 256}.{n % 256}", 6881)


def v6(n):
    return Address(f"2001:db8::{n + 1:x}", 6881)


def picked_from(store, asker, role=Role.DOWNLOADER, count=200, seed=0):
    return [each.address for each in store.pick(HASH, asker, role, count, random.Random(seed))]


def test_a_swarm_is_counted_by_role(store):
    for n, role in enumerate([Role.SEEDER, Role.SEEDER, Role.PARTIAL_SEED, Role.DOWNLOADER]):
        store.put(HASH, v4(n), ID, role, 0.0)
    assert store.counts(HASH, v4(9)) == ScrapeEntry(seeders=2, completed=0, leechers=2, downloaders=1)
    assert store.totals() == Totals(torrents=1, peers=4, seeders=2)
    assert store.counts(HASHES[1], v4(9)) == ScrapeEntry(0, 0, 0, 0)


def test_families_are_apart(store):
    store.put(HASH, v4(1), ID, Role.SEEDER, 0.0)
    store.put(HASH, v6(1), ID, Role.DOWNLOADER, 0.0)
    assert picked_from(store, v4(9)) == [v4(1)]
    assert picked_from(store, v6(9)) == [v6(1)]
    assert store.counts(HASH, v4(9)) == ScrapeEntry(1, 0, 0, 0)
    assert store.counts(HASH, v6(9)) == ScrapeEntry(0, 0, 1, 1)
    store.remove(HASH, v6(1))
    assert picked_from(store, v4(9)) == [v4(1)]
    assert store.info_hashes(v4(9), 10) == [HASH]
    assert store.info_hashes(v6(9), 10) == []


def test_who_fetches_nothing_gets_downloaders_only(store):
    for n, role in enumerate([Role.SEEDER, Role.PARTIAL_SEED, Role.DOWNLOADER]):
        store.put(HASH, v4(n), ID, role, 0.0)
    assert picked_from(store, v4(0), Role.SEEDER) == [v4(2)]
    assert picked_from(store, v4(1), Role.PARTIAL_SEED) == [v4(2)]
    assert sorted(picked_from(store, v4(2))) == [v4(0), v4(1)]


def test_a_picked_peer_carries_the_id_it_last_gave(store):
    store.put(HASH, v4(1), ID, Role.SEEDER, 0.0)
    store.put(HASH, v4(1), b"x" * 20, Role.SEEDER, 1.0)
    assert store.pick(HASH, v4(2), Role.DOWNLOADER, 5, random.Random(0)) == [(v4(1), b"x" * 20)]


def test_picking_is_bounded_even_and_never_gives_the_asker(store):
    for n in range(20):
        store.put(HASH, v4(n), ID, Role.SEEDER if n % 2 else Role.DOWNLOADER, 0.0)
    seen = Counter()
    rng = random.Random(7)
    for _ in range(1_900):
        picked = [each.address for each in store.pick(HASH, v4(0), Role.DOWNLOADER, 5, rng)]
        assert len(picked) == len(set(picked)) == 5
        seen.update(picked)
    assert v4(0) not in seen
    assert len(seen) == 19
    assert all(400 < count < 600 for count in seen.values())  # 500 expected, 19 standard deviations of room in all
    assert picked_from(store, v4(0), count=0) == []
    assert picked_from(store, v4(0), count=-1) == []
    assert len(picked_from(store, v4(0), count=10**9)) == 19


def test_the_same_seed_picks_the_same(store):
    for n in range(50):
        store.put(HASH, v4(n), ID, Role.DOWNLOADER, 0.0)
    assert picked_from(store, v4(0), count=10, seed=3) == picked_from(store, v4(0), count=10, seed=3)


def test_completion_counts_once_a_peer_and_only_who_had_something_left(store):
    store.put(HASH, v4(1), ID, Role.SEEDER, 0.0)
    store.complete(HASH, v4(1))
    assert store.counts(HASH, v4(9)).completed == 0
    store.put(HASH, v4(2), ID, Role.DOWNLOADER, 0.0)
    store.put(HASH, v4(2), ID, Role.SEEDER, 1.0)
    for _ in range(3):
        store.complete(HASH, v4(2))
    store.complete(HASH, v4(3))
    assert store.counts(HASH, v4(9)).completed == 1


def test_an_empty_swarm_is_forgotten_but_not_its_completions(store):
    store.put(HASH, v4(1), ID, Role.DOWNLOADER, 0.0)
    store.put(HASHES[1], v4(1), ID, Role.DOWNLOADER, 0.0)
    store.complete(HASH, v4(1))
    store.remove(HASH, v4(1))
    store.remove(HASHES[1], v4(1))
    store.remove(HASHES[1], v4(1))
    assert store.counts(HASH, v4(9)) == ScrapeEntry(0, 1, 0, 0)
    assert store.totals() == Totals(torrents=1, peers=0, seeders=0)


def test_expiry_takes_the_oldest_and_a_renewed_peer_is_young(store):
    for n in range(10):
        store.put(HASH, v4(n), ID, Role.DOWNLOADER, float(n))
    store.put(HASH, v4(0), ID, Role.SEEDER, 10.0)
    assert store.expire(4.0, 2) == 2
    assert store.expire(4.0, 100) == 1
    assert store.expire(4.0, 100) == 0
    assert sorted(picked_from(store, v4(99))) == sorted(v4(n) for n in (0, 4, 5, 6, 7, 8, 9))
    assert store.expire(11.0, 100) == 7
    assert store.totals() == Totals(0, 0, 0)


def test_a_full_store_refuses_newcomers_and_keeps_the_rest(make_store):
    store = make_store(max_torrents=10, max_peers=2)
    store.put(HASH, v4(1), ID, Role.DOWNLOADER, 0.0)
    store.put(HASH, v4(2), ID, Role.DOWNLOADER, 0.0)
    with pytest.raises(TrackerError) as caught:
        store.put(HASH, v4(3), ID, Role.DOWNLOADER, 0.0)
    assert caught.value.retry_in
    store.put(HASH, v4(1), ID, Role.SEEDER, 1.0)
    store.remove(HASH, v4(2))
    store.put(HASH, v4(3), ID, Role.DOWNLOADER, 1.0)
    assert store.totals().peers == 2


def test_torrents_are_bounded_and_empty_ones_make_room(make_store):
    store = make_store(max_torrents=1, max_peers=10)
    store.put(HASHES[0], v4(1), ID, Role.DOWNLOADER, 0.0)
    with pytest.raises(TrackerError):
        store.put(HASHES[1], v4(1), ID, Role.DOWNLOADER, 0.0)
    store.complete(HASHES[0], v4(1))
    store.remove(HASHES[0], v4(1))
    store.put(HASHES[1], v4(1), ID, Role.DOWNLOADER, 0.0)
    assert store.counts(HASHES[0], v4(1)).completed == 0
    assert store.totals() == Totals(1, 1, 0)


addresses = st.integers(0, 3).map(v4) | st.integers(0, 2).map(v6)
steps = st.lists(
    st.tuples(st.just("put"), st.sampled_from(HASHES), addresses, st.sampled_from(Role))
    | st.tuples(st.sampled_from(["remove", "complete"]), st.sampled_from(HASHES), addresses, st.none())
    | st.tuples(st.just("expire"), st.none(), st.none(), st.integers(1, 6)),
    max_size=60,
)


@given(steps, st.integers(0, 2**32))
@settings(max_examples=150)
def test_any_history_agrees_with_a_naive_store(steps, seed):
    store = MemoryStore(max_torrents=100, max_peers=100)
    naive = {}
    for now, (verb, info_hash, address, argument) in enumerate(steps):
        match verb:
            case "put":
                store.put(info_hash, address, ID, argument, float(now))
                naive.pop((info_hash, address), None)
                naive[info_hash, address] = (argument, now)
            case "remove":
                store.remove(info_hash, address)
                naive.pop((info_hash, address), None)
            case "complete":
                store.complete(info_hash, address)
            case "expire":
                store.expire(float(now - argument), 1_000)
                naive = {key: entry for key, entry in naive.items() if entry[1] >= now - argument}
        assert store.totals()[1:] == (len(naive), sum(role is Role.SEEDER for role, _ in naive.values()))
        for each in HASHES:
            for asker in (v4(0), v6(0)):
                swarm = {
                    peer: role for (h, peer), (role, _) in naive.items() if h == each and peer.is_ipv6 == asker.is_ipv6
                }
                found = store.counts(each, asker)
                assert found.seeders == sum(role is Role.SEEDER for role in swarm.values())
                assert found.downloaders == sum(role is Role.DOWNLOADER for role in swarm.values())
                assert found.seeders + found.leechers == len(swarm)
                picked = [p.address for p in store.pick(each, asker, Role.DOWNLOADER, 100, random.Random(seed))]
                assert sorted(picked) == sorted(peer for peer in swarm if peer != asker)


def count_steps(store, work):
    """Lines of the store's own code run by `work`: a measure of cost that does not depend on the machine."""
    lines = 0
    own = sys.modules[type(store).__module__].__file__

    def trace(frame, event, arg):
        nonlocal lines
        lines += event == "line" and frame.f_code.co_filename == own
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def test_the_cost_of_a_peer_does_not_grow_with_its_swarm(make_store):
    costs = []
    for size in (100, 5_000):
        store = make_store(max_torrents=10, max_peers=10_000)
        for n in range(size):
            store.put(HASH, v4(n), ID, Role.DOWNLOADER, float(n))

        def work(store=store, size=size):
            store.put(HASH, v4(size + 1), ID, Role.DOWNLOADER, float(size))
            store.put(HASH, v4(3), ID, Role.SEEDER, float(size))
            store.remove(HASH, v4(7))
            store.expire(2.0, 100)

        costs.append(count_steps(store, work))
    assert costs[0] == costs[1]
