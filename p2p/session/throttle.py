"""Shares a byte allowance among those that wait for it: the torrents of a session in turn, and in each its peers.

A direction of a session has one `Turns`, with the session's limit; a torrent has one `Throttle` a direction, with its
own. Both limits are asked, and both are charged. While anybody waits nobody else goes first, so that neither a fast
peer, nor one that happens to be busy, nor the torrent that came first starves the rest.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.swarm.rate import RateLimiter

UNLIMITED: Final = 1 << 30
QUANTUM: Final = BLOCK_SIZE
"""What a peer may move before the next one has its turn, while a limit binds. The smallest bucket holds as much."""

LEAST_TURN: Final = BLOCK_SIZE // 2

QUANTUM_SECONDS: Final = 0.01
"""A turn at a high limit is so much of it instead, as timers come round only some hundred times a second."""

SMALLEST: Final = 1_024
"""Below this an allowance is left to grow: a wake-up for a handful of bytes costs more than it moves."""

LONGEST_SLEEP: Final = 1.0
"""Seconds until a limit is looked at again, as it may have been changed."""

SHORTEST_SLEEP: Final = 0.001


class Turns:
    """Who is next in one direction of a session."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter
        self._throttles: dict[Throttle, None] = {}
        """Those in which peers wait; the first is next."""
        self._timer: asyncio.TimerHandle | None = None
        self._serving = False

    @property
    def waiting(self) -> bool:
        return bool(self._throttles)

    def join(self, throttle: Throttle) -> None:
        if throttle in self._throttles:
            return
        self._throttles[throttle] = None
        if self._timer is not None and throttle.next_time(asyncio.get_running_loop().time()) < self._timer.when():
            self._timer.cancel()
            self._timer = None
        self._arm()

    def leave(self, throttle: Throttle) -> None:
        self._throttles.pop(throttle, None)
        if not self._throttles and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None or self._serving or not self._throttles:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = math.inf
        for throttle in self._throttles:
            due = min(due, throttle.next_time(now))
            if throttle.ready(now):
                break  # who stands behind it cannot go before it
        self._timer = loop.call_at(min(max(due, now + SHORTEST_SLEEP), now + LONGEST_SLEEP), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._serving = True
        loop = asyncio.get_running_loop()
        throttles = self._throttles
        try:
            for _ in range(sum(throttle.waiting for throttle in throttles)):
                now = loop.time()
                # Who is held back by its own limit keeps its place; before the others it could save up no more.
                throttle = next((each for each in throttles if each.ready(now)), None)
                if throttle is None or throttle.next_time(now) > now:
                    break  # nobody's turn, or what the session saves up is saved for this one
                del throttles[throttle]
                throttles[throttle] = None
                throttle.serve()
        finally:
            self._serving = False
            self._arm()


class Throttle:
    """One direction of one torrent."""

    def __init__(self, limiter: RateLimiter, turns: Turns) -> None:
        self._own = limiter
        self._shared = turns.limiter
        self._turns = turns
        self._waiting: dict[int, Callable[[], None]] = {}
        self._in_turn: int | None = None

    @property
    def limit(self) -> float | None:
        """Bytes a second, the tighter of the two limits; None without any."""
        own, shared = self._own.limit, self._shared.limit
        if own is None or shared is None:
            return shared if own is None else own
        return min(own, shared)

    @property
    def limited(self) -> bool:
        return self._own.limit is not None or self._shared.limit is not None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def allowance(self, waiter: int, now: float) -> int:
        """Bytes that `waiter`, the key of a peer, may move now; 0 means wait."""
        own, shared = self._own.limit, self._shared.limit
        if own is None and shared is None:
            return UNLIMITED
        if waiter != self._in_turn and (self._waiting or (shared is not None and self._turns.waiting)):
            return 0
        return self._available(now)

    def slack(self, now: float) -> bool:
        """More could move than does: nobody waits, and what a turn takes is there."""
        return not self._waiting and self.next_time(now) <= now

    def take(self, count: int, now: float) -> None:
        """`count` bytes move now, which ends a turn."""
        self._in_turn = None
        if self._own.limit is not None:
            self._own.take(count, now)
        if self._shared.limit is not None:
            self._shared.take(count, now)

    def wait(self, waiter: int, wake: Callable[[], None]) -> None:
        """Call `wake` once there is allowance, after those who asked before."""
        self._waiting.setdefault(waiter, wake)
        self._turns.join(self)

    def forget(self, waiter: int) -> None:
        if self._waiting.pop(waiter, None) is not None and not self._waiting:
            self._turns.leave(self)

    def ready(self, now: float) -> bool:
        """Whether the torrent's own limit allows a turn: half a block will do, as its bucket may run over while others
        have theirs."""
        return self._own.next_time(LEAST_TURN, now) <= now

    def serve(self) -> None:
        """Give the one who waits longest its turn. Only at or after `next_time`."""
        waiter = next(iter(self._waiting))
        wake = self._waiting.pop(waiter)
        if not self._waiting:
            self._turns.leave(self)
        self._in_turn = waiter
        try:
            wake()
        finally:
            self._in_turn = None

    def next_time(self, now: float) -> float:
        """When a turn may begin; infinity for never. Turns are even, but for what a torrent's own limit takes off."""
        turn = min(self._quantum(), max(self._own.available(now), LEAST_TURN))
        return max(self._own.next_time(LEAST_TURN, now), self._shared.next_time(turn, now))

    def _available(self, now: float) -> int:
        least = min(self._own.available(now), self._shared.available(now), UNLIMITED)
        if least < SMALLEST:
            return 0
        return min(least, self._quantum()) if self.limited else least

    def _quantum(self) -> int:
        limit = self._own.limit if self._shared.limit is None else self._shared.limit
        return QUANTUM if limit is None else max(QUANTUM, int(limit * QUANTUM_SECONDS))
