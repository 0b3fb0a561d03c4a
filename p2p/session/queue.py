"""Who may run: the download queue and the seed queue. Pure.

The rule: a line with a size lets so many torrents run, the first in the queue's order first; one without lets all run.
Who has run for a while without payload is stalled: it goes on, and holds no place. Who runs is never stopped for the
sake of one that waits, nor because a stalled one came to life, since every stop and start costs trackers and peers an
announce; only a smaller size puts torrents back, the last ones first. What was started "now" holds a place and passes
the queue both ways.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WAKE_INTERVAL: Final = 10.0
"""Seconds between looks at whether stalled torrents have come to life: that more run for a moment than there are places
does no harm, and thousands of stalled ones cost nothing."""


class Line(Enum):
    """Which queue a torrent stands in."""

    DOWNLOAD = "download"
    """It misses something that is wanted, or nobody knows yet."""

    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds in a line."""

    size: int | None = None
    """Torrents that run at once; None for no queue."""

    stalled_after: float | None = None
    """Seconds without payload; None where nothing counts as stalled."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A torrent that runs. `quiet_since` is when payload moved last, or it set to work; now, while it has not."""

    key: int
    quiet_since: float
    free: bool = False
    """It was started "now"."""


def stalled(quiet_since: float, rules: Rules, now: float) -> bool:
    """Whether that is a torrent that holds no place."""
    return rules.stalled_after is not None and now - quiet_since >= rules.stalled_after


def surplus(runners: Sequence[Runner], rules: Rules, now: float) -> tuple[int, ...]:
    """Who of the runners, given in the queue's order, has no place in a line that became smaller: the last first."""
    if rules.size is None:
        return ()
    holding = [runner for runner in runners if not stalled(runner.quiet_since, rules, now)]
    excess = len(holding) - rules.size
    return tuple(runner.key for runner in reversed(holding) if not runner.free)[: max(0, excess)]


class Places:
    """The places of one line. Nobody is looked at before it can have become stalled, so that a look costs as much as
    has changed since the last. `quiet_since(key, now)` tells of who runs, as `Runner` has it."""

    def __init__(self, rules: Rules, quiet_since: Callable[[int, float], float]) -> None:
        self._rules = rules
        self._quiet_since = quiet_since
        self._holding: dict[int, float] = {}
        """Since when each had been quiet when it was looked at last."""
        self._looks: list[tuple[float, int]] = []
        """The same as a heap, with what no longer holds."""
        self._stalled: dict[int, None] = {}
        self._woken_at = -math.inf

    def set_rules(self, rules: Rules, now: float) -> None:
        """Others hold from now on."""
        self._rules = rules
        self._wake(list(self._stalled), now)

    def enter(self, key: int, now: float) -> None:
        """It runs."""
        self._hold(key, self._quiet_since(key, now))

    def leave(self, key: int) -> None:
        """It runs no more."""
        self._holding.pop(key, None)
        self._stalled.pop(key, None)

    def room(self, now: float) -> int | None:
        """How many more may run; None for any number."""
        rules = self._rules
        if rules.size is None:
            return None
        if rules.stalled_after is not None:
            self._look(rules.stalled_after, now)
        return max(0, rules.size - len(self._holding))

    def look_at(self) -> float:
        """Before then no room comes of itself; infinity where it never does."""
        after = self._rules.stalled_after
        if after is None or not self._rules.size or not self._looks:
            return math.inf
        return self._looks[0][0] + after

    def _look(self, after: float, now: float) -> None:
        if self._stalled and now >= self._woken_at + WAKE_INTERVAL:
            self._woken_at = now
            self._wake([key for key in self._stalled if now - self._quiet_since(key, now) < after], now)
        while self._looks and now - self._looks[0][0] >= after:
            seen, key = heapq.heappop(self._looks)
            if self._holding.get(key) != seen:
                continue
            quiet_since = self._quiet_since(key, now)
            if now - quiet_since >= after:
                del self._holding[key]
                self._stalled[key] = None
            else:
                self._hold(key, quiet_since)

    def _wake(self, keys: Sequence[int], now: float) -> None:
        for key in keys:
            del self._stalled[key]
            self._hold(key, self._quiet_since(key, now))

    def _hold(self, key: int, quiet_since: float) -> None:
        self._holding[key] = quiet_since
        heapq.heappush(self._looks, (quiet_since, key))
        if len(self._looks) > 2 * len(self._holding) + 16:  # what no longer holds goes
            self._looks = [(seen, each) for each, seen in self._holding.items()]
            heapq.heapify(self._looks)
