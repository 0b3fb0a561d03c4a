"""When a torrent's progress goes on record, and what becomes of the torrent when it cannot.

The rule: no room for the record is no reason to give up. The torrent says so, waits, and tries again; only what room
does not cure ends it, and that through the torrent's own orderly stop.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from p2p.errors import DiskFullError, StorageError
from p2p.session.storing import DISK_FULL_RETRY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class RecordKeeping:
    """The checkpoints of one torrent while it runs, made by `checkpoint`, until `stop` is set."""

    def __init__(
        self,
        *,
        checkpoint: Callable[[], Awaitable[None]],
        interval: float,
        stop: asyncio.Event,
        on_error: Callable[[StorageError], None],
    ) -> None:
        """`interval` is seconds. `on_error` is told each failure; DiskFullError means that we wait."""
        self._checkpoint = checkpoint
        self._interval = interval
        self._stop = stop
        self._on_error = on_error
        self.waiting = False
        """Whether the last checkpoint found no room."""

    async def run(self) -> None:
        """Put progress on record now and then, until cancelled, stopped or failed."""
        while True:
            await asyncio.sleep(self._interval)
            if not await self.put_on_record():
                return

    async def put_on_record(self) -> bool:
        """Make a checkpoint, when there is room. False: it failed, or the torrent stopped while there was none."""
        while True:
            try:
                await self._checkpoint()
            except DiskFullError as error:
                self.waiting = True
                self._on_error(error)
            except StorageError as error:
                self._on_error(error)
                return False
            else:
                self.waiting = False
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(DISK_FULL_RETRY):
                    await self._stop.wait()
            if self._stop.is_set():
                return False
