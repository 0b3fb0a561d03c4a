"""Where hash and disk jobs run: a bounded pool of threads in production, inline in simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Hasher(Protocol):
    """Runs blocking jobs, at most so many at a time, in the order they were asked for."""

    async def run(self, job: Callable[[], T]) -> T:
        """The job's result, or its exception. StorageError after `close`.

        Cancelling withdraws a job that has not begun. One that has begun is never stopped, and the cancelled wait ends
        when it does: the caller's memory is free again either way.
        """

    async def close(self) -> None:
        """Wait for the jobs that were asked for and not withdrawn; idempotent."""
