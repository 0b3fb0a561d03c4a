"""Comparing content on disk with its torrent: which pieces match, and which files those that do not belong to.

The rule: nothing is written, and no file is blamed for its neighbour: a piece that cannot be read because one of its
files is missing leaves the others unchecked, not bad.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from p2p.disk.open_files import OpenFiles
from p2p.disk.piece_files import PieceFiles
from p2p.disk.storage import PieceState
from p2p.session.content import find_content
from p2p.session.work_through import core_count, work_through

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from p2p.disk.storage import FileStat
    from p2p.metainfo.layout import Layout
    from p2p.metainfo.metainfo import Metainfo


class FileState(Enum):
    """What became of a file."""

    GOOD = "good"
    BAD = "bad"
    """Pieces of it do not match, or it is not as long as the torrent says."""
    MISSING = "missing"
    UNCHECKED = "unchecked"
    """What could be checked matches; the rest shares pieces with a file that is not whole."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file of the torrent that belongs on disk. Sizes are bytes; `size` is None where there is no file."""

    path: Path
    """Where it is, or should be."""
    length: int
    size: int | None
    state: FileState
    bad: tuple[int, ...]
    """Pieces with bytes of this file that do not match, ascending."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome of a verification; piece numbers ascend."""

    target: Path
    piece_count: int
    bad: tuple[int, ...]
    missing: tuple[int, ...]
    """Pieces of which some byte is not there."""
    files: tuple[FileReport, ...]

    @property
    def good_count(self) -> int:
        return self.piece_count - len(self.bad) - len(self.missing)

    @property
    def whole(self) -> bool:
        """Whether everything is there, matches, and has its length."""
        return all(file.state is FileState.GOOD for file in self.files)


async def verify(
    metainfo: Metainfo,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    threads: int | None = None,
) -> VerifyReport:
    """Check the content at `path`, the content itself or the folder that holds it, against its torrent.

    `progress` is told the bytes checked and the bytes there are, on the event loop. `threads` defaults to one a core.
    Raises StorageError for what cannot be read, other than that it is not there.
    """
    layout, target = await asyncio.to_thread(find_content, metainfo, path)
    open_files = OpenFiles()
    pieces = PieceFiles(layout, target, open_files)
    checkers: list[_Checker] = []

    def make() -> Callable[[int], tuple[int, PieceState]]:
        checkers.append(_Checker(metainfo, pieces))
        return checkers[-1].check

    total = sum(map(layout.piece_size, range(layout.piece_count)))

    def tick() -> None:
        if progress is not None:
            progress(sum(checker.done for checker in checkers), total)

    try:
        stats = await asyncio.to_thread(pieces.stat)
        results = await work_through(
            iter(range(layout.piece_count)),
            make,
            threads=core_count() if threads is None else threads,
            tick=tick,
        )
    finally:
        open_files.close()
    bad = tuple(sorted(piece for piece, state in results if state is PieceState.BAD))
    missing = tuple(sorted(piece for piece, state in results if state is PieceState.MISSING))
    return VerifyReport(
        target, layout.piece_count, bad, missing, tuple(_file_reports(layout, target, stats, set(bad), set(missing)))
    )


class _Checker:
    """One thread's hands: a buffer of one piece."""

    def __init__(self, metainfo: Metainfo, pieces: PieceFiles) -> None:
        self.done = 0
        self._metainfo = metainfo
        self._pieces = pieces
        self._buffer = memoryview(bytearray(metainfo.layout.piece_length))

    def check(self, piece: int) -> tuple[int, PieceState]:
        view = self._buffer[: self._metainfo.layout.piece_size(piece)]
        state = PieceState.MISSING
        if self._pieces.read_into(piece, view):
            state = PieceState.GOOD if self._metainfo.piece_check(piece)([view]) else PieceState.BAD
        self.done += len(view)
        return piece, state


def _file_reports(
    layout: Layout, target: Path, stats: list[FileStat | None], bad: set[int], missing: set[int]
) -> Iterator[FileReport]:
    for index, (file, found) in enumerate(zip(layout.files, stats, strict=True)):
        if not file.stored:
            continue
        pieces = layout.pieces_of_file(index)
        mine = tuple(piece for piece in pieces if piece in bad)
        if found is None:
            state = FileState.MISSING
        elif mine or found.size != file.length:
            state = FileState.BAD
        elif missing and any(piece in missing for piece in pieces):
            state = FileState.UNCHECKED
        else:
            state = FileState.GOOD
        size = None if found is None else found.size
        yield FileReport(target.joinpath(*layout.root, *file.parts), file.length, size, state, mine)
