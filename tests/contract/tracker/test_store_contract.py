"""The contract of tracker.store.Store, run on every form of it."""

from __future__ import annotations

import random
import sys
from array import array
from collections import Counter

import pytest

from p2p.codec import compact
from p2p.codec.announce import ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.memory_store import MemoryStore
from tracker.redis_store import RedisStore
from tracker.store import FORGETTING, OWED, Family, Role, SwarmRecord, Totals

HASHES = [bytes([n]) * 20 for n in range(3)]
HASH = HASHES[0]
ID = b"-ST0100-abcdefghijkl"
IPV4, IPV6 = Family.IPV4, Family.IPV6
DOWNLOADER, PARTIAL_SEED, SEEDER = Role


def shared_by_redis(**bounds):
    return RedisStore(MemoryStore(**bounds), clock=lambda: 0.0, rng=random.Random(1))


@pytest.fixture(params=[MemoryStore, shared_by_redis], ids=["memory", "redis"])
def make_store(request):
    return request.param


@pytest.fixture
def store(make_store):
    return make_store(max_torrents=100, max_peers=10_000)


def v4(n):
    return compact.pack(Address(f"10.0.{n // 256}.{n % 256}", 6881))


def v6(n):
    return compact.pack(Address(f"2001:db8::{n + 1:x}", 6881))


def split(peers, family=IPV4):
    assert len(peers) % family == 0
    return [bytes(peers[at : at + family]) for at in range(0, len(peers), family)]


def put(store, peer, role=DOWNLOADER, now=0.0, info_hash=HASH, peer_id=ID, want=0, seed=0):
    answer = store.announce(info_hash, peer, peer_id, role, want, now, random.Random(seed))
    return split(answer.peers, Family(len(peer)))


def test_a_swarm_is_counted_by_role(store):
    for n, role in enumerate([SEEDER, SEEDER, PARTIAL_SEED, DOWNLOADER]):
        put(store, v4(n), role)
    assert store.counts(HASH, IPV4) == ScrapeEntry(seeders=2, completed=0, leechers=2, downloaders=1)
    assert store.totals() == Totals(torrents=1, peers=4, seeders=2)
    assert store.counts(HASHES[1], IPV4) == ScrapeEntry(0, 0, 0, 0)
    answer = store.announce(HASH, v4(1), ID, DOWNLOADER, 0, 1.0, random.Random(0))
    assert answer == (1, 3, 0, b"", 0.0)
    assert store.remove(HASH, v4(0)) == (0, 3, 0, b"", 0.0)
    assert store.totals() == Totals(torrents=1, peers=3, seeders=0)


def test_families_are_apart(store):
    put(store, v4(1), SEEDER)
    put(store, v6(1))
    assert put(store, v4(9), want=5) == [v4(1)]
    assert put(store, v6(9), want=5) == [v6(1)]
    assert store.counts(HASH, IPV4) == ScrapeEntry(1, 0, 1, 1)
    assert store.counts(HASH, IPV6) == ScrapeEntry(0, 0, 2, 2)
    store.remove(HASH, v6(1))
    store.remove(HASH, v6(9))
    assert put(store, v4(9), want=5) == [v4(1)]
    assert store.info_hashes(IPV4, 10) == [HASH]
    assert store.info_hashes(IPV6, 10) == []


def test_who_fetches_nothing_gets_downloaders_only(store):
    for n, role in enumerate([SEEDER, PARTIAL_SEED, DOWNLOADER]):
        put(store, v4(n), role)
    assert put(store, v4(0), SEEDER, want=9) == [v4(2)]
    assert put(store, v4(1), PARTIAL_SEED, want=9) == [v4(2)]
    assert sorted(put(store, v4(2), want=9)) == [v4(0), v4(1)]


def test_a_peer_has_the_id_it_last_gave(store):
    put(store, v4(1), SEEDER)
    put(store, v4(2), peer_id=b"y" * 20)
    put(store, v4(1), SEEDER, 1.0, peer_id=b"x" * 20)
    assert store.peer_ids(HASH, v4(2) + v4(1) + v4(3), IPV4) == [b"y" * 20, b"x" * 20, bytes(20)]
    assert store.peer_ids(HASHES[1], v4(1), IPV4) == [bytes(20)]


