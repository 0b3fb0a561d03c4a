"""Shares a byte allowance among the peers that wait for it, in turn.

A torrent has one throttle a direction; it asks its own limiter and the session's, takes from both, and wakes waiting
peers first come first served, each for one quantum, so that neither a fast peer nor a first one starves the rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.swarm.rate import RateLimiter

UNLIMITED: Final = 1 << 30
QUANTUM: Final = 4 * BLOCK_SIZE
"""What a peer may move before the next one has its turn, while a limit binds."""

SMALLEST: Final = 1_024
"""Below this an allowance is left to grow: a wake-up for a handful of bytes costs more than it moves."""


class Throttle:
    """One direction of one torrent."""

    def __init__(self, limiters: Sequence[RateLimiter]) -> None:
        self._limiters = tuple(limiters)
        self._waiting: dict[int, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limited(self) -> bool:
        return any(limiter.limit is not None for limiter in self._limiters)

    def allowance(self, now: float) -> int:
        """Bytes one peer may move now; 0 means wait."""
        least = UNLIMITED
        for limiter in self._limiters:
            if limiter.limit is not None:
                least = min(least, limiter.available(now), QUANTUM)
        return least if least >= SMALLEST else 0

    def take(self, count: int, now: float) -> None:
        for limiter in self._limiters:
            if limiter.limit is not None:
                limiter.take(count, now)

    def wait(self, waiter: int, wake: Callable[[], None]) -> None:
        """Call `wake` once there is allowance, after those who asked before. `waiter` is the peer's key."""
        self._waiting.setdefault(waiter, wake)
        self._arm()

    def forget(self, waiter: int) -> None:
        self._waiting.pop(waiter, None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None or not self._waiting:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = max(
            (limiter.next_time(QUANTUM, now) for limiter in self._limiters if limiter.limit is not None), default=now
        )
        # A limit set far below a quantum a second must still move: never sleep past a second before looking again.
        self._timer = loop.call_at(min(max(due, now + 0.001), now + 1.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for _ in range(len(self._waiting)):
            if self.allowance(loop.time()) == 0:
                break
            waiter = next(iter(self._waiting))
            self._waiting.pop(waiter)()
        self._arm()
