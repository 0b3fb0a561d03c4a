"""A disk with knobs, over memory: slow, full for a time, failing on a call by its number, corrupt, and torn by crashes.

The rule: what is refused leaves no trace, and the knobs may be turned at any moment; a call looks at them when its time
on the disk is over. A piece that equals the scenario's reference is kept as that very object, so that a thousand disks
with the same content hold it once; only what deviates has bytes of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.disk.memory_storage import MemoryStorage
from p2p.disk.storage import PieceState
from p2p.errors import DiskFullError, StorageError
from p2p.simulation.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.disk.storage import PieceCheck
    from p2p.ids import PieceIndex
    from p2p.metainfo.layout import Layout

HASH_RATE: Final = 500e6
"""Bytes a second that a core hashes with SHA-1 where it has instructions for it, on the careful side."""


@dataclass(slots=True)
class DiskKnobs:
    """What is wrong with a disk, and how often it was used. Times in seconds; calls are counted from 1."""

    full: bool = False
    space: int | None = None
    """Bytes of content that there is room for; None for no bound."""

    failing_store: int | None = None
    failing_read: int | None = None
    failing_sync: int | None = None
    """The call that fails, and every one after it."""

    store_time: float = 0.0
    read_time: float = 0.0
    sync_time: float = 0.0
    """What each call takes, whatever its size and however many there are at once."""

    store_rate: float | None = None
    read_rate: float | None = None
    """Bytes a second, shared by all calls, one after the other; None for no limit."""

    hash_rate: float | None = HASH_RATE
    """Bytes a second of each hash job; None for no time at all."""

    lying: bool = False
    """What is read is not what was stored, though nothing says so."""

    stores: int = 0
    reads: int = 0
    syncs: int = 0


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
        self._free_at = 0.0
        self._used = sum(map(len, self._pieces.values()))
        self._before: dict[int, bytes | None] = {}
        """What was there before each store that was not synced, None for nothing."""

    @property
    def content(self) -> Mapping[int, bytes]:
        """The pieces that are there. Live."""
        return self._pieces

    # -- what befalls a disk

    def corrupt(self, piece: int, at: int = 0) -> None:
        """Turn over the bits of one byte of a piece that is there, as a disk does that nobody asked to."""
        content = bytearray(self._pieces[piece])
        content[at] ^= 0xFF
        self._pieces[piece] = bytes(content)

    def crash(self) -> None:
        """The power fails: what was stored since the last sync was never written."""
        for piece, content in self._before.items():
            self._used -= len(self._pieces[piece]) - len(content or b"")
            if content is None:
                del self._pieces[piece]
            else:
                self._pieces[piece] = content
        self._before.clear()

    # -- the port

    async def read(self, piece: PieceIndex, begin: int, length: int) -> bytes:
        knobs = self._knobs
        knobs.reads += 1
        failing = knobs.failing_read is not None and knobs.reads >= knobs.failing_read
        await self._pass_time(knobs.read_time, length, knobs.read_rate)
        if failing:
            raise StorageError(f"cannot read piece {piece}: input/output error")
        content = await super().read(piece, begin, length)
        return bytes(len(content)) if knobs.lying else content

    async def store(self, piece: PieceIndex, views: Sequence[bytes | memoryview], check: PieceCheck) -> bool:
        knobs = self._knobs
        knobs.stores += 1
        failing = knobs.failing_store is not None and knobs.stores >= knobs.failing_store
        size = sum(map(len, views))
        await self._pass_time(knobs.store_time + _hashing(size, knobs), size, knobs.store_rate)
        if failing:
            raise StorageError(f"cannot write piece {piece}: input/output error")
        equal = self._reference.equals(piece, views)
        good = self._reference.verdict(piece, check) if equal else check(views)
        if not good:
            return False
        before = self._pieces.get(piece)
        used = self._used + size - len(before or b"")
        if knobs.full or (knobs.space is not None and used > knobs.space):
            raise DiskFullError("no room left on the disk")
        self._before.setdefault(piece, before)
        self._pieces[piece] = self._reference.pieces[piece] if equal else b"".join(views)
        self._used = used
        self._stores += 1
        return True

    async def verify(self, piece: PieceIndex, check: PieceCheck) -> PieceState:
        content = self._pieces.get(piece)
        if content is not None:
            knobs = self._knobs
            await self._pass_time(_hashing(len(content), knobs), len(content), knobs.read_rate)
        if content is None or content is not self._reference.pieces.get(piece):
            return await super().verify(piece, check)
        return PieceState.GOOD if self._reference.verdict(piece, check) else PieceState.BAD

    async def sync(self) -> None:
        knobs = self._knobs
        knobs.syncs += 1
        failing = knobs.failing_sync is not None and knobs.syncs >= knobs.failing_sync
        covered = {piece: self._pieces[piece] for piece in self._before}
        await self._pass_time(knobs.sync_time, 0, None)
        if failing:
            raise StorageError("cannot sync: input/output error")
        for piece, content in covered.items():
            if piece in self._before and self._pieces.get(piece) is content:
                del self._before[piece]

    async def _pass_time(self, fixed: float, size: int, rate: float | None) -> None:
        """Take `fixed` seconds, and those that `size` bytes take once the calls before this one are through."""
        if rate is not None:
            now = asyncio.get_running_loop().time()
            self._free_at = max(self._free_at, now) + size / rate
            fixed += self._free_at - now
        if fixed > 0.0:
            await asyncio.sleep(fixed)


def _hashing(size: int, knobs: DiskKnobs) -> float:
    return 0.0 if knobs.hash_rate is None else size / knobs.hash_rate
