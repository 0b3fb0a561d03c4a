"""A long run of blocking work, on as many threads as there are cores, with its progress seen from the event loop.

The rule: no thread outlives the call. A failure or a cancellation lets each thread finish the item it is at, and no more.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

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

    Items are begun in their order. `tick` is called on the loop now and then, and once at the end. The first exception of
    a worker ends the run and is raised.
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
                with suppress(asyncio.CancelledError):  # one is on its way already, or another failure is
                    _, waiting = await asyncio.wait(waiting)
    if crew.failure is not None:
        raise crew.failure
    return crew.results


class _Crew[T_, R_]:
    pass
