"""The throttle: limits in bytes a second, shared in turns, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.session.throttle import QUANTUM, UNLIMITED, Throttle
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
        allowance = self.throttle.allowance(now)
        if allowance:
            self.throttle.take(allowance, now)
            self.moved += allowance
            self.turns += 1
        self.throttle.wait(self.key, self.go)


async def move(limits, movers, seconds):
    now = asyncio.get_running_loop().time()
    throttle = Throttle([RateLimiter(limit, now) for limit in limits])
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
        throttle = Throttle([RateLimiter(None, 0.0), RateLimiter(None, 0.0)])
        assert not throttle.limited
        assert throttle.allowance(0.0) == UNLIMITED
        throttle.take(10**12, 0.0)
        assert throttle.allowance(0.0) == UNLIMITED

    run(scenario())


def test_a_limit_that_is_lifted_wakes_those_who_wait():
    async def scenario():
        limiter = RateLimiter(0, 0.0)
        throttle = Throttle([limiter])
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
        throttle = Throttle([RateLimiter(1_000, loop.time())])
        for key in range(3):
            throttle.wait(key, lambda: pytest.fail("woken after it was forgotten"))
        for key in range(3):
            throttle.forget(key)
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
        await asyncio.sleep(5)

    run(scenario())
