from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.ids import BLOCK_SIZE
from p2p.swarm.rate import UNLIMITED, RateLimiter, RateMeter

starts = st.floats(0, 1e9)


@settings(max_examples=60)
@given(start=starts, rate=st.integers(1_000, 10**9), step=st.floats(0.001, 0.9))
def test_meter_shows_a_steady_rate(start: float, rate: int, step: float) -> None:
    meter = RateMeter()
    now, sent = start, 0
    while now < start + 12:
        now += step
        due = int((now - start) * rate)
        meter.on_bytes(due - sent, now)
        sent = due
    assert meter.total == sent
    assert meter.rate(now) == pytest.approx(rate, rel=0.15)


@settings(max_examples=60)
@given(start=starts, n=st.integers(1, 10**9), silence=st.floats(9.0, 1e5))
def test_meter_falls_to_zero_in_silence_and_begins_anew(start: float, n: int, silence: float) -> None:
    meter = RateMeter(window=8.0)
    meter.on_bytes(n, start)
    assert meter.rate(start) > 0
    assert meter.rate(start + silence) == 0.0
    meter.on_bytes(n, start + silence)
    assert meter.rate(start + silence + 2.0) == pytest.approx(n / 2.0, rel=0.01)


@settings(max_examples=60)
@given(gaps=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 10**6)), max_size=60))
def test_meter_never_shows_more_than_the_window_held(gaps: list[tuple[float, int]]) -> None:
    meter, now = RateMeter(window=5.0), 0.0
    log: list[tuple[float, int]] = []
    for gap, n in gaps:
        now += gap
        meter.on_bytes(n, now)
        log.append((now, n))
        recent = sum(n for at, n in log if at >= now - 5.5 - 1e-6)
        assert 0 <= meter.rate(now) <= recent / 0.5 + 1e-6
    assert meter.total == sum(n for _, n in log)


def run_greedy(limiter: RateLimiter, start: float, seconds: float, message: int, tick: float) -> int:
    """A sender that always has something to send, woken late by up to `tick`."""
    now, sent = start, 0
    while now <= start + seconds:
        while limiter.available(now) >= message:
            limiter.take(message, now)
            sent += message
        due = limiter.next_time(message, now)
        now = max(due, now) + tick
    return sent


@settings(max_examples=50, deadline=None)
@given(start=starts, limit=st.integers(20 * 1024, 50 * 1024**2), tick=st.floats(1e-4, 0.02))
def test_limit_is_true_over_ten_seconds_from_the_start(start: float, limit: int, tick: float) -> None:
    message = max(1_000, limit // 200)
    sent = run_greedy(RateLimiter(limit, start), start, 10.0, min(message, BLOCK_SIZE), tick)
    assert sent <= limit * 10 * 1.05
    if limit * tick < BLOCK_SIZE:  # else the bucket is what bounds a sender woken so rarely
        assert sent >= limit * 10 * 0.95 - BLOCK_SIZE


@settings(max_examples=50, deadline=None)
@given(
    start=starts,
    limit=st.integers(1, 10**8),
    idle=st.floats(0, 1e4),
    takes=st.lists(st.integers(1, 40_000), max_size=30),
    n=st.integers(1, 10**6),
)
def test_next_time_is_when_it_is_available(start: float, limit: int, idle: float, takes: list[int], n: int) -> None:
    limiter = RateLimiter(limit, start)
    now = start + idle
    for take in takes:
        limiter.take(take, now)
    due = limiter.next_time(n, now)
    assert due >= now
    assert limiter.available(due) >= min(n, max(BLOCK_SIZE, limit // 4))


@settings(max_examples=50)
@given(limit=st.integers(1, 10**8), idle=st.floats(1, 1e6))
def test_idleness_saves_up_no_more_than_a_burst(limit: int, idle: float) -> None:
    limiter = RateLimiter(limit, 0.0)
    assert limiter.available(idle) <= max(BLOCK_SIZE, limit * 0.25)


def test_a_debt_is_paid_before_more_goes() -> None:
    limiter = RateLimiter(1_000, 0.0)
    limiter.take(5_000, 0.0)
    assert limiter.available(4.9) == 0
    assert limiter.available(6.0) == pytest.approx(1_000, abs=1)


def test_a_debt_is_never_more_than_a_bucket() -> None:
    """Control messages take what they need at once; blocks must come to their turn all the same."""
    limiter = RateLimiter(10_000, 0.0)
    for second in range(100):
        limiter.take(50_000, second)
    assert limiter.available(99 + 2 * BLOCK_SIZE / 10_000 + 0.1) >= BLOCK_SIZE


@pytest.mark.parametrize("saved", [0.25, 0.5])
@pytest.mark.parametrize("step", [0.001, 0.03, 0.1])
def test_meter_does_not_show_what_was_saved_up_before_as_a_rate(saved: float, step: float) -> None:
    """A bucket that was full, or a socket's buffer, empties in the first moment of a transfer at a steady rate."""
    rate = 1_000_000
    meter = RateMeter()
    meter.on_bytes(int(rate * saved), 100.0)
    for count in range(1, int(12 / step)):
        now = 100.0 + count * step
        meter.on_bytes(int(rate * step), now)
        counted = now - 100.4  # and at both ends of that time a step may have come or not
        if now >= 101.0:
            assert meter.rate(now) <= (1.01 + 1.1 * step / counted) * rate, now
        if now >= 102.0:
            assert meter.rate(now) >= (0.99 - 1.1 * step / counted) * rate, now


def test_no_limit_lets_all_go_and_zero_none() -> None:
    limiter = RateLimiter(None, 5.0)
    limiter.take(10**12, 5.0)
    assert limiter.available(5.0) == UNLIMITED
    assert limiter.next_time(10**9, 5.0) == 5.0
    limiter.set_limit(0, 6.0)
    assert limiter.available(1e6) == 0
    assert limiter.next_time(1, 7.0) == math.inf
    limiter.set_limit(1_000, 2e6)
    assert limiter.available(2e6 + 1) == 1_000


@pytest.mark.parametrize("limit", [-1, math.inf, math.nan])
def test_a_limit_must_be_a_finite_number(limit: float) -> None:
    with pytest.raises(ValueError):
        RateLimiter(limit, 0.0)


def test_lowering_a_limit_takes_effect_at_once() -> None:
    limiter = RateLimiter(10_000_000, 0.0)
    limiter.set_limit(10_000, 100.0)
    assert limiter.available(100.0) <= BLOCK_SIZE
