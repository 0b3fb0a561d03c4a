"""What the tracker answers, as pure decisions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from p2p.errors import TrackerError
from p2p.ids import Address
from tracker import logic
from tracker.logic import Rules
from tracker.memory_store import MemoryStore

HASH = b"h" * 20
RULES = Rules()


class Desk:
    """A store and the rest of what an announce needs."""

    def __init__(self, rules=RULES):
        self.store = MemoryStore(max_torrents=100, max_peers=1_000)
        self.rng = random.Random(5)
        self.rules = rules
        self.now = 0.0

    def announce(self, host="10.0.0.1", port=6881, **fields):
        fields = {"info_hash": HASH, "peer_id": b"p" * 20, "uploaded": 0, "downloaded": 0, "left": 9, **fields}
        request = AnnounceRequest(port=port, **fields)
        return logic.announce(request, Address(host, 50_000), self.store, self.now, self.rng, rules=self.rules)

    def scrape(self, *hashes, host="10.0.0.1"):
        return logic.scrape(hashes, Address(host, 1), self.store, self.rules)


@pytest.fixture
def desk():
    return Desk()


def test_a_peer_is_its_socket_and_its_port_whatever_it_claims(desk):
    desk.announce("10.0.0.1", 1111, ip="192.0.2.99")
    assert desk.announce("10.0.0.2").peers == (Address("10.0.0.1", 1111),)


def test_the_first_peer_is_alone_and_counted(desk):
    reply = desk.announce(event=AnnounceEvent.STARTED)
    assert (reply.peers, reply.seeders, reply.leechers, reply.completed) == ((), 0, 1, 0)
    assert reply.external_ip == "10.0.0.1"


def test_seeders_and_leechers_meet_but_seeders_do_not_meet_seeders(desk):
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
    assert desk.scrape(HASH, host="2001:db8::9")[HASH].leechers == 2


def test_stopping_leaves_at_once_and_gives_nothing(desk):
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
    assert len(desk.announce("10.0.0.9", num_want=wanted).peers) == given_


def test_peer_ids_come_with_the_dictionary_form_only_when_wanted(desk):
    desk.announce("10.0.0.1", peer_id=b"x" * 20)
    assert desk.announce("10.0.0.2").peer_ids == ()
    assert desk.announce("10.0.0.2", compact=False).peer_ids == (b"x" * 20,)
    assert desk.announce("10.0.0.2", compact=False, no_peer_id=True).peer_ids == ()


def test_intervals_are_spread_but_never_short(desk):
    intervals = {desk.announce(f"10.0.0.{n}").interval for n in range(100)}
    assert len(intervals) > 20
    assert all(1_800 <= each <= 1_980 for each in intervals)
    quick = Desk(Rules(interval=0.1, min_interval=0.0))
    reply = quick.announce()
    assert (reply.interval, reply.min_interval) == (1.0, 1.0)


@given(st.floats(1.0, 10_000.0), st.integers(0, 2**32))
def test_a_peer_that_keeps_its_interval_never_expires(interval, seed):
    desk = Desk(Rules(interval=interval))
    desk.rng = random.Random(seed)
    for _ in range(5):
        desk.now += desk.announce().interval
        desk.store.expire(desk.now - desk.rules.peer_lifetime, 10)
        assert desk.store.totals().peers == 1
    desk.now += desk.rules.peer_lifetime + 1
    assert desk.store.expire(desk.now - desk.rules.peer_lifetime, 10) == 1


def test_a_scrape_answers_what_was_asked_in_order_or_all(desk):
    hashes = [bytes([n]) * 20 for n in range(4)]
    for each in hashes[:3]:
        desk.announce(info_hash=each)
    assert list(desk.scrape(hashes[3], hashes[1])) == [hashes[3], hashes[1]]
    assert desk.scrape(hashes[3])[hashes[3]] == ScrapeEntry(0, 0, 0, 0)
    assert list(desk.scrape()) == hashes[:3]
    assert desk.scrape(host="::1") == {}


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
        answers.append([desk.announce(f"10.0.0.{n}", num_want=3) for n in range(30)])
    assert answers[0] == answers[1]