@pytest.mark.parametrize("family", [v4, v6])
@pytest.mark.parametrize("asker_role", Role)
def test_peers_are_drawn_evenly_and_never_the_asker(store, family, asker_role):
    """20 others, of whom all, or the 11 that fetch, can be given: each as often as the next, by a chi-square test."""
    asker = family(0)
    for n in range(1, 21):
        put(store, family(n), (SEEDER, DOWNLOADER, PARTIAL_SEED, DOWNLOADER)[n % 4] if n < 20 else DOWNLOADER)
    rng = random.Random(7)
    seen = Counter()
    rounds = 4_000
    for n in range(rounds):
        answer = store.announce(HASH, asker, ID, asker_role, 5, float(n), rng)
        picked = split(answer.peers, Family(len(asker)))
        assert len(picked) == len(set(picked)) == 5
        seen.update(picked)
    useful = [family(n) for n in range(1, 21) if asker_role == DOWNLOADER or n % 2 or n == 20]
    assert sorted(seen) == sorted(useful)
    expected = rounds * 5 / len(useful)
    # Draws without replacement vary less than chi-square allows; its 0.999 quantile at 19 degrees of freedom is 43.8.
    assert sum((count - expected) ** 2 / expected for count in seen.values()) < 43.8


def test_an_answer_to_a_downloader_holds_seeders_in_their_share_on_average(store):
    for n in range(100):
        put(store, v4(n), SEEDER if n % 4 == 0 else DOWNLOADER, seed=n)
    seeders = {v4(n) for n in range(0, 100, 4)}
    rng = random.Random(3)
    found = 0
    for now in range(400):
        answer = store.announce(HASH, v4(1), ID, DOWNLOADER, 20, float(now), rng)
        found += len(seeders & set(split(answer.peers)))
    assert 4.5 < found / 400 < 5.6


