"""Where the simulation runs hash and disk jobs: at once, in the caller's turn, so that a trace has no races."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class InlineHasher:
    """Runs each job inside `run`."""

    def __init__(self) -> None:
        self._closed = False

    async def run(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StorageError("disk work was asked for after it was closed down")
        return job()

    async def close(self) -> None:
        self._closed = True
