"""A disk with knobs, over memory: full for a time, failing on a call by its number, slow.

The rule: what is refused leaves no trace, and the knobs may be turned at any moment; a call looks at them when its time
on the disk is over. A piece that equals the scenario's reference is kept as that very object, so that a thousand disks
with the same content hold it once; only what deviates has bytes of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.disk.memory_storage import MemoryStorage
from p2p.disk.storage import PieceState
from p2p.errors import DiskFullError, StorageError
from p2p.simulation.reference import Reference

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

    def __init__(
        self,
        layout: Layout,
        content: Mapping[int, bytes] | None,
        knobs: DiskKnobs,
        reference: Reference | None = None,
    ) -> None:
        super().__init__(layout, content)
        self._knobs = knobs
        self._reference = reference or Reference({})

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
        equal = self._reference.equals(piece, views)
        good = self._reference.verdict(piece, check) if equal else check(views)
        if not good:
            return False
        if knobs.full:
            raise DiskFullError("no room left on the disk")
        self._pieces[piece] = self._reference.pieces[piece] if equal else b"".join(views)
        self._stores += 1
        return True

    async def verify(self, piece: PieceIndex, check: PieceCheck) -> PieceState:
        content = self._pieces.get(piece)
        if content is None or content is not self._reference.pieces.get(piece):
            return await super().verify(piece, check)
        return PieceState.GOOD if self._reference.verdict(piece, check) else PieceState.BAD

    async def sync(self) -> None:
        if self._knobs.sync_time:
            await asyncio.sleep(self._knobs.sync_time)
        await super().sync()
