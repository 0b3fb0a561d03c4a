from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2p.ids import Address
from p2p.swarm.peer_list import (
    BACKOFF,
    BACKOFF_MAX,
    DUPLICATE_REST,
    MAX_FAILURES,
    PRIVATE_SOURCES,
    RECONNECT,
    PeerList,
    PeerSource,
)
from p2p.swarm.peer_priority import peer_priority

A, B, C = (Address(f"10.0.{n}.1", 6881) for n in range(3))


def offers(
    peers: PeerList, now: float = 0.0, count: int = 100, own: Address | None = None, seed: int = 0
) -> list[Address]:
    return peers.candidates(count, now, own_address=own, rng=Random(seed))


def test_new_peers_are_counted_once_and_offered_until_taken() -> None:
    peers = PeerList()
    assert peers.add([A, B, A], PeerSource.TRACKER, 0.0) == 2
    assert peers.add([B, C], PeerSource.PEX, 0.0) == 1
    assert sorted(offers(peers)) == [A, B, C]
    assert offers(peers, count=1) == offers(peers, count=1)
    peers.on_connecting(A)
    assert sorted(offers(peers)) == [B, C]
    peers.on_connected(A)
    assert sorted(offers(peers, 1e6)) == [B, C]
    assert len(peers) == 3


@pytest.mark.parametrize(
    "address",
    [
        Address("10.0.0.1", 0),
        Address("0.0.0.0", 6881),
        Address("0.1.2.3", 6881),
        Address("224.0.0.1", 6881),
        Address("255.255.255.255", 6881),
        Address("::", 6881),
        Address("ff02::1", 6881),
        Address("fe80::1", 6881),
        Address("10.9.9.9", 6881),
    ],
)
def test_addresses_of_nobody_and_of_ourselves_are_passed_over(address: Address) -> None:
    peers = PeerList(own=[Address("10.9.9.9", 6881)])
    assert peers.add([address], PeerSource.TRACKER, 0.0) == 0
    assert len(peers) == 0


def test_the_external_address_is_not_offered() -> None:
    peers = PeerList()
    peers.add([A, B], PeerSource.TRACKER, 0.0)
    assert offers(peers, own=A) == [B]
    peers.on_connecting(B)
    assert offers(peers, own=A) == []
    assert peers.next_candidate_time(0.0) is None


def test_on_self_is_for_ever() -> None:
    peers = PeerList()
    peers.add([A], PeerSource.TRACKER, 0.0)
    peers.on_connecting(A)
    peers.on_self(A)
    assert peers.add([A], PeerSource.TRACKER, 1e6) == 0


def test_failures_back_off_and_end_in_oblivion() -> None:
    peers = PeerList()
    peers.add([A], PeerSource.DHT, 0.0)
    now = 0.0
    for failure in range(1, MAX_FAILURES):
        assert offers(peers, now) == [A]
        peers.on_connecting(A)
        peers.on_failed(A, now)
        due = now + BACKOFF * 2 ** (failure - 1)
        assert peers.next_candidate_time(now) == due
        assert offers(peers, due - 0.1) == []
        now = due
    peers.on_failed(A, now)
    assert A not in peers
    assert peers.next_candidate_time(now) is None
    assert peers.add([A], PeerSource.DHT, now) == 1


def test_a_peer_the_user_named_is_never_forgotten_and_naming_it_again_tries_it_now() -> None:
    peers = PeerList()
    peers.add([A], PeerSource.MANUAL, 0.0)
    now = 0.0
    for _ in range(20):
        peers.on_failed(A, now)
        due = peers.next_candidate_time(now)
        assert due is not None
        assert due - now <= BACKOFF_MAX
        now = due
    peers.on_failed(A, now)
    assert offers(peers, now) == []
    peers.add([A], PeerSource.MANUAL, now)
    assert offers(peers, now) == [A]


def test_a_peer_that_failed_is_tried_as_soon_as_it_says_nearby_that_it_is_there() -> None:
    peers = PeerList()
    peers.add([A, B], PeerSource.LSD, 0.0)
    peers.on_connecting(A)
    peers.on_connected(A)
    peers.on_disconnected(A, 2.0, useful=False)
    peers.on_duplicate(B, 2.0)
    peers.add([A, B], PeerSource.DHT, 3.0)
    assert offers(peers, 3.0) == []
    peers.add([A, B], PeerSource.LSD, 4.0)
    assert offers(peers, 4.0) == [A]
    for _ in range(MAX_FAILURES):
        peers.on_failed(A, 5.0)
        peers.add([A], PeerSource.LSD, 5.0)
    assert peers.source_of(A) is PeerSource.LSD  # forgotten, and heard of anew


