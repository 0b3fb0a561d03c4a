"""Work that a cancel must not cut in half: what puts state on disk, where half of it is worse than none or all."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = logging.getLogger(__name__)

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which runs to its end however often this task is cancelled meanwhile.

    A cancel counts once `work` has ended. A failure of `work` is only logged then, so whoever must know of it keeps it.
    """
    task = asyncio.get_running_loop().create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log.info("what was finished in spite of a cancel failed: %s", failure)
    raise cancelled
