"""What the opening of a torrent's content asks of the run that it is for: to hear of it, and to wait, or not."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from p2p.errors import DiskFullError


class Opening:
    """As it stands it tells nobody and never waits; a run has its own form of it."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        """Set once the opening is of no use any more."""

    def progress(self, done: int, total: int) -> None:
        """So many bytes of those that are to be hashed are."""

    def turn(self, folder: Path, size: int) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 - the port's shape
        """Within this, `size` bytes below `folder` may be hashed. Raises CheckStoppedError."""
        return nullcontext()

    async def room(self, error: DiskFullError) -> None:
        """There is no room to begin: returns when there may be. Raises the error where nobody waits."""
        raise error
