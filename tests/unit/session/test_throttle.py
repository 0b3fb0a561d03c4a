"""The throttle: limits in bytes a second, shared in turns, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.session.throttle import QUANTUM, UNLIMITED, Throttle, Turns, Weight
from p2p.simulation.virtual_loop import run
from p2p.swarm.rate import RateLimiter


class Mover:
    """Moves all it may for as long as it runs, as a peer with much to send does."""

    def __init__(self, key, throttle):
        self.key = key
        self.throttle = throttle
        self.moved = 0
        self.turns = 0

    def go(self):
        now = asyncio.get_running_loop().time()
        allowance = self.throttle.allowance(self.key, now)
        if allowance:
            self.throttle.take(allowance, now)
            self.moved += allowance
            self.turns += 1
        self.throttle.wait(self.key, self.go)


async def move(limits, movers, seconds):
    now = asyncio.get_running_loop().time()
    own, shared = ([*limits, None])[:2]
    throttle = Throttle(RateLimiter(own, now), Turns(RateLimiter(shared, now)))
    all_of_them = [Mover(key, throttle) for key in range(movers)]
    for mover in all_of_them:
        mover.go()
    await asyncio.sleep(seconds)
    for mover in all_of_them:
        throttle.forget(mover.key)
    return all_of_them


@settings(max_examples=30, deadline=None)
@given(
    limits=st.lists(st.none() | st.integers(2_000, 50_000_000), min_size=1, max_size=2).filter(any),
    movers=st.integers(1, 5),
)
def test_the_tightest_limit_is_kept_and_used(limits, movers):
    limit = min(limit for limit in limits if limit is not None)
    moved = sum(mover.moved for mover in run(move(limits, movers, 30.0)))
    assert 0.93 * limit * 30 - QUANTUM <= moved <= 1.03 * limit * 30 + QUANTUM


@pytest.mark.parametrize("limit", [20_000, 1_000_000, 20_000_000])
def test_those_who_wait_take_turns(limit):
    movers = run(move([limit], 7, 60.0))
    turns = [mover.turns for mover in movers]
    assert max(turns) - min(turns) <= 1
    assert min(mover.moved for mover in movers) > 0.9 * max(mover.moved for mover in movers)


def test_without_a_limit_nothing_waits():
    async def scenario():
        throttle = Throttle(RateLimiter(None, 0.0), Turns(RateLimiter(None, 0.0)))
        assert not throttle.limited
        assert throttle.limit is None
        assert throttle.allowance(1, 0.0) == UNLIMITED
        throttle.take(10**12, 0.0)
        assert throttle.allowance(1, 0.0) == UNLIMITED

    run(scenario())


def test_a_limit_that_is_lifted_wakes_those_who_wait():
    async def scenario():
        limiter = RateLimiter(0, 0.0)
        throttle = Throttle(limiter, Turns(RateLimiter(None, 0.0)))
        woken = []
        throttle.wait(1, lambda: woken.append(asyncio.get_running_loop().time()))
        await asyncio.sleep(10)
        assert woken == []
        limiter.set_limit(None, 10.0)
        await asyncio.sleep(1.1)
        assert len(woken) == 1

    run(scenario())


def test_when_nobody_waits_no_timer_is_left():
    async def scenario():
        loop = asyncio.get_running_loop()
        throttle = Throttle(RateLimiter(1_000, loop.time()), Turns(RateLimiter(None, loop.time())))
        for key in range(3):
            throttle.wait(key, lambda: pytest.fail("woken after it was forgotten"))
        for key in range(3):
            throttle.forget(key)
        assert loop.pending_timers() == []
        await asyncio.sleep(5)

    run(scenario())


async def move_in_torrents(session, torrents, seconds):
    """`torrents` are limits and numbers of peers; what each peer of each moved under one limit of the session."""
    now = asyncio.get_running_loop().time()
    turns = Turns(RateLimiter(session, now))
    throttles = [Throttle(RateLimiter(limit, now), turns) for limit, _ in torrents]
    movers = [
        [Mover(key, throttle) for key in range(count)] for throttle, (_, count) in zip(throttles, torrents, strict=True)
    ]
    for mover in (mover for torrent in movers for mover in torrent):
        mover.go()
    await asyncio.sleep(seconds)
    for mover in (mover for torrent in movers for mover in torrent):
        mover.throttle.forget(mover.key)
    return [[mover.moved for mover in torrent] for torrent in movers]


@pytest.mark.parametrize("limit", [20_000, 300_000, 20_000_000])
@pytest.mark.parametrize("counts", [(1, 1), (3, 3), (1, 9), (9, 1, 4)])
def test_torrents_share_the_limit_of_the_session_evenly(limit, counts):
    moved = run(move_in_torrents(limit, [(None, count) for count in counts], 120.0))
    sums = [sum(torrent) for torrent in moved]
    assert sum(sums) == pytest.approx(120 * limit, rel=0.05, abs=QUANTUM)
    assert max(sums) - min(sums) <= 0.02 * max(sums) + 2 * QUANTUM
    for torrent in moved:
        assert max(torrent) - min(torrent) <= 0.02 * max(torrent) + 2 * QUANTUM


@settings(max_examples=15, deadline=None)
@given(
    session=st.integers(50_000, 1_000_000),
    torrents=st.lists(st.tuples(st.none() | st.integers(5_000, 500_000), st.integers(1, 4)), min_size=1, max_size=4),
)
def test_a_slow_torrent_does_not_hold_up_the_others(session, torrents):
    """Each has about its own limit or an even share, and what one leaves the others use."""
    sums = [sum(torrent) for torrent in run(move_in_torrents(session, torrents, 60.0))]
    for (limit, _), moved in zip(torrents, sums, strict=True):
        share = 60 * session / len(torrents)
        assert moved >= 0.9 * min(share, 60 * limit if limit is not None else share) - 2 * QUANTUM
        assert limit is None or moved <= 1.03 * 60 * limit + QUANTUM
    capped = all(limit is not None for limit, _ in torrents)
    usable = min(session, sum(limit for limit, _ in torrents)) if capped else session
    assert 0.9 * 60 * usable - len(torrents) * QUANTUM <= sum(sums) <= 1.03 * 60 * session + QUANTUM


def test_who_waits_goes_before_who_comes():
    async def scenario():
        loop = asyncio.get_running_loop()
        turns = Turns(RateLimiter(100_000, loop.time()))
        mine, other = (Throttle(RateLimiter(None, loop.time()), turns) for _ in range(2))
        woken = []
        other.wait(7, lambda: woken.append(other.allowance(7, loop.time())))
        await asyncio.sleep(0.1)
        assert mine.allowance(7, loop.time()) == 0  # there is some, and it is saved up for the one who waits
        await asyncio.sleep(0.9)
        assert woken[0] > 0
        assert mine.allowance(7, loop.time()) > 0

    run(scenario())


def test_who_waits_at_a_high_limit_is_not_kept_by_the_timer_of_a_low_one():
    async def scenario():
        loop = asyncio.get_running_loop()
        turns = Turns(RateLimiter(None, loop.time()))
        slow, fast = (Throttle(RateLimiter(limit, loop.time()), turns) for limit in (2_000, 1_000_000))
        woken = []
        slow.wait(1, lambda: None)
        fast.wait(1, lambda: woken.append(loop.time()))
        await asyncio.sleep(0.1)
        assert len(woken) == 1
        slow.forget(1)

    run(scenario())


# -- weights and groups


async def move_placed(session, torrents, seconds):
    """`torrents` are weight, group's limit or None, peers, and whether the session's limit is honoured; the same group
    where the same limit is. What each torrent moved."""
    now = asyncio.get_running_loop().time()
    turns, free = Turns(RateLimiter(session, now)), Turns(RateLimiter(None, now))
    groups = {limit: RateLimiter(limit, now) for _, limit, _, _ in torrents if limit is not None}
    movers = []
    for weight, limit, count, honours in torrents:
        throttle = Throttle(RateLimiter(None, now), turns)
        throttle.place(turns if honours else free, groups.get(limit), weight)
        movers.append([Mover(key, throttle) for key in range(count)])
    for mover in (mover for torrent in movers for mover in torrent):
        mover.go()
    await asyncio.sleep(seconds)
    for mover in (mover for torrent in movers for mover in torrent):
        mover.throttle.forget(mover.key)
    return [sum(mover.moved for mover in torrent) for torrent in movers]


@pytest.mark.parametrize("limit", [50_000, 5_000_000])
@pytest.mark.parametrize(
    "weights", [(Weight.HIGH, Weight.LOW), (Weight.NORMAL, Weight.HIGH, Weight.LOW, Weight.LOW, Weight.NORMAL)]
)
def test_turns_are_had_in_proportion_to_weight_and_nobody_goes_without(limit, weights):
    moved = run(move_placed(limit, [(weight, None, 2, True) for weight in weights], 90.0))
    assert sum(moved) == pytest.approx(90 * limit, rel=0.05, abs=QUANTUM)
    for weight, had in zip(weights, moved, strict=True):
        assert had == pytest.approx(sum(moved) * weight / sum(weights), rel=0.05, abs=3 * QUANTUM)


def test_a_group_keeps_its_limit_shares_it_evenly_and_leaves_the_rest_to_others():
    normal = Weight.NORMAL
    moved = run(
        move_placed(400_000, [(normal, 100_000, 1, True), (normal, 100_000, 4, True), (normal, None, 1, True)], 60)
    )
    assert moved[0] + moved[1] == pytest.approx(6_000_000, rel=0.05)
    assert moved[0] == pytest.approx(moved[1], rel=0.05)
    assert moved[2] == pytest.approx(18_000_000, rel=0.05)


def test_who_does_not_honour_the_limit_of_the_session_comes_under_its_group_alone():
    normal = Weight.NORMAL
    moved = run(move_placed(50_000, [(normal, 300_000, 2, False), (normal, None, 2, True)], 60))
    assert moved == pytest.approx([18_000_000, 3_000_000], rel=0.05)


def test_who_waits_goes_on_waiting_when_it_is_placed_elsewhere():
    async def scenario():
        still, free = Turns(RateLimiter(0, 0.0)), Turns(RateLimiter(None, 0.0))
        throttle = Throttle(RateLimiter(None, 0.0), still)
        woken = []
        throttle.wait(1, lambda: woken.append(asyncio.get_running_loop().time()))
        await asyncio.sleep(10)
        throttle.place(free, None, Weight.HIGH)
        assert not still.waiting
        await asyncio.sleep(1.1)
        assert len(woken) == 1
        assert not free.waiting
        assert throttle.allowance(1, 11.1) == UNLIMITED

    run(scenario())
