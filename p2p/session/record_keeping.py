"""When a torrent's progress goes on record, and what becomes of the torrent when it cannot.

The rule: what changed is on record an interval later, and while nothing changes nothing is done. No room for the record
is no reason to give up: the torrent says so, waits, and tries again; only what room does not cure ends it, and that
through the torrent's own orderly stop.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from p2p.errors import DiskFullError, StorageError
from p2p.session.storing import DISK_FULL_RETRY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.session.agenda import Agenda
    from p2p.session.scope import Scope


class RecordKeeping:
    """The checkpoints of one torrent while it runs, made by `checkpoint`, until `stop` is set."""

    def __init__(
        self,
        *,
        checkpoint: Callable[[], Awaitable[None]],
        interval: float,
        agenda: Agenda,
        stop: asyncio.Event,
        on_error: Callable[[StorageError], None],
    ) -> None:
        """`interval` is seconds. `on_error` is told each failure; DiskFullError means that we wait."""
        self._checkpoint = checkpoint
        self._interval = interval
        self._agenda = agenda
        self._scope: Scope | None = None
        self._ahead = False
        """Whether there will be a checkpoint."""
        self._stop = stop
        self._on_error = on_error
        self.waiting = False
        """Whether the last checkpoint found no room."""

    def begin(self, scope: Scope) -> None:
        """Put progress on record from here on, for as long as `scope` is open or until `end`."""
        self._scope = scope

    def end(self) -> None:
        """Make no further checkpoint."""
        self._scope = None
        self._agenda.forget(self)

    def on_progress(self, now: float) -> None:
        """Something is other than what is on record."""
        if not self._ahead and self._scope is not None:
            self._ahead = True
            self._agenda.set(self, now + self._interval, self._start)

    def _start(self) -> None:
        if self._scope is None or self._scope.closing or self._stop.is_set():
            return
        if self.waiting:  # the one that waits for room will hold this too
            self._agenda.set(self, asyncio.get_running_loop().time() + self._interval, self._start)
        else:
            self._scope.start(self._keep(), name="checkpoint")

    async def _keep(self) -> None:
        """Only a failure that room does not cure is the end of checkpoints."""
        self._ahead = False  # what changes from here on may come too late for this one
        self._ahead = not await self.put_on_record() or self._ahead

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
