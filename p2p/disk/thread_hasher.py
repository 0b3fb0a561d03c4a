"""Where production runs hash and disk jobs: a bounded pool of threads, which both let go of the interpreter's lock.

The rule: memory that a job was given is free again when its wait ends, however it ends. So a cancelled wait withdraws a
job that has not begun, and waits for one that has.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class ThreadHasher:
    """Runs jobs on `workers` threads, which start with the first jobs."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="hasher")
        self._running: dict[Future[object], None] = {}
        self._closed = False

    async def run(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StorageError("disk work was asked for after it was closed down")
        handle = self._pool.submit(job)
        self._running[handle] = None  # type: ignore[index]  # Future is invariant in its result, of no use here
        wait = asyncio.wrap_future(handle)
        try:
            return await asyncio.shield(wait)
        except asyncio.CancelledError:
            if not handle.cancel():
                await _outlast(wait)
            raise
        finally:
            del self._running[handle]  # type: ignore[arg-type]

    async def close(self) -> None:
        self._closed = True
        while self._running:
            await asyncio.wait([asyncio.wrap_future(handle) for handle in self._running])
            await asyncio.sleep(0)  # those who wait for them take them off
        self._pool.shutdown(wait=False)


async def _outlast(wait: asyncio.Future[T]) -> None:
    """Return once `wait` is done, however often this task is cancelled meanwhile; its outcome has no taker left."""
    while not wait.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([wait])
    if not wait.cancelled():
        wait.exception()