def test_useful_peers_come_back_soon_and_useless_ones_do_not() -> None:
    peers = PeerList()
    peers.add([A, B], PeerSource.TRACKER, 0.0)
    for address in (A, B):
        peers.on_connecting(address)
        peers.on_connected(address)
    assert peers.next_candidate_time(0.0) is None
    peers.on_disconnected(A, 100.0, useful=True)
    peers.on_disconnected(B, 100.0, useful=False)
    assert peers.next_candidate_time(100.0) == 100.0 + RECONNECT
    assert offers(peers, 100.0 + RECONNECT) == [A]
    assert offers(peers, 100.0 + BACKOFF) == [A, B]


def test_duplicates_rest() -> None:
    peers = PeerList()
    peers.add([A], PeerSource.TRACKER, 0.0)
    peers.on_connecting(A)
    peers.on_duplicate(A, 0.0)
    assert peers.next_candidate_time(1.0) == DUPLICATE_REST


def test_seeds_wait_until_we_want_something() -> None:
    peers = PeerList()
    peers.add([A, B], PeerSource.TRACKER, 0.0)
    peers.on_connecting(A)
    peers.on_connected(A)
    peers.on_seed(A)
    peers.on_disconnected(A, 0.0, useful=True)
    assert offers(peers, 1e6) == [B]
    peers.on_connecting(B)
    assert peers.next_candidate_time(1e6) is None
    peers.on_wanting()
    assert peers.next_candidate_time(1e6) == 1e6
    assert offers(peers, 1e6) == [A]


def test_a_banned_host_is_gone_whatever_its_port() -> None:
    peers = PeerList()
    other = Address(A.host, 1)
    peers.add([A, other, B], PeerSource.TRACKER, 0.0)
    peers.ban(A.host, "sent bad blocks", 5.0)
    assert peers.is_banned(A.host)
    assert not peers.is_banned(B.host)
    assert offers(peers) == [B]
    assert peers.add([A, other], PeerSource.MANUAL, 6.0) == 0
    assert [(ban.host, ban.reason, ban.at) for ban in peers.bans] == [(A.host, "sent bad blocks", 5.0)]
    peers.unban(A.host)
    assert peers.add([A], PeerSource.TRACKER, 7.0) == 1


def test_order_is_experience_then_failures_then_trust() -> None:
    peers = PeerList()
    pex, failed, useful, tracker, manual = (Address(f"10.0.0.{n}", 1) for n in range(1, 6))
    peers.add([pex], PeerSource.PEX, 0.0)
    peers.add([failed, useful, tracker], PeerSource.TRACKER, 0.0)
    peers.add([manual], PeerSource.MANUAL, 0.0)
    peers.on_failed(failed, 0.0)
    peers.on_disconnected(useful, 0.0, useful=True)
    assert offers(peers, 1e3) == [useful, manual, tracker, pex, failed]


def test_canonical_priority_orders_equals() -> None:
    own = Address("123.213.32.10", 6881)
    listed = [Address(f"{n}.76.54.32", 6881) for n in range(1, 100)]
    peers = PeerList()
    peers.add(listed, PeerSource.TRACKER, 0.0)
    assert offers(peers, own=own) == sorted(listed, key=lambda a: -(peer_priority(own, a) or 0))
    assert offers(peers, own=None, seed=1) != offers(PeerList(), seed=1)


def test_chance_orders_equals_while_nobody_said_who_we_are() -> None:
    def order(seed: int) -> list[Address]:
        peers = PeerList()
        peers.add([Address("10.0.0.1", port) for port in range(1, 40)], PeerSource.TRACKER, 0.0)
        return offers(peers, seed=seed)

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_private_torrents_hear_their_tracker_only() -> None:
    peers = PeerList(sources=PRIVATE_SOURCES)
    for source in (PeerSource.DHT, PeerSource.PEX, PeerSource.LSD, PeerSource.RESUME, PeerSource.INCOMING):
        assert peers.add([A], source, 0.0) == 0
    assert peers.add([A], PeerSource.TRACKER, 0.0) == 1


def test_a_magnet_that_turns_out_private_forgets_gossip() -> None:
    peers = PeerList()
    peers.add([A, B], PeerSource.DHT, 0.0)
    peers.add([B, C], PeerSource.TRACKER, 0.0)
    peers.keep_sources(PRIVATE_SOURCES)
    assert sorted(offers(peers)) == [B, C]
    assert peers.source_of(B) is PeerSource.TRACKER
    assert peers.source_of(A) is None
    assert peers.add([A], PeerSource.DHT, 0.0) == 0


