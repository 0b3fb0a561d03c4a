"""A long run of blocking work on several threads, its progress seen from the event loop.

The rule: no thread outlives the call. A failure or a cancellation lets each thread finish its item, and no more.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
R = TypeVar("R")

_TICK: Final = 0.1
"""Seconds between calls of `tick`: as smooth as a progress bar gets."""


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


async def work_through(
    items: Iterator[T], worker: Callable[[], Callable[[T], R]], *, threads: int, tick: Callable[[], None]
) -> list[R]:
    """Do the work of `worker()`, called once a thread, on every item; the results, in the order they came.

    Items are begun in their order. `tick` is called on the loop now and then, and once at the end. The first exception
    ends the run and is raised.
    """
    crew = _Crew(items, worker)
    with ThreadPoolExecutor(threads, thread_name_prefix="crew") as pool:
        loop = asyncio.get_running_loop()
        waiting = {loop.run_in_executor(pool, crew.run) for _ in range(threads)}
        try:
            while waiting:
                _, waiting = await asyncio.wait(waiting, timeout=_TICK)
                tick()
        finally:
            crew.halted = True
            while waiting:
                with suppress(asyncio.CancelledError):  # this is the way out already
                    _, waiting = await asyncio.wait(waiting)
    if crew.failure is not None:
        raise crew.failure
    return crew.results


class _Crew(Generic[T, R]):
    """What the threads of one run share."""

    def __init__(self, items: Iterator[T], worker: Callable[[], Callable[[T], R]]) -> None:
        self._items = items
        self._worker = worker
        self._lock = threading.Lock()
        self.results: list[R] = []
        self.halted = False
        self.failure: Exception | None = None

    def run(self) -> None:
        """Work until there is nothing left; one thread's whole life."""
        try:
            work = self._worker()
            while not self.halted:
                with self._lock:  # an iterator may be a generator, which takes one caller at a time
                    item = next(self._items, self)
                if item is self:
                    return
                self.results.append(work(item))  # type: ignore[arg-type]  # not the end mark, so an item
        except Exception as error:  # noqa: BLE001 - it is raised where the run was asked for
            with self._lock:
                if not self.halted:
                    self.failure = error
                self.halted = True
