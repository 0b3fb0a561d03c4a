"""How fast bytes move, and how fast they may.

`RateMeter` measures: the mean over a sliding window, exact to one tenth of it, zero once the window passed in silence.
It is told of every socket read, so the usual call is one comparison and three additions. Until the window is full, what
came in the first moment is left out where it would raise the mean: it was saved up before, and no time was seen in
which it moved.

`RateLimiter` allows: a bucket that fills at the limit and starts empty, so that no stretch of time, the first one
included, sees more than the limit plus the bucket. The bucket holds what a late loop turn may miss and no more.
"""

from __future__ import annotations

import math
import sys
from typing import Final

from p2p.ids import BLOCK_SIZE

_SLICES: Final = 10
UNLIMITED: Final = sys.maxsize
"""What `available` says where no limit applies."""

_BURST_SECONDS: Final = 0.25
"""A turn of the loop that comes this late still catches up; over ten seconds it is 2.5 % of the limit."""


class RateMeter:
    """Bytes a second, averaged over the last `window` seconds, or over the time since bytes began if that is less."""

    __slots__ = ("_began", "_edge", "_first", "_first_edge", "_newest", "_slices", "_sum", "_width", "total")

    def __init__(self, window: float = 8.0) -> None:
        self.total = 0
        """All bytes ever reported."""
        self._width = window / _SLICES
        self._slices = [0] * (_SLICES + 1)  # the open slice and _SLICES closed ones
        self._newest = 0
        self._sum = 0
        self._edge = -math.inf  # where the open slice ends
        self._began = 0.0
        self._first = 0  # bytes of the first slice, which is half as wide, and where it ended
        self._first_edge = 0.0

    def on_bytes(self, n: int, now: float) -> None:
        """`n` bytes moved at `now`."""
        if now >= self._edge:
            self._turn(now)
        self._slices[self._newest] += n
        self._sum += n
        self.total += n

    @property
    def silent(self) -> bool:
        """Whether the rate is zero, and stays so until more bytes move."""
        return not self._sum

    def rate(self, now: float) -> float:
        """Bytes a second around `now`."""
        if not self._sum:
            return 0.0
        if now >= self._edge:
            self._turn(now)
        if not self._sum:
            return 0.0
        span = (_SLICES + 1) * self._width - (self._edge - now)
        if now - self._began >= span:
            return self._sum / span
        mean = self._sum / max(now - self._began, self._width)
        rest = now - self._first_edge
        if rest < 0.5 * self._width or self._first == self._sum:
            return mean
        return min(mean, (self._sum - self._first) / rest)

    def _turn(self, now: float) -> None:
        """Close slices up to the one that holds `now`; silence of a whole window begins the measure anew."""
        slices, width = self._slices, self._width
        passed = (now - self._edge) / width
        if passed >= _SLICES:
            if self._sum:
                self._slices = [0] * (_SLICES + 1)
                self._sum = 0
            self._edge = self._first_edge = now + 0.5 * width
            self._first = 0
            self._began = now
            return
        if self._edge == self._first_edge:
            self._first = slices[self._newest]
        for _ in range(int(passed) + 1):
            self._newest = (self._newest + 1) % (_SLICES + 1)
            self._sum -= slices[self._newest]
            slices[self._newest] = 0
            self._edge += width
        if not self._sum:
            self._began = now
            self._first_edge = self._edge
            self._first = 0


class RateLimiter:
    """Lets bytes go at `limit` bytes a second; None lets all go, 0 none.

    What may go at once is a quarter of a second's worth, and at least one block, so that a low limit still moves whole
    blocks. A sender may take more than is available by one message; the debt is paid before anything else goes. It is
    never more than a bucket: what could not wait, as control messages cannot, must not stop the rest for long.
    """

    __slots__ = ("_burst", "_level", "_limit", "_updated")

    def __init__(self, limit: float | None, now: float) -> None:
        self._limit: float | None = None
        self._burst = BLOCK_SIZE
        self._level = 0.0
        self._updated = now
        self.set_limit(limit, now)

    @property
    def limit(self) -> float | None:
        """Bytes a second, None for no limit."""
        return self._limit

    def set_limit(self, limit: float | None, now: float) -> None:
        """Change the limit from `now` on; what was saved up or owed under the old one is kept within the new burst."""
        if limit is not None and not 0 <= limit < math.inf:
            raise ValueError(f"a rate limit is a finite number of bytes a second, not {limit}")
        self._settle(now)
        self._level = 0.0 if self._limit is None else self._level
        self._limit = limit
        if limit is not None:
            self._burst = max(BLOCK_SIZE, int(limit * _BURST_SECONDS))
            self._level = max(min(self._level, self._burst), -self._burst)

    def available(self, now: float) -> int:
        """Bytes that may go now, 0 while a debt is being paid."""
        if self._limit is None:
            return UNLIMITED
        self._settle(now)
        return max(int(self._level), 0)

    def take(self, n: int, now: float) -> None:
        """`n` bytes go now."""
        if self._limit is not None:
            self._settle(now)
            self._level = max(self._level - n, -self._burst)

    def next_time(self, n: int, now: float) -> float:
        """When `n` bytes (or a full burst, if `n` is more) are available: `now` if they are, infinity if never."""
        if self._limit is None:
            return now
        self._settle(now)
        short = min(n, self._burst) - self._level
        if short <= 0:
            return now
        if not self._limit:
            return math.inf
        # A byte and a clock tick over, so that rounding cannot make the caller come back a moment too early.
        return now + (short + 1) / self._limit + 2 * math.ulp(now)

    def _settle(self, now: float) -> None:
        elapsed = now - self._updated
        if elapsed > 0:
            self._updated = now
            if self._limit is not None:
                self._level = min(self._level + elapsed * self._limit, self._burst)
