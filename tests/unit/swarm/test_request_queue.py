"""The request queue: depth by rate, silence by the clock, and an account of every request."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from p2p.ids import BLOCK_SIZE, Block
from p2p.swarm.request_queue import (
    LEAST_DEPTH,
    MOST_LIMIT,
    SNUBBED_AFTER,
    STALL_LEAST,
    BlockMatch,
    RequestQueue,
)


def blocks_from(first, count):
    return [Block(piece, 0, BLOCK_SIZE) for piece in range(first, first + count)]


class Line:
    """A peer that serves in order at `rate` bytes a second, `round_trip` seconds away, asked as a session would."""

    def __init__(self, queue, *, rate, round_trip):
        self.queue = queue
        self.rate = rate
        self.round_trip = round_trip
        self.now = 0.0
        self.sent = 0
        self.received = 0
        self.busy_until = 0.0
        self.way = []
        self.batches = []

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end:
            if room := self.queue.room(self.now):
                self.batches.append(room)
                blocks = blocks_from(self.sent, room)
                self.sent += room
                self.queue.on_requested(blocks, self.now)
                for block in blocks:
                    self.busy_until = max(self.busy_until, self.now + self.round_trip / 2) + BLOCK_SIZE / self.rate
                    self.way.append((self.busy_until + self.round_trip / 2, block))
            self.now, block = self.way.pop(0)
            assert self.queue.on_block(block, self.now) is BlockMatch.ASKED
            self.received += 1
            assert self.queue.outstanding <= self.queue.limit


@pytest.mark.parametrize(
    ("rate", "round_trip", "limit"),
    [
        (5e3, 0.1, 250),
        (50e3, 0.05, 250),
        (1e6, 0.1, 250),
        (1e6, 0.6, 500),
        (10e6, 0.05, 250),
        (100e6, 0.02, 2_000),
    ],
)
def test_a_line_is_kept_full(rate, round_trip, limit):
    line = Line(RequestQueue(limit=limit), rate=rate, round_trip=round_trip)
    line.run(15.0)
    before, began = line.received, line.now
    line.run(20.0)
    assert (line.received - before) * BLOCK_SIZE / (line.now - began) > 0.97 * rate
    assert line.queue.rate == pytest.approx(rate, rel=0.15)


def test_a_slow_peer_holds_few_blocks():
    line = Line(RequestQueue(limit=250), rate=50e3, round_trip=0.1)
    line.run(30.0)
    assert LEAST_DEPTH <= line.queue.depth <= 9


def test_a_near_peer_is_asked_for_hundreds_in_no_time():
    line = Line(RequestQueue(limit=2_000), rate=700e6, round_trip=0.000_5)
    line.run(0.2)
    assert line.queue.depth > 500


def test_requests_leave_in_batches():
    line = Line(RequestQueue(limit=200), rate=20e6, round_trip=0.05)
    line.run(5.0)
    settled = line.batches[len(line.batches) // 2 :]
    assert min(settled) >= 200 // 4


def test_the_pace_survives_idle_times():
    """Time in which we asked for nothing does not make the peer look slow."""
    line = Line(RequestQueue(limit=250), rate=2e6, round_trip=0.02)
    line.run(10.0)
    while line.way:
        line.now, block = line.way.pop(0)
        line.queue.on_block(block, line.now)
    line.now += 100.0
    line.run(1.0)
    assert line.queue.rate == pytest.approx(2e6, rel=0.15)
    assert not line.queue.snubbed


def test_the_limit_is_the_peers_word_within_bounds():
    queue = RequestQueue(limit=10)
    assert queue.limit == 10
    queue.set_limit(1_000_000)
    assert queue.limit == MOST_LIMIT
    queue.set_limit(-5)
    assert queue.limit == 1
    assert queue.room(0.0) == 1


def test_a_stall_gives_everything_back_and_probes():
    queue = RequestQueue(limit=250)
    asked = blocks_from(0, queue.room(100.0))
    queue.on_requested(asked, 100.0)
    assert queue.next_timeout(100.0) == 100.0 + STALL_LEAST
    assert queue.on_timer(100.0 + STALL_LEAST - 0.01) == []
    assert queue.on_timer(100.0 + STALL_LEAST) == asked
    assert queue.outstanding == 0
    assert queue.next_timeout(116.0) is None
    assert queue.room(116.0) == 1
    assert not queue.snubbed
    assert queue.on_block(asked[2], 117.0) is BlockMatch.LATE
    assert queue.on_block(asked[2], 117.0) is BlockMatch.UNASKED
    assert queue.room(117.0) == LEAST_DEPTH


def test_a_minute_of_waiting_without_a_block_is_snubbing():
    queue = RequestQueue(limit=250)
    now = began = 1_000.0
    following = 0
    while not queue.snubbed:
        count = queue.room(now)
        queue.on_requested(blocks_from(following, count), now)
        following += count
        now = queue.next_timeout(now)
        assert queue.on_timer(now)
    assert now - began == pytest.approx(SNUBBED_AFTER, abs=0.1)
    assert queue.room(now) == 1
    queue.on_requested(blocks_from(following, 1), now)
    assert queue.next_timeout(now) == now + SNUBBED_AFTER
    queue.on_block(Block(following, 0, BLOCK_SIZE), now + 1.0)
    assert not queue.snubbed
    assert queue.room(now + 1.0) == LEAST_DEPTH


def test_only_time_spent_waiting_counts_as_silence():
    queue = RequestQueue(limit=250)
    queue.on_requested(blocks_from(0, 4), 0.0)
    queue.on_timer(STALL_LEAST)
    queue.on_requested(blocks_from(4, 1), 5_000.0)
    queue.on_timer(5_000.0 + STALL_LEAST)
    assert not queue.snubbed


def test_a_slow_steady_peer_has_not_stalled():
    """At 500 bytes a second a block takes 33 seconds."""
    line = Line(RequestQueue(limit=250), rate=500.0, round_trip=0.1)
    line.run(200.0)
    assert line.queue.next_timeout(line.now) - line.now > 40.0


def test_a_choke_without_the_fast_extension_drops_all_and_with_it_none():
    queue = RequestQueue(limit=250)
    asked = blocks_from(0, 4)
    queue.on_requested(asked, 1.0)
    assert queue.on_choked(fast=True) == []
    assert queue.blocks() == asked
    assert queue.on_rejected(asked[0])
    assert not queue.on_rejected(asked[0])
    assert queue.on_choked(fast=False) == asked[1:]
    assert queue.outstanding == 0
    assert queue.on_block(asked[1], 2.0) is BlockMatch.LATE


def test_a_cancelled_block_may_still_come_or_be_rejected():
    queue = RequestQueue(limit=250)
    asked = blocks_from(0, 3)
    queue.on_requested(asked, 1.0)
    assert queue.cancel(asked[0])
    assert not queue.cancel(asked[0])
    assert queue.cancel(asked[1])
    assert not queue.on_rejected(asked[1])
    assert queue.on_block(asked[0], 2.0) is BlockMatch.LATE
    assert queue.on_block(asked[1], 2.0) is BlockMatch.UNASKED
    assert queue.blocks() == asked[2:]


def test_what_was_given_back_is_forgotten_in_time():
    queue = RequestQueue(limit=MOST_LIMIT)
    for first in range(0, MOST_LIMIT + 100, 100):
        queue.on_requested(blocks_from(first, 100), 1.0)
        queue.on_choked(fast=False)
    assert queue.on_block(Block(0, 0, BLOCK_SIZE), 2.0) is BlockMatch.UNASKED
    assert queue.on_block(Block(MOST_LIMIT, 0, BLOCK_SIZE), 2.0) is BlockMatch.LATE


class QueueMachine(RuleBasedStateMachine):
    """Any history: each request ends once, and the depth stays in its bounds."""

    @initialize(limit=st.integers(1, 300))
    def start(self, limit):
        self.queue = RequestQueue(limit=limit)
        self.now = 0.0
        self.next_piece = 0
        self.asked = {}
        self.late = set()

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.3, 2.0, 14.0, 31.0, 90.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(limit=st.integers(-3, 5_000))
    def set_limit(self, limit):
        self.queue.set_limit(limit)

    @rule()
    def refill(self):
        room = self.queue.room(self.now)
        assert room == 0 or len(self.asked) + room <= self.queue.depth <= self.queue.limit
        blocks = blocks_from(self.next_piece, room)
        self.next_piece += room
        self.queue.on_requested(blocks, self.now)
        self.asked.update(dict.fromkeys(blocks))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), count=st.integers(1, 40))
    def receive(self, data, count):
        self.wait(data.draw(st.sampled_from([0.0, 0.01, 1.0])))
        for block in list(self.asked)[:count]:
            assert self.queue.on_block(block, self.now) is BlockMatch.ASKED
            del self.asked[block]
        assert not self.queue.snubbed

    @rule(piece=st.integers(0, 500))
    def receive_any(self, piece):
        block = Block(piece, 0, BLOCK_SIZE)
        expected = BlockMatch.ASKED if block in self.asked else BlockMatch.UNASKED
        if block in self.late:
            expected = BlockMatch.LATE
        assert self.queue.on_block(block, self.now) is expected
        self.asked.pop(block, None)
        self.late.discard(block)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data):
        block = data.draw(st.sampled_from(list(self.asked)))
        assert self.queue.cancel(block)
        del self.asked[block]
        self.late.add(block)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def reject(self, data):
        block = data.draw(st.sampled_from(list(self.asked)))
        assert self.queue.on_rejected(block)
        del self.asked[block]

    @rule(fast=st.booleans())
    def choke(self, fast):
        given = self.queue.on_choked(fast=fast)
        assert given == ([] if fast else list(self.asked))
        self.late.update(given)
        if not fast:
            self.asked.clear()

    @rule()
    def timer(self):
        due = self.queue.next_timeout(self.now)
        given = self.queue.on_timer(self.now)
        assert given == (list(self.asked) if due is not None and due <= self.now else [])
        if given:
            self.late.update(given)
            self.asked.clear()
            assert self.queue.depth == 1

    @invariant()
    def holds(self):
        queue = self.queue
        assert queue.blocks() == list(self.asked)
        assert queue.outstanding == len(self.asked)
        assert 1 <= queue.depth <= queue.limit <= MOST_LIMIT
        assert queue.rate >= 0.0
        due = queue.next_timeout(self.now)
        assert (due is None) == (not self.asked)
        assert due is None or self.now <= due <= self.now + SNUBBED_AFTER


QueueMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestQueueMachine = QueueMachine.TestCase


@given(
    rate=st.floats(1e3, 1e9),
    round_trip=st.floats(0.000_1, 1.0),
    limit=st.integers(1, 2_500),
)
@settings(max_examples=25, deadline=None)
def test_any_line_is_asked_without_pause(rate, round_trip, limit):
    line = Line(RequestQueue(limit=limit), rate=rate, round_trip=round_trip)
    line.run(min(30 * (round_trip + BLOCK_SIZE / rate), 300 * BLOCK_SIZE / rate))
    assert line.queue.outstanding > 0 or line.queue.room(line.now) > 0
