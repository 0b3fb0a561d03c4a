"""Any history of calls leaves every form of tracker.store.Store as it leaves a plain dictionary."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from p2p.codec.announce import ScrapeEntry
from tracker.memory_store import MemoryStore
from tracker.redis_store import RedisStore
from tracker.store import Family, Role, Totals

HASHES = [bytes([n]) * 20 for n in range(3)]
LIFETIME = 8.0
MIN_INTERVAL = 3.0

hashes = st.sampled_from(HASHES)
peers = st.integers(0, 5).map(lambda n: bytes([10, 0, 0, n, 26, 225])) | st.integers(0, 3).map(
    lambda n: bytes(15) + bytes([n, 26, 225])
)
ids = st.sampled_from([b"a" * 20, b"b" * 20])


@dataclass
class Known:
    role: Role
    peer_id: bytes
    seen: float
    owed: bool
    lists: int


class StoreMachine(RuleBasedStateMachine):
    def make(self):
        return MemoryStore(max_torrents=100, max_peers=100)

    def __init__(self):
        super().__init__()
        self.store = self.make()
        self.known = {}
        self.completed = {}
        self.now = 0.0
        self.rng = random.Random(1)

    @rule(info_hash=hashes, peer=peers, peer_id=ids, role=st.sampled_from(Role), want=st.integers(-1, 12))
    def announce(self, info_hash, peer, peer_id, role, want):
        answer = self.store.announce(info_hash, peer, peer_id, role, want, self.now, self.rng, MIN_INTERVAL, 2)
        entry = self.known.setdefault((info_hash, peer), Known(role, b"", -99.0, owed=False, lists=0))
        if entry.peer_id == peer_id and self.now - entry.seen < MIN_INTERVAL:
            wait = 0.0 if entry.lists < 2 else entry.seen + MIN_INTERVAL - self.now
        else:
            entry.seen, entry.lists, wait = self.now, 0, 0.0
        entry.lists += want > 0 and not wait
        entry.peer_id, entry.role = peer_id, role
        entry.owed |= role is not Role.SEEDER
        others = {other: e for other, e in self.swarm(info_hash, len(peer)).items() if other != peer}
        useful = {other for other, e in others.items() if Role.DOWNLOADER in (role, e.role)}
        picked = [bytes(answer.peers[at : at + len(peer)]) for at in range(0, len(answer.peers), len(peer))]
        assert set(picked) <= useful
        assert len(picked) == len(set(picked)) == (0 if wait else min(max(want, 0), len(useful)))
        assert answer.wait == wait
        assert tuple(answer[:3]) == self.expected_counts(info_hash, len(peer))[:3]

    @rule(info_hash=hashes, peer=peers)
    def remove(self, info_hash, peer):
        self.known.pop((info_hash, peer), None)
        answer = self.store.remove(info_hash, peer)
        assert tuple(answer) == (*self.expected_counts(info_hash, len(peer))[:3], b"", 0.0)

    @rule(info_hash=hashes, peer=peers)
    def complete(self, info_hash, peer):
        entry = self.known.get((info_hash, peer))
        counts = entry is not None and entry.owed
        assert self.store.complete(info_hash, peer) is counts
        if counts:
            entry.owed = False
            swarm = (info_hash, len(peer))
            self.completed[swarm] = self.completed.get(swarm, 0) + 1

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 5.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(limit=st.sampled_from([1, 50, 10_000]))
    def expire(self, limit):
        before = self.now - LIFETIME
        while not self.store.expire(before, limit):
            pass
        self.known = {key: entry for key, entry in self.known.items() if entry.seen >= before}

    @precondition(lambda self: self.known)
    @rule()
    def move_to_another_store(self):
        records = list(self.store.records())
        self.store = self.make()
        for record in records:
            self.store.restore(record, self.rng)
        for entry in self.known.values():
            entry.lists = 0  # how often a peer was given peers is not kept

    def swarm(self, info_hash, family):
        return {peer: e for (its, peer), e in self.known.items() if its == info_hash and len(peer) == family}

    def expected_counts(self, info_hash, family):
        roles = [entry.role for entry in self.swarm(info_hash, family).values()]
        seeders = roles.count(Role.SEEDER)
        completed = self.completed.get((info_hash, family), 0)
        return seeders, len(roles) - seeders, completed, roles.count(Role.DOWNLOADER)

    @invariant()
    def counts_agree(self):
        for info_hash in HASHES:
            for family in Family:
                seeders, leechers, completed, downloaders = self.expected_counts(info_hash, family)
                expected = ScrapeEntry(seeders, completed, leechers, downloaders)
                assert self.store.counts(info_hash, family) == expected
                members = self.swarm(info_hash, family)
                ids = self.store.peer_ids(info_hash, b"".join(members), family)
                assert ids == [entry.peer_id for entry in members.values()]
        swarms = {(info_hash, len(peer)) for info_hash, peer in self.known} | set(self.completed)
        seeders = sum(entry.role is Role.SEEDER for entry in self.known.values())
        assert self.store.totals() == Totals(len(swarms), len(self.known), seeders)
        for family in Family:
            assert sorted(self.store.info_hashes(family, 9)) == sorted(h for h, size in swarms if size == family)


TestMemoryStoreHistory = StoreMachine.TestCase
TestMemoryStoreHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class RedisStoreMachine(StoreMachine):
    def make(self):
        return RedisStore(super().make(), clock=lambda: self.now, rng=random.Random(2), max_unsent=20)


TestRedisStoreHistory = RedisStoreMachine.TestCase
TestRedisStoreHistory.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
