"""Keeps a store's swarms in a file: restored at the start, saved every few minutes and at the end.

The rule: a file that cannot be read is an empty start and one that cannot be written is tried again, both told to the
log; neither stops the tracker. A file that is refused is kept aside, because the next save would take its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from p2p.errors import StorageError
from tracker import snapshot_file
from tracker.event_log import tell

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tracker.store import Store

SAVE_PERIOD: Final = 300.0
"""Seconds between saves: what a kill costs, against some 50 MB a million peers to write."""

ASIDE: Final = ".refused"


class SavedSwarms:
    """The file at `path` of one `store`. `clock` tells the store's time, `wall` seconds since the epoch."""

    def __init__(self, path: Path, store: Store, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._path = path
        self._store = store
        self._clock = clock
        self._wall = wall
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._saved: float | None = None

    @property
    def saved(self) -> float | None:
        """When the swarms were last saved, in seconds since the epoch."""
        return self._saved

    def restore(self, lifetime: float, rng: random.Random) -> None:
        """Take in what the file has, but for peers unseen for `lifetime` seconds; before anybody is answered."""
        clock, wall = self._clock(), self._wall()
        try:
            found = snapshot_file.restore(self._path, self._store, clock=clock, wall=wall, lifetime=lifetime, rng=rng)
        except StorageError as error:
            with contextlib.suppress(OSError):
                self._path.replace(self._path.with_name(self._path.name + ASIDE))
            tell("swarms are not restored, the start is empty", level=logging.ERROR, reason=str(error))
            return
        if found:
            tell("swarms restored", **self._store.totals()._asdict())

    def start(self) -> None:
        """Save from now on."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="save swarms")

    async def close(self) -> None:
        """Save once more, if it was started; nobody may announce any more. Idempotent."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._stopping.set()  # a save under way is not cut off: its thread would go on
        await task
        await self._save()

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_PERIOD):
                    await self._stopping.wait()
                return
            await self._save()

    async def _save(self) -> None:
        try:
            await snapshot_file.save(self._path, self._store, clock=self._clock, wall=self._wall)
        except StorageError as error:
            tell("swarms are not saved", level=logging.ERROR, reason=str(error))
        else:
            self._saved = self._wall()
