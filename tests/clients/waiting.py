"""Waiting for what a program that runs beside the test brings about, with one deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEADLINE = 60.0
"""Seconds for all that one test waits for."""

PAUSE = 0.1


async def until(ask: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """Asks in a thread until the answer is wanted; that answer. The test's own deadline ends it."""
    answer: T | None = None
    try:
        while not wanted(answer := await asyncio.to_thread(ask)):
            await asyncio.sleep(PAUSE)
    except asyncio.CancelledError:
        print(f"waited in vain; the last answer was\n{answer}")
        raise
    return answer
