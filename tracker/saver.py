"""Saves swarms now and then and at the end, and restores them at the start.

The rule: swarms can be told anew by their peers, so nothing about the file stops the tracker; what could not be read is
put aside and said, what could not be written is said once and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from p2p.errors import StorageError
from tracker import snapshot_file
from tracker.event_log import tell

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tracker.store import Store


class SwarmSaver:
    """Keeps the swarms of `store` in the file at `path`. `clock` is the store's, `wall` seconds since the epoch."""

    def __init__(
        self, path: Path, store: Store, *, clock: Callable[[], float], wall: Callable[[], float], every: float
    ) -> None:
        self._path = path
        self._store = store
        self._clock = clock
        self._wall = wall
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._failing = False
        self.saved: float | None = None
        """When swarms were last saved, seconds since the epoch; None before the first time."""

    def restore(self, *, lifetime: float, rng: random.Random) -> None:
        """Before anybody is answered. `lifetime` is how many seconds a peer stays without an announce.

        Raises StorageError where there is no folder to write to.
        """
        if not self._path.parent.is_dir():
            raise StorageError(f"swarms cannot be saved to {self._path}: there is no folder {self._path.parent}")
        now = self._clock()
        try:
            found = snapshot_file.restore(
                self._path, self._store, clock=now, wall=self._wall(), lifetime=lifetime, rng=rng
            )
        except StorageError as error:
            aside = self._path.with_name(f"{self._path.name}.damaged")
            tell("swarms not restored", level=logging.ERROR, reason=str(error), moved_to=str(aside))
            try:
                self._path.replace(aside)
            except OSError as failure:
                raise StorageError(f"{self._path} cannot be moved away: {failure.strerror}") from failure
            return
        if found:
            tell("swarms restored", **self._store.totals()._asdict())

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tracker saver")

    def set_period(self, every: float) -> None:
        """Seconds between two saves, from now on."""
        self._every = every
        self._changed.set()

    async def close(self) -> None:
        """Save a last time. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            await self._save()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._every):
                    await self._changed.wait()
            except TimeoutError:
                await self._save()

    async def _save(self) -> None:
        try:
            size = await snapshot_file.save(self._path, self._store, clock=self._clock, wall=self._wall)
        except StorageError as error:
            if not self._failing:
                tell("swarms not saved, tried again", level=logging.ERROR, reason=str(error))
            self._failing = True
            return
        if self._failing:
            tell("swarms saved again", bytes=size)
        self._failing = False
        self.saved = self._wall()
