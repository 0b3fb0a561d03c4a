"""What is to be done when: one heap and one timer for a whole session, whatever number of torrents it has.

The rule: who has nothing to do has no task and no timer, and at most an entry here. Each entry has a key, and a later
wish for a key replaces the former. What falls due in one moment is done a batch a turn of the loop, so that thousands
of torrents with the same hour keep nobody waiting.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

log = logging.getLogger(__name__)

BATCH: Final = 32
"""Actions in one turn of the loop: each takes well under a millisecond."""


class Agenda:
    """See the module's head. Times are those of the running loop."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._entries: dict[Hashable, tuple[float, int, Callable[[], None]]] = {}
        self._numbers = itertools.count()
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        """When it rings; uvloop's handles of what is due at once cannot tell."""
        self._closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, key: Hashable, when: float, action: Callable[[], None]) -> None:
        """Call `action` at `when`, or soon if that has passed, in place of what was to be done for `key`."""
        if self._closed:
            return
        number = next(self._numbers)
        self._entries[key] = (when, number, action)
        heapq.heappush(self._heap, (when, number, key))
        if len(self._heap) > 2 * len(self._entries) + BATCH:  # entries that were replaced go, or they would pile up
            self._heap = [(when, number, key) for key, (when, number, _) in self._entries.items()]
            heapq.heapify(self._heap)
        self._arm()

    def forget(self, key: Hashable) -> None:
        """Do nothing for `key`."""
        self._entries.pop(key, None)

    def close(self) -> None:
        """Do nothing further."""
        self._closed = True
        self._entries.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if not self._heap:
            return
        when = self._heap[0][0]
        if self._timer is not None:
            if self._due <= when:
                return
            self._timer.cancel()
        self._due = when
        self._timer = asyncio.get_running_loop().call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        done = 0
        try:
            while self._heap and self._heap[0][0] <= now and done < BATCH:
                _, number, key = heapq.heappop(self._heap)
                entry = self._entries.get(key)
                if entry is None or entry[1] != number:
                    continue
                del self._entries[key]
                done += 1
                entry[2]()
        finally:
            self._arm()
