"""Where hash and disk jobs run: a bounded pool of threads in production, inline in simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Hasher(Protocol):
    """Runs blocking jobs, at most so many at a time, in the order they were asked for."""

    async def run(self, job: Callable[[], T]) -> T:
        """The job's result, or its exception. Cancelling the wait never stops a job that has begun."""

    async def close(self) -> None:
        """Wait for the jobs that have begun; idempotent."""
