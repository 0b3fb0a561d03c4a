"""How the disk does: jobs under way, how long they take from asking to the answer, and how fast pieces are hashed.

The rule: bounded memory, a few microseconds a job. Percentiles are of the last jobs, so that they tell of now.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from p2p.swarm.rate import RateMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KEPT: Final = 500
"""Latencies of each kind that percentiles are taken of."""

LOOK_BACK: Final = 300.0
"""Seconds after which a latency tells nothing of now."""

BOUNDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Seconds: upper bounds of the histogram's buckets, from a page cache to a disk that is about to fail."""


class JobKind(Enum):
    READ = "read"
    VERIFY = "verify"
    STORE = "store"
    SYNC = "sync"


HASHING: Final = frozenset({JobKind.VERIFY, JobKind.STORE})


@dataclass(slots=True)
class JobMeter:
    """Of one kind of job. `buckets` counts latencies by the first of BOUNDS that they do not pass, longer ones last."""

    under_way: int = 0
    done: int = 0
    failed: int = 0
    bytes: int = 0
    seconds: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    _last: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def on_done(self, took: float, size: int, now: float) -> None:
        self.done += 1
        self.bytes += size
        self.seconds += took
        self.buckets[bisect_left(BOUNDS, took)] += 1
        self._last.append((now, took))

    def percentiles(self, shares: Sequence[float], now: float) -> list[float | None]:
        """Latencies that such shares of the last jobs did not pass; None where there was none."""
        recent = sorted(took for at, took in self._last if at >= now - LOOK_BACK)
        if not recent:
            return [None] * len(shares)
        return [recent[min(len(recent) - 1, int(share * len(recent)))] for share in shares]


class DiskMeter:
    """See the module's head. Clocks are seconds that only grow."""

    def __init__(self) -> None:
        self.jobs = {kind: JobMeter() for kind in JobKind}
        self.hashing = RateMeter()

    @property
    def queue(self) -> int:
        """Jobs asked for and not done."""
        return sum(meter.under_way for meter in self.jobs.values())

    @contextmanager
    def job(self, kind: JobKind, size: int, clock: Callable[[], float]) -> Iterator[None]:
        """Measure a job of `size` bytes from here to the end of the block; what raises has failed."""
        meter, began = self.jobs[kind], clock()
        meter.under_way += 1
        try:
            yield
        except BaseException:
            meter.failed += 1
            raise
        else:
            now = clock()
            meter.on_done(now - began, size, now)
            if kind in HASHING:
                self.hashing.on_bytes(size, now)
        finally:
            meter.under_way -= 1
