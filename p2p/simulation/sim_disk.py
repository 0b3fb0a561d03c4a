"""A disk with knobs, over memory: full for a time, failing on a call by its number, slow.

The rule: what is refused leaves no trace, and the knobs may be turned at any moment; a call looks at them when its time
on the disk is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.disk.memory_storage import MemoryStorage
from p2p.errors import DiskFullError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.disk.storage import PieceCheck
    from p2p.ids import PieceIndex
    from p2p.metainfo.layout import Layout


@dataclass(slots=True)
class DiskKnobs:
    """What is wrong with a disk, and how often it was used. Times in seconds; calls are counted from 1."""

    full: bool = False
    failing_store: int | None = None
    failing_read: int | None = None
    """The call that fails, and every one after it."""

    store_time: float = 0.0
    read_time: float = 0.0
    sync_time: float = 0.0
    stores: int = 0
    reads: int = 0


class SimDisk(MemoryStorage):
    """Storage in memory that behaves as `knobs` say."""

    def __init__(self, layout: Layout, content: Mapping[int, bytes] | None, knobs: DiskKnobs) -> None:
        super().__init__(layout, content)
        self._knobs = knobs

    @property
    def content(self) -> Mapping[int, bytes]:
        """The pieces that are there. Live."""
        return self._pieces

    async def read(self, piece: PieceIndex, begin: int, length: int) -> bytes:
        knobs = self._knobs
        knobs.reads += 1
        failing = knobs.failing_read is not None and knobs.reads >= knobs.failing_read
        if knobs.read_time:
            await asyncio.sleep(knobs.read_time)
        if failing:
            raise StorageError(f"cannot read piece {piece}: input/output error")
        return await super().read(piece, begin, length)

    async def store(self, piece: PieceIndex, views: Sequence[bytes | memoryview], check: PieceCheck) -> bool:
        knobs = self._knobs
        knobs.stores += 1
        failing = knobs.failing_store is not None and knobs.stores >= knobs.failing_store
        if knobs.store_time:
            await asyncio.sleep(knobs.store_time)
        if failing:
            raise StorageError(f"cannot write piece {piece}: input/output error")
        if knobs.full and check(views):
            raise DiskFullError("no room left on the disk")
        return await super().store(piece, views, check)

    async def sync(self) -> None:
        if self._knobs.sync_time:
            await asyncio.sleep(self._knobs.sync_time)
        await super().sync()
