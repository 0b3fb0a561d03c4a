"""What will happen in a simulated world, in order of time and then of planning: the order that makes runs repeatable.

The loop's own timers keep no order between equal times, so the world has one heap of its own and one timer of the loop.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """Actions by time on the running loop's clock. An action runs inside a callback of the loop."""

    __slots__ = ("_armed_for", "_firing", "_planned", "_sequence", "_timer", "done")

    def __init__(self) -> None:
        self._planned: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = count()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for = 0.0
        self._firing = False
        self.done = 0
        """Actions so far."""

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def plan(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        """Do `action(*arguments)` at `when` seconds, after everything already planned for that time."""
        heappush(self._planned, (when, next(self._sequence), action, arguments))
        if not self._firing and (self._timer is None or when < self._armed_for):
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = self._planned[0][0]
        self._timer = asyncio.get_running_loop().call_at(self._armed_for, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._firing = True
        now = self.now
        planned = self._planned
        try:
            while planned and planned[0][0] <= now:
                _, _, action, arguments = heappop(planned)
                self.done += 1
                action(*arguments)
        finally:
            self._firing = False
            if planned:
                self._arm()
