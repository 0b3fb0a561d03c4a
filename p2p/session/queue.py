"""Who may run: the download queue and the seed queue. Pure.

The rule: a line with a size lets so many torrents run, the first in the queue's order first; one without lets all run.
Who has run for a while without payload is stalled: it goes on, and holds no place. Who runs is never stopped for the
sake of one that waits, nor because a stalled one came to life, since every stop and start costs trackers and peers an
announce; only a smaller size puts torrents back, the last ones first. What was started "now" holds a place and passes
the queue both ways.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may start, first in the queue first, and when to ask again because a runner will be stalled by then: infinity
    where nobody is kept waiting."""

    start: tuple[int, ...]
    look_at: float


def stalled(quiet_since: float, rules: Rules, now: float) -> bool:
    """Whether that is a torrent that holds no place."""
    return rules.stalled_after is not None and now - quiet_since >= rules.stalled_after


def admit(waiting: Sequence[int], runners: Iterable[Runner], rules: Rules, now: float) -> Admission:
    """Who of those `waiting`, in the queue's order, may start beside the runners of the line."""
    if rules.size is None:
        return Admission(tuple(waiting), math.inf)
    holding = [runner.quiet_since for runner in runners if not stalled(runner.quiet_since, rules, now)]
    room = max(0, rules.size - len(holding))
    start = tuple(waiting[:room])
    if len(start) == len(waiting) or rules.stalled_after is None or not rules.size:
        return Admission(start, math.inf)
    # Room comes when so many are stalled that fewer than the size are left; who starts now is stalled last.
    holding += [now] * len(start)
    first = sorted(holding)[: len(holding) - rules.size + 1]
    return Admission(start, first[-1] + rules.stalled_after)


def surplus(runners: Sequence[Runner], rules: Rules, now: float) -> tuple[int, ...]:
    """Who of the runners, given in the queue's order, has no place in a line that became smaller: the last first."""
    if rules.size is None:
        return ()
    holding = [runner for runner in runners if not stalled(runner.quiet_since, rules, now)]
    excess = len(holding) - rules.size
    return tuple(runner.key for runner in reversed(holding) if not runner.free)[: max(0, excess)]
