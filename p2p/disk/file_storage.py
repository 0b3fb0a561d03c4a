"""The disk port on real files: every method is one job of the hasher, so the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from p2p.disk.housing import Housing
from p2p.disk.meter import DiskMeter, JobKind
from p2p.disk.piece_files import PieceFiles
from p2p.disk.places import Places
from p2p.disk.storage import FileStat, PieceCheck, PieceState
from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from p2p.disk.file_copy import FileCopy
    from p2p.disk.hasher import Hasher
    from p2p.disk.journal import PieceJournal
    from p2p.disk.open_files import OpenFiles
    from p2p.disk.places import Found, Parts, Place
    from p2p.disk.storage import Left
    from p2p.ids import PieceIndex
    from p2p.metainfo.layout import Layout


RUN: Final = 1 << 20
"""Bytes of short views that are put together, hashed and written in one go."""

LONG: Final = 131_072
"""A view of so many bytes is worth a turn of its own."""


class FileStorage:
    """The content of `layout` at its places, or in a folder; see `PieceFiles` for what is on disk when.

    `files` and `hasher` are shared by a session and stay open when this is closed, as does `journal`; `meter` is told
    how the jobs go.
    """

    def __init__(
        self,
        layout: Layout,
        where: Path | Places,
        *,
        hasher: Hasher,
        files: OpenFiles,
        wanted: Callable[[int], bool] | None = None,
        journal: PieceJournal | None = None,
        meter: DiskMeter | None = None,
    ) -> None:
        self._layout = layout
        self._hasher = hasher
        places = where if isinstance(where, Places) else Places(layout, where)
        self._pieces = PieceFiles(layout, places, files, wanted, journal)
        self._housing = Housing(places, files)
        self._meter = meter or DiskMeter()
        self._verifying = 0
        self._buffers: list[bytearray] = []

    async def find(self, left: Mapping[int, Left]) -> list[Found]:
        return await self._hasher.run(lambda: self._housing.find(left))

    async def move(self, index: int, place: Place) -> None:
        while (transfer := await self._hasher.run(lambda: self._housing.move(index, place))) is not None:
            await self._copy(transfer.copy)
            if await self._hasher.run(partial(self._housing.end_move, index, transfer)):
                return

    async def rename(self, old: Parts, new: Parts, names: Mapping[int, Parts]) -> None:
        await self._hasher.run(lambda: self._housing.rename(old, new, names))

    async def unshare(self, indices: Sequence[int]) -> None:
        for index in indices:
            copy = await self._hasher.run(partial(self._housing.shared, index))
            if copy is not None:
                await self._copy(copy)
                await self._hasher.run(partial(self._housing.end_sharing, copy))

    async def _copy(self, copy: FileCopy) -> None:
        offset = 0
        try:
            while taken := await self._hasher.run(partial(copy.step, offset)):
                offset += taken
        except StorageError:
            await self._hasher.run(copy.give_up)
            raise

    async def prepare(self, *, allocate: bool, protect: Collection[int] = ()) -> None:
        await self._hasher.run(lambda: self._pieces.prepare(allocate=allocate, protect=protect))

    async def stat(self) -> list[FileStat | None]:
        return await self._hasher.run(self._pieces.stat)

    async def read(self, piece: PieceIndex, begin: int, length: int) -> bytes:
        with self._meter.job(JobKind.READ, length, asyncio.get_running_loop().time):
            return await self._hasher.run(lambda: self._pieces.read(piece, begin, length))

    async def verify(self, piece: PieceIndex, check: PieceCheck) -> PieceState:
        self._verifying += 1
        try:
            with self._meter.job(JobKind.VERIFY, self._layout.piece_size(piece), asyncio.get_running_loop().time):
                return await self._hasher.run(lambda: self._verify(piece, check))
        finally:
            self._verifying -= 1
            if not self._verifying:  # buffers serve a run of checks, and are not kept for the next one
                self._buffers.clear()

    async def store(self, piece: PieceIndex, views: Sequence[bytes | memoryview], check: PieceCheck) -> bool:
        with self._meter.job(JobKind.STORE, self._layout.piece_size(piece), asyncio.get_running_loop().time):
            return await self._hasher.run(lambda: self._store(piece, views, check))

    async def sync(self) -> None:
        with self._meter.job(JobKind.SYNC, 0, asyncio.get_running_loop().time):
            await self._hasher.run(self._pieces.sync)

    async def close(self) -> None:
        await self._hasher.run(self._pieces.close)

    def _verify(self, piece: PieceIndex, check: PieceCheck) -> PieceState:
        buffer = self._buffers.pop() if self._buffers else bytearray(self._layout.piece_length)
        try:
            view = memoryview(buffer)[: self._layout.piece_size(piece)]
            if not self._pieces.read_into(piece, view):
                return PieceState.MISSING
            if not check([view]):
                return PieceState.BAD
            self._pieces.on_verified(piece)
            return PieceState.GOOD
        finally:
            self._buffers.append(buffer)

    def _store(self, piece: PieceIndex, views: Sequence[bytes | memoryview], check: PieceCheck) -> bool:
        runs = _joined(views)
        if not check(runs):
            return False
        self._pieces.write(piece, runs)
        return True


def _joined(views: Sequence[bytes | memoryview]) -> Sequence[bytes | memoryview]:
    """The same content in long runs.

    Hashing lets go of the interpreter's lock once a view, and a busy event loop gives it back late. Block by block that
    cost more than this copy: five times the switches between threads and a tenth more CPU time for a piece of 1 MiB.
    """
    if len(views) <= 1:
        return views
    runs: list[bytes | memoryview] = []
    short: list[bytes | memoryview] = []
    size = 0
    for view in views:
        if len(view) >= LONG:
            if short:
                runs.append(b"".join(short))
                short, size = [], 0
            runs.append(view)
            continue
        short.append(view)
        size += len(view)
        if size >= RUN:
            runs.append(b"".join(short))
            short, size = [], 0
    if short:
        runs.append(b"".join(short))
    return runs