@pytest.mark.parametrize("size", [30, 140, 300])
def test_peers_are_found_whatever_their_bytes_and_however_many_they_are(store, size):
    """Addresses of few different bytes, where the end of one peer and the beginning of the next look like a third."""
    rng = random.Random(size)
    peers = sorted({bytes(rng.choice(b"\x01\x02") for _ in range(6)) for _ in range(10_000)})[:size]
    peers += [bytes([1 + n % 3, 1 + n // 3 % 3, 1 + n // 9 % 3, 1 + n // 27 % 3, 3, 1 + n // 81]) for n in range(size)]
    rng.shuffle(peers)
    roles = {}
    for n, peer in enumerate(peers * 2):
        roles[peer] = rng.choice(list(Role))
        put(store, peer, roles[peer], float(n), seed=n)
        if n % 3 == 0:
            gone = rng.choice(list(roles))
            store.remove(HASH, gone)
            roles.pop(gone)
        assert store.totals().peers == len(roles)
    for peer in roles:
        assert store.peer_ids(HASH, peer, IPV4) == [ID]
    assert sorted(put(store, v4(0), want=10_000, now=1e6)) == sorted(roles)
    store.remove(HASH, v4(0))
    fetching = [peer for peer, role in roles.items() if role is DOWNLOADER]
    assert sorted(put(store, v4(0), SEEDER, want=10_000, now=1e6)) == sorted(fetching)
    for peer in [v4(0), *roles]:
        store.remove(HASH, peer)
    assert store.totals() == Totals(0, 0, 0)


@pytest.mark.parametrize("size", range(2, 9))
@pytest.mark.parametrize("want", [-1, 0, 1, 2, 3, 5, 7, 8, 10**9])
def test_an_answer_has_what_is_wanted_or_what_is_there(store, size, want):
    for seeders in range(size):
        for n in range(size):
            put(store, v4(n), SEEDER if n < seeders else DOWNLOADER, info_hash=HASHES[1])
        for n in range(size):
            for seed in range(6):
                role = SEEDER if n < seeders else DOWNLOADER
                picked = put(store, v4(n), role, info_hash=HASHES[1], want=want, seed=seed)
                useful = {v4(m) for m in range(seeders if role == SEEDER else 0, size)} - {v4(n)}
                assert len(picked) == len(set(picked)) == min(max(want, 0), len(useful))
                assert set(picked) <= useful


def test_the_same_seed_draws_the_same(make_store):
    answers = []
    for _ in range(2):
        store = make_store(max_torrents=10, max_peers=100)
        for n in range(50):
            put(store, v4(n), seed=n)
        answers.append(put(store, v4(0), want=10, seed=3))
    assert answers[0] == answers[1]


def test_who_is_too_early_is_counted_but_given_no_peers_and_keeps_its_time(store):
    put(store, v4(1))
    rng = random.Random(0)

    def ask(now, role=DOWNLOADER, peer_id=ID, want=5, lists=1):
        return store.announce(HASH, v4(2), peer_id, role, want, now, rng, 10.0, lists)

    assert ask(0.0)[3:] == (v4(1), 0.0)
    assert ask(4.0, SEEDER) == (1, 1, 0, b"", 6.0)
    assert ask(9.0)[3:] == (b"", 1.0)
    assert ask(10.0)[3:] == (v4(1), 0.0)
    assert ask(11.0, lists=2)[3:] == (v4(1), 0.0)
    assert ask(12.0, lists=2)[3:] == (b"", 8.0)
    assert ask(13.0, peer_id=b"n" * 20)[3:] == (v4(1), 0.0)
    assert ask(23.0, want=0)[3:] == (b"", 0.0)
    assert ask(24.0)[3:] == (v4(1), 0.0)
    assert ask(25.0)[3:] == (b"", 8.0)
    store.expire(23.0, 1_000)
    assert store.totals().peers == 1  # an early announce is no sign of life: it waits as all do


def test_completion_counts_once_a_peer_and_only_who_had_something_left(store):
    put(store, v4(1), SEEDER)
    assert not store.complete(HASH, v4(1))
    put(store, v4(2))
    put(store, v4(2), SEEDER, 1.0)
    assert [store.complete(HASH, v4(2)) for _ in range(3)] == [True, False, False]
    assert not store.complete(HASH, v4(3))
    assert not store.complete(HASHES[1], v4(2))
    assert store.counts(HASH, IPV4).completed == 1


def test_an_empty_swarm_is_forgotten_but_not_its_completions(store):
    put(store, v4(1))
    put(store, v4(1), info_hash=HASHES[1])
    store.complete(HASH, v4(1))
    assert store.remove(HASH, v4(1)).completed == 1
    store.remove(HASHES[1], v4(1))
    store.remove(HASHES[1], v4(1))
    assert store.counts(HASH, IPV4) == ScrapeEntry(0, 1, 0, 0)
    assert store.totals() == Totals(torrents=1, peers=0, seeders=0)


def test_expiry_takes_the_old_and_a_renewed_peer_is_young(store):
    for n in range(10):
        put(store, v4(n), now=float(n))
    put(store, v4(0), SEEDER, 10.0)
    assert store.expire(4.0, 10_000)
    assert sorted(put(store, v4(0), DOWNLOADER, 10.0, want=99)) == [v4(n) for n in range(4, 10)]
    assert store.expire(11.0, 10_000)
    assert store.totals() == Totals(0, 0, 0)


def test_expiry_in_small_steps_reaches_every_peer_while_others_come_and_go(store):
    rng = random.Random(5)
    for n in range(600):
        put(store, v4(n), Role(n % 3), 0.0, HASHES[n % 3], seed=n)
    steps = 0
    while not store.expire(1.0, 40):
        steps += 1
        put(store, v4(1_000 + steps), Role(steps % 3), 2.0, rng.choice(HASHES), seed=steps)
        store.remove(rng.choice(HASHES), v4(rng.randrange(600)))
    assert 100 < steps < 1_000
    assert store.totals().peers < steps + 100  # newcomers have put a few where expiry had been
    assert store.expire(1.0, 10_000)
    found = [peer for each in HASHES for peer in put(store, v4(5_000), now=2.0, info_hash=each, want=9_999)]
    assert sorted(found) == [v4(1_000 + n) for n in range(1, steps + 1)]


def test_a_full_store_refuses_newcomers_and_keeps_the_rest(make_store):
    store = make_store(max_torrents=10, max_peers=2)
    put(store, v4(1))
    put(store, v4(2))
    with pytest.raises(TrackerError) as caught:
        put(store, v4(3))
    assert caught.value.retry_in
    put(store, v4(1), SEEDER, 1.0)
    store.remove(HASH, v4(2))
    put(store, v4(3), now=1.0)
    assert store.totals().peers == 2


def test_torrents_are_bounded_and_empty_ones_make_room(make_store):
    store = make_store(max_torrents=1, max_peers=10)
    put(store, v4(1))
    with pytest.raises(TrackerError):
        put(store, v4(1), info_hash=HASHES[1])
    store.complete(HASH, v4(1))
    store.remove(HASH, v4(1))
    put(store, v4(1), info_hash=HASHES[1])
    assert store.counts(HASH, IPV4).completed == 0
    assert store.totals() == Totals(1, 1, 0)


def test_records_make_the_same_store_again(make_store):
    first, second = (make_store(max_torrents=100, max_peers=1_000) for _ in range(2))
    for n in range(60):
        put(first, v4(n) if n % 2 else v6(n), Role(n % 3), float(n), HASHES[n % 2], peer_id=bytes([n]) * 20)
    first.complete(HASHES[1], v4(3))
    put(first, v4(1), info_hash=HASHES[2])
    first.complete(HASHES[2], v4(1))
    first.remove(HASHES[2], v4(1))
    for record in first.records():
        second.restore(record, random.Random(1))
    assert second.totals() == first.totals() == Totals(3, 60, 20)
    for info_hash in HASHES:
        for family in Family:
            assert second.counts(info_hash, family) == first.counts(info_hash, family)
    assert second.peer_ids(HASHES[1], v4(5) + v4(7), IPV4) == [b"\x05" * 20, b"\x07" * 20]
    second.expire(30.0, 10_000)
    assert second.totals().peers == 30
    assert not second.complete(HASHES[1], v4(3))
    assert second.complete(HASHES[1], v4(31))


def test_a_restored_peer_does_not_undo_what_is_known_later(store):
    put(store, v4(1), SEEDER, 5.0)
    put(store, v4(2), SEEDER, 1.0)
    details = (ID + bytes([DOWNLOADER | OWED])) * 3
    record = SwarmRecord(HASH, IPV4, 7, v4(1) + v4(2) + v4(3), details, array("d", [4.0, 4.0, 4.0]))
    store.restore(record, random.Random(0))
    assert store.counts(HASH, IPV4) == ScrapeEntry(seeders=1, completed=7, leechers=2, downloaders=2)
    assert store.totals() == Totals(1, 3, 1)


@pytest.mark.parametrize(
    "broken",
    [
        {"info_hash": b"short"},
        {"peers": v4(1)[:-1]},
        {"details": ID},
        {"details": ID + b"\x03"},
        {"seen": array("d", [1.0, 2.0])},
        {"completed": -1},
    ],
)
def test_a_broken_record_is_refused_and_changes_nothing(store, broken):
    good = SwarmRecord(HASH, IPV4, 0, v4(1), ID + b"\x00", array("d", [1.0]))
    with pytest.raises(ValueError):
        store.restore(good._replace(**broken), random.Random(0))
    assert store.totals() == Totals(0, 0, 0)


def test_records_past_the_bounds_are_left_out(make_store):
    store = make_store(max_torrents=1, max_peers=2)
    for info_hash in HASHES:
        peers = b"".join(map(v4, range(5)))
        store.restore(
            SwarmRecord(info_hash, IPV4, 1, peers, (ID + b"\x00") * 5, array("d", [1.0] * 5)), random.Random(0)
        )
    assert store.totals() == Totals(1, 2, 0)


def count_steps(store, work):
    """Lines of the store's own code run by `work`: a measure of cost that does not depend on the machine."""
    lines = 0
    own = {module.__file__ for name, module in sys.modules.items() if name.startswith("tracker.") and module.__file__}

    def trace(frame, event, arg):
        nonlocal lines
        lines += event == "line" and frame.f_code.co_filename in own
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
            put(store, v4(n), now=float(n))

        def work(store=store, size=size):
            put(store, v4(size + 1), now=float(size), want=20)
            put(store, v4(3), SEEDER, float(size), want=20)
            store.remove(HASH, v4(7))

        costs.append(count_steps(store, work))
    assert abs(costs[0] - costs[1]) <= 12  # chance decides whether an answer or a newcomer's place wraps round


def test_a_step_of_expiry_is_bounded_whatever_there_is_to_forget(make_store):
    costs = []
    for size in (1_000, 8_000):
        store = make_store(max_torrents=10, max_peers=10_000)
        for n in range(size):
            put(store, v4(n), now=0.0)
        costs.append(count_steps(store, lambda store=store: store.expire(1.0, 400)))
        assert size - 40 < store.totals().peers < size
    assert abs(costs[0] - costs[1]) < 0.1 * costs[0]


def test_old_peers_go_in_as_few_steps_as_they_cost_however_large_their_swarm(make_store):
    limit, size = 40 * FORGETTING, 8_000
    for swarms in (1, 100):
        store = make_store(max_torrents=100, max_peers=size)
        for n in range(size):
            put(store, v4(n), now=0.0, info_hash=bytes([n % swarms]) * 20)
        steps = 1
        while not store.expire(1.0, limit):
            steps += 1
        assert store.totals().peers == 0
        # Each peer is forgotten, each swarm begun, and in each step some are looked at that the next looks at again.
        assert steps <= 1.2 * (size + swarms) * (FORGETTING + 1) / limit + 2


def test_a_step_of_expiry_looks_at_no_more_peers_than_its_limit(make_store):
    limit, size = 20 * FORGETTING, 8_000
    store = make_store(max_torrents=100, max_peers=size)
    for n in range(size):
        put(store, v4(n), now=0.0, info_hash=bytes([n // 4_000]) * 20)
    steps = 1
    while not store.expire(0.0, limit):
        steps += 1
    assert steps >= size / limit
    assert steps <= 1.2 * (size + 3 * FORGETTING) / limit + 2
    before = store.totals().peers
    store.expire(1.0, limit)
    assert 0 < before - store.totals().peers <= limit / FORGETTING + 1