def test_a_flood_of_gossip_displaces_nothing_better() -> None:
    peers = PeerList(limit=50)
    trusted = [Address("10.1.0.1", port) for port in range(1, 21)]
    connected = Address("10.2.0.1", 1)
    peers.add([connected], PeerSource.PEX, 0.0)
    peers.on_connecting(connected)
    peers.add(trusted, PeerSource.TRACKER, 0.0)
    flood = [Address("10.66.0.1", port) for port in range(1, 5_000)]
    assert peers.add(flood, PeerSource.PEX, 0.0) == 29
    assert peers.add(flood, PeerSource.PEX, 0.0) == 0
    assert len(peers) == 50
    assert all(address in peers for address in [connected, *trusted])
    fresh = [Address("10.3.0.1", port) for port in range(1, 31)]
    assert peers.add(fresh, PeerSource.TRACKER, 1.0) == 29
    assert not any(address in peers for address in flood)


def test_worth_keeping_is_what_was_good() -> None:
    peers = PeerList()
    peers.add([A, B, C], PeerSource.TRACKER, 0.0)
    peers.on_failed(A, 0.0)
    peers.on_connecting(C)
    peers.on_connected(C)
    assert peers.worth_keeping(10) == [C, B]
    assert peers.worth_keeping(1) == [C]


def test_clear_forgets_peers_but_no_ban() -> None:
    peers = PeerList()
    peers.add([A, B], PeerSource.TRACKER, 0.0)
    peers.ban(A.host, "x", 0.0)
    assert offers(peers) == [B]
    peers.clear()
    assert offers(peers) == []
    assert peers.next_candidate_time(0.0) is None
    assert peers.is_banned(A.host)


pool = st.sampled_from([Address(f"10.{n}.0.1", 1000 + n) for n in range(12)])


class PeerListMachine(RuleBasedStateMachine):
    """Any history keeps the bound, and the time it names is when it offers."""

    def __init__(self) -> None:
        super().__init__()
        self.peers = PeerList(limit=8)
        self.now = 0.0
        self.busy: dict[Address, None] = {}
        self.banned: dict[str, None] = {}
        self.rng = Random(1)

    @rule(addresses=st.lists(pool, max_size=12), source=st.sampled_from(PeerSource))
    def add(self, addresses: list[Address], source: PeerSource) -> None:
        before = len(self.peers)
        new = self.peers.add(addresses, source, self.now)
        assert new >= len(self.peers) - before

    @rule(count=st.integers(1, 4))
    def connect(self, count: int) -> None:
        due = self.peers.next_candidate_time(self.now)
        chosen = self.peers.candidates(count, self.now, own_address=None, rng=self.rng)
        assert len(chosen) <= count
        assert bool(chosen) == (due is not None and due <= self.now)
        for address in chosen:
            assert address not in self.busy
            assert address.host not in self.banned
            self.peers.on_connecting(address)
            self.busy[address] = None

    @rule(address=pool, useful=st.booleans())
    def disconnect(self, address: Address, useful: bool) -> None:
        if self.busy.pop(address, self) is None:
            self.peers.on_disconnected(address, self.now, useful=useful)

    @rule(address=pool)
    def fail(self, address: Address) -> None:
        if self.busy.pop(address, self) is None:
            self.peers.on_failed(address, self.now)

    @rule(address=pool)
    def ban(self, address: Address) -> None:
        self.peers.ban(address.host, "x", self.now)
        self.banned[address.host] = None
        self.busy.pop(address, None)

    @rule(address=pool)
    def seed(self, address: Address) -> None:
        self.peers.on_seed(address)

    @rule()
    def wanting(self) -> None:
        self.peers.on_wanting()

    @rule(seconds=st.floats(0.1, 5_000))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_until_due(self) -> None:
        due = self.peers.next_candidate_time(self.now)
        if due is not None:
            self.now = due
            assert self.peers.candidates(1, self.now, own_address=None, rng=self.rng)

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.peers) <= max(8, len(self.busy))


TestPeerListMachine = PeerListMachine.TestCase
TestPeerListMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@settings(max_examples=50)
@given(ports=st.lists(st.integers(-5, 70_000), max_size=20))
def test_only_ports_that_exist_are_kept(ports: list[int]) -> None:
    peers = PeerList()
    peers.add([Address("10.0.0.1", port) for port in ports], PeerSource.TRACKER, 0.0)
    assert sorted(offers(peers)) == sorted({Address("10.0.0.1", port) for port in ports if 0 < port < 65_536})
