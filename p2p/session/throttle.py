"""Shares a byte allowance among those that wait for it: the torrents of a session in turn, and in each its peers.

A direction of a session has one `Turns`, with the session's limit; a torrent has one `Throttle` a direction, with its
own, and may come under that of a group between them. All these limits are asked, and all are charged. While anybody
waits nobody else goes first, so that neither a fast peer, nor one that happens to be busy, nor the torrent that came
first starves the rest. A torrent of more weight has more turns, and nobody is left without.
"""

from __future__ import annotations

import asyncio
import math
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


class Weight(IntEnum):
    """How many turns a torrent has for each that another has."""

    LOW = 1
    NORMAL = 2
    HIGH = 4


class _Band:
    """Those of one weight in which peers wait; the first is next."""

    def __init__(self) -> None:
        self.throttles: dict[Throttle, None] = {}
        self.served = 0.0
        """Turns had, each counted as what it is of a torrent's share: the band with the fewest is next."""


class Turns:
    """Who is next in one direction of a session: torrents of one weight one after the other, weights in proportion."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter = limiter
        self._bands = {weight: _Band() for weight in reversed(Weight)}
        self._count = 0
        """Throttles in which peers wait."""
        self._served = 0.0
        """Where the band stood that had the last turn: one that was empty has saved up none meanwhile."""
        self._timer: asyncio.TimerHandle | None = None
        self._serving = False

    @property
    def waiting(self) -> bool:
        return self._count > 0

    def join(self, throttle: Throttle) -> None:
        band = self._bands[throttle.weight]
        if throttle in band.throttles:
            return
        if not band.throttles:
            band.served = max(band.served, self._served)
        band.throttles[throttle] = None
        self._count += 1
        if self._timer is not None and throttle.next_time(asyncio.get_running_loop().time()) < self._timer.when():
            self._timer.cancel()
            self._timer = None
        self._arm()

    def leave(self, throttle: Throttle) -> None:
        band = self._bands[throttle.weight]
        if throttle in band.throttles:
            del band.throttles[throttle]
            self._count -= 1
        if self._timer is not None and not self._count:
            self._timer.cancel()
            self._timer = None

    def _in_order(self) -> Iterator[Throttle]:
        for band in sorted(self._bands.values(), key=lambda band: band.served):
            yield from band.throttles

    def _arm(self) -> None:
        if self._timer is not None or self._serving or not self.waiting:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = math.inf
        for throttle in self._in_order():
            due = min(due, throttle.next_time(now))
            if throttle.ready(now):
                break  # who stands behind it cannot go before it
        self._timer = loop.call_at(min(max(due, now + SHORTEST_SLEEP), now + LONGEST_SLEEP), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._serving = True
        loop = asyncio.get_running_loop()
        try:
            for _ in range(sum(throttle.waiting for throttle in self._in_order())):
                now = loop.time()
                # Who is held back by its own limit keeps its place; before the others it could save up no more.
                throttle = next((each for each in self._in_order() if each.ready(now)), None)
                if throttle is None or throttle.next_time(now) > now:
                    break  # nobody's turn, or what the session saves up is saved for this one
                self._give_turn(throttle)
        finally:
            self._serving = False
            self._arm()

    def _give_turn(self, throttle: Throttle) -> None:
        band = self._bands[throttle.weight]
        self._served = band.served
        band.served += 1 / (throttle.weight * len(band.throttles))
        del band.throttles[throttle]
        band.throttles[throttle] = None
        throttle.serve()


class Throttle:
    """One direction of one torrent."""

    def __init__(self, limiter: RateLimiter, turns: Turns) -> None:
        self._own = limiter
        self._group: RateLimiter | None = None
        self._shared = turns.limiter
        self._turns = turns
        self._weight = Weight.NORMAL
        self._waiting: dict[int, Callable[[], None]] = {}
        self._in_turn: int | None = None

    @property
    def weight(self) -> Weight:
        return self._weight

    def place(self, turns: Turns, group: RateLimiter | None, weight: Weight) -> None:
        """From now on it has its turns among those, comes under the group's limit too, and has that weight. Who waits
        goes on to wait."""
        if self._waiting:
            self._turns.leave(self)
        self._turns, self._shared, self._group, self._weight = turns, turns.limiter, group, weight
        if self._waiting:
            turns.join(self)

    @property
    def limit(self) -> float | None:
        """Bytes a second, the tightest of the limits; None without any."""
        own, shared = self._own.limit, self._shared.limit
        if self._group is None and (own is None or shared is None):  # asked for every message, so at little cost
            return shared if own is None else own
        group = None if self._group is None else self._group.limit
        return min((each for each in (own, group, shared) if each is not None), default=None)

    @property
    def limited(self) -> bool:
        return self.limit is not None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def allowance(self, waiter: int, now: float) -> int:
        """Bytes that `waiter`, the key of a peer, may move now; 0 means wait."""
        group = None if self._group is None else self._group.limit
        own, shared = self._own.limit, self._shared.limit
        if own is None and shared is None and group is None:
            return UNLIMITED
        with_others = shared is not None or group is not None
        if waiter != self._in_turn and (self._waiting or (with_others and self._turns.waiting)):
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
        if self._group is not None:
            self._group.take(count, now)
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
        """Whether the torrent's own limit and its group's allow a turn: half a block will do, as their buckets may run
        over while others have theirs."""
        return self._near_time(now) <= now

    def _near_time(self, now: float) -> float:
        own = self._own.next_time(LEAST_TURN, now)
        return own if self._group is None else max(own, self._group.next_time(LEAST_TURN, now))

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
        """When a turn may begin; infinity for never. Turns are even, but for what a torrent's own limit or its group's
        takes off."""
        near = self._own.available(now)
        if self._group is not None:
            near = min(near, self._group.available(now))
        turn = min(self._quantum(), max(near, LEAST_TURN))
        return max(self._near_time(now), self._shared.next_time(turn, now))

    def _available(self, now: float) -> int:
        least = min(self._own.available(now), self._shared.available(now), UNLIMITED)
        if self._group is not None:
            least = min(least, self._group.available(now))
        if least < SMALLEST:
            return 0
        return min(least, self._quantum()) if self.limited else least

    def _quantum(self) -> int:
        limit = self._shared.limit
        if limit is None and self._group is not None:
            limit = self._group.limit
        if limit is None:
            limit = self._own.limit
        return QUANTUM if limit is None else max(QUANTUM, int(limit * QUANTUM_SECONDS))
