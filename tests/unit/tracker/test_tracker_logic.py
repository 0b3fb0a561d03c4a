"""What the tracker answers, as pure decisions."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import compact
from p2p.codec.announce import AnnounceEvent, ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker.logic import HTTP_LISTS, UDP_LISTS, Rules, SwarmLogic
from tracker.memory_store import MemoryStore
from tracker.store import Family

HASH = b"h" * 20
RULES = Rules()
EAGER = Rules(min_interval=0.0)


class Told(NamedTuple):
    interval: int
    peers: tuple[Address, ...]
    seeders: int
    leechers: int
    completed: int


class Desk:
    """A store and the rest of what an announce needs."""

    def __init__(self, rules=RULES, seed=5):
        self.store = MemoryStore(max_torrents=100, max_peers=1_000)
        self.rules = rules
        self.now = 0.0
        self.logic = SwarmLogic(self.store, rng=random.Random(seed), clock=lambda: self.now, rules=rules)

    def announce(self, host="10.0.0.1", port=6881, **fields):
        fields = {"info_hash": HASH, "peer_id": b"p" * 20, "left": 9, "event": AnnounceEvent.NONE, **fields}
        fields = {"want": -1, "lists": HTTP_LISTS, **fields}
        interval, answer = self.logic.announce(peer=compact.pack(Address(host, port)), **fields)
        decode = compact.decode_peers6 if ":" in host else compact.decode_peers
        return Told(interval, tuple(decode(answer.peers)), *answer[:3])

    def scrape(self, *hashes, family=Family.IPV4):
        return self.logic.scrape(hashes, family)


@pytest.fixture
def desk():
    return Desk()


def test_the_first_peer_is_alone_and_counted(desk):
    reply = desk.announce(event=AnnounceEvent.STARTED)
    assert (reply.peers, reply.seeders, reply.leechers, reply.completed) == ((), 0, 1, 0)


def test_seeders_and_leechers_meet_but_seeders_do_not_meet_seeders():
    desk = Desk(EAGER)
    desk.announce("10.0.0.1", left=0)
    desk.announce("10.0.0.2", left=0)
    assert desk.announce("10.0.0.1", left=0).peers == ()
    assert len(desk.announce("10.0.0.3").peers) == 2
    assert desk.announce("10.0.0.1", left=0).peers == (Address("10.0.0.3", 6881),)


def test_a_partial_seed_is_a_leecher_that_does_not_download(desk):
    desk.announce("10.0.0.1", event=AnnounceEvent.PAUSED)
    assert desk.scrape(HASH) == {HASH: ScrapeEntry(seeders=0, completed=0, leechers=1, downloaders=0)}
    assert desk.announce("10.0.0.2", event=AnnounceEvent.PAUSED).peers == ()
    desk.announce("10.0.0.1")
    assert desk.scrape(HASH)[HASH].downloaders == 1


def test_families_do_not_mix(desk):
    desk.announce("10.0.0.1")
    assert desk.announce("2001:db8::1").peers == ()
    assert desk.announce("2001:db8::2").peers == (Address("2001:db8::1", 6881),)
    assert desk.scrape(HASH)[HASH].leechers == 1
    assert desk.scrape(HASH, family=Family.IPV6)[HASH].leechers == 2


def test_stopping_leaves_at_once_and_gives_nothing():
    desk = Desk(EAGER)
    desk.announce("10.0.0.1")
    desk.announce("10.0.0.2")
    reply = desk.announce("10.0.0.1", event=AnnounceEvent.STOPPED)
    assert (reply.peers, reply.leechers) == ((), 1)
    assert desk.announce("10.0.0.2").peers == ()
    assert desk.announce("10.0.0.3", 0, event=AnnounceEvent.STOPPED).leechers == 1


def test_a_completion_counts_once_and_only_with_nothing_left(desk):
    desk.announce()
    desk.announce(event=AnnounceEvent.COMPLETED, left=5)
    assert desk.scrape(HASH)[HASH].completed == 0
    for _ in range(3):
        assert desk.announce(event=AnnounceEvent.COMPLETED, left=0).completed == 1
    desk.announce("10.0.0.2", event=AnnounceEvent.COMPLETED, left=0)
    assert desk.scrape(HASH)[HASH] == ScrapeEntry(seeders=2, completed=1, leechers=0, downloaders=0)


def test_port_zero_is_refused_and_not_entered(desk):
    with pytest.raises(TrackerError, match="port 0"):
        desk.announce(port=0)
    assert desk.store.totals().peers == 0


@pytest.mark.parametrize(("wanted", "given_"), [(-1, 50), (-7, 50), (0, 0), (3, 3), (200, 200), (10**9, 200)])
def test_the_number_of_peers_is_what_was_wanted_within_bounds(desk, wanted, given_):
    for n in range(250):
        desk.announce(f"10.0.1.{n}")
    assert len(desk.announce("10.0.0.9", want=wanted).peers) == given_


def test_who_comes_back_too_early_keeps_its_peers_and_is_told_when_to_come():
    desk = Desk(Rules(interval=1_800.0, min_interval=900.0))
    desk.announce("10.0.0.1")
    assert len(desk.announce("10.0.0.2").peers) == 1
    desk.now = 100.0
    reply = desk.announce("10.0.0.2", left=0)
    assert (reply.peers, reply.seeders, reply.leechers) == ((), 1, 1)
    assert 800 <= reply.interval <= 890
    desk.now += reply.interval
    assert len(desk.announce("10.0.0.2", left=0).peers) == 1


def test_an_early_peer_is_no_longer_the_same_when_its_client_was_started_anew_or_had_stopped(desk):
    desk.announce("10.0.0.1")
    desk.announce("10.0.0.2")
    assert desk.announce("10.0.0.2", event=AnnounceEvent.STARTED).peers == ()
    assert len(desk.announce("10.0.0.2", peer_id=b"q" * 20).peers) == 1
    desk.announce("10.0.0.2", peer_id=b"q" * 20, event=AnnounceEvent.STOPPED)
    assert len(desk.announce("10.0.0.2", peer_id=b"q" * 20).peers) == 1


def test_a_lost_answer_may_be_asked_for_again_over_udp(desk):
    desk.announce("10.0.0.1")
    given_ = [len(desk.announce("10.0.0.2", lists=UDP_LISTS).peers) for _ in range(5)]
    assert given_ == [1, 1, 1, 0, 0]
    desk.now = 900.0
    assert len(desk.announce("10.0.0.2", lists=UDP_LISTS).peers) == 1


def test_who_wanted_no_peers_may_ask_for_them_soon(desk):
    desk.announce("10.0.0.1")
    assert desk.announce("10.0.0.2", want=0).peers == ()
    assert len(desk.announce("10.0.0.2").peers) == 1
    assert desk.announce("10.0.0.2").peers == ()


def test_intervals_are_spread_but_never_short(desk):
    intervals = {desk.announce(f"10.0.0.{n}").interval for n in range(100)}
    assert len(intervals) > 20
    assert all(1_800 <= each <= 1_980 for each in intervals)
    assert Desk(Rules(interval=0.1, min_interval=0.0)).announce().interval == 1


@given(st.floats(1.0, 10_000.0), st.integers(0, 2**32))
def test_a_peer_that_keeps_its_interval_never_expires(interval, seed):
    desk = Desk(Rules(interval=interval), seed)
    for _ in range(5):
        desk.now += desk.announce().interval
        assert desk.store.expire(desk.now - desk.rules.peer_lifetime, 1_000)
        assert desk.store.totals().peers == 1
    desk.now += desk.rules.peer_lifetime + 1
    assert desk.store.expire(desk.now - desk.rules.peer_lifetime, 1_000)
    assert desk.store.totals().peers == 0


def test_a_scrape_answers_what_was_asked_in_order_or_all(desk):
    hashes = [bytes([n]) * 20 for n in range(4)]
    for each in hashes[:3]:
        desk.announce(info_hash=each)
    assert list(desk.scrape(hashes[3], hashes[1])) == [hashes[3], hashes[1]]
    assert desk.scrape(hashes[3])[hashes[3]] == ScrapeEntry(0, 0, 0, 0)
    assert list(desk.scrape()) == hashes[:3]
    assert desk.scrape(family=Family.IPV6) == {}


def test_a_scrape_of_everything_is_bounded():
    desk = Desk(Rules(max_full_scrape=2))
    for n in range(2):
        desk.announce(info_hash=bytes([n]) * 20)
    assert len(desk.scrape()) == 2
    desk.announce(info_hash=bytes([2]) * 20)
    with pytest.raises(TrackerError, match="too many"):
        desk.scrape()


def test_the_same_seed_gives_the_same_answers():
    answers = []
    for _ in range(2):
        desk = Desk()
        answers.append([desk.announce(f"10.0.0.{n}", want=3) for n in range(30)])
    assert answers[0] == answers[1]
