"""Content on its way to another folder, and the journal by which a move outlives a crash.

What this decides: within a filesystem files are renamed; across filesystems each is copied (`p2p.disk.file_copy`). A
source goes when all is at its place and the journal says so, never before. Nothing at the new place is written over.
Every function blocks, and raises StorageError or a subclass of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.codec import bencode
from p2p.disk.file_copy import FileCopy, partial
from p2p.disk.paths import stat_file
from p2p.disk.places import Place
from p2p.disk.refusals import printable, refusal
from p2p.disk.trash import Parts, remove_empty, remove_file, rename_below
from p2p.errors import BencodeError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT: Final = b"starling move 1"


class MoveStage(Enum):
    """How far a move is."""

    COPYING = "copying"
    RENAMING = "renaming"
    SWITCHED = "switched"
    """All is at the new place; what is left at the old one is to be deleted."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """A move of `files` (paths below the folder) from the folder `source` to the folder `target`."""

    source: Path
    target: Path
    files: tuple[Parts, ...]
    stage: MoveStage

    def encode(self) -> bytes:
        """The bytes of a journal."""
        return bencode.encode(
            {
                b"format": _FORMAT,
                b"source": os.fsencode(self.source),
                b"target": os.fsencode(self.target),
                b"stage": self.stage.value.encode(),
                b"files": [[os.fsencode(part) for part in parts] for parts in self.files],
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Relocation:
        """The move in a journal. Raises StorageError for anything that `encode` does not write."""
        try:
            match bencode.decode(data):
                case {
                    b"format": bytes(form),
                    b"source": bytes(source),
                    b"target": bytes(target),
                    b"stage": bytes(stage),
                    b"files": list(files),
                } if form == _FORMAT:
                    return cls(
                        Path(os.fsdecode(source)),
                        Path(os.fsdecode(target)),
                        tuple(_parts(entry) for entry in files),
                        MoveStage(stage.decode()),
                    )
        except (BencodeError, ValueError) as error:
            raise StorageError(f"the journal of a move cannot be read: {error}") from error
        raise StorageError("the journal of a move is none")

    def at(self, stage: MoveStage) -> Relocation:
        """The same, so far."""
        return replace(self, stage=stage)


def _parts(entry: object) -> Parts:
    if not isinstance(entry, list) or not entry or not all(isinstance(part, bytes) for part in entry):
        raise StorageError("the journal of a move has a file that is none")
    return tuple(os.fsdecode(part) for part in entry)


def plan(source: Path, target: Path, files: Iterable[Parts]) -> Relocation:
    """The move of these files, also of those that are yet to come. StorageError where something is in the way."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        moving = tuple(dict.fromkeys(files))
        for parts in moving:
            if stat_file(os.fspath(target), parts) is not None:
                raise StorageError(f"{printable(target.joinpath(*parts))} is there already")
        near = not source.exists() or os.stat(source).st_dev == os.stat(target).st_dev  # noqa: PTH116 - the pair alike
    except OSError as error:
        raise refusal(error, target) from error
    return Relocation(source, target, moving, MoveStage.RENAMING if near else MoveStage.COPYING)


def rename_all(move: Relocation) -> None:
    """Rename what has not been; after a crash this goes on where it was. What fails leaves the rest renamed."""
    try:
        for parts in move.files:
            if stat_file(os.fspath(move.source), parts) is not None:
                rename_below(move.source, parts, move.target, parts)
        remove_empty(move.source, move.files)
    except OSError as error:
        raise refusal(error, move.target) from error


def rename_back(move: Relocation) -> None:
    """Undo what `rename_all` has done so far."""
    try:
        for parts in move.files:
            if (
                stat_file(os.fspath(move.source), parts) is None
                and stat_file(os.fspath(move.target), parts) is not None
            ):
                rename_below(move.target, parts, move.source, parts)
        remove_empty(move.target, move.files)
    except OSError as error:
        raise refusal(error, move.source) from error


def is_copied(move: Relocation, parts: Parts) -> bool:
    """Whether a file is at its new place as it stands at the old one, by size and time of change."""
    try:
        there = stat_file(os.fspath(move.source), parts) is not None
    except OSError as error:
        raise refusal(error, move.source.joinpath(*parts)) from error
    # One that was never there, or is not any more, has nothing to copy.
    return not there or _copy(move, parts).is_done()


def begin_copy(move: Relocation, parts: Parts) -> None:
    """See `FileCopy.begin`."""
    _copy(move, parts).begin()


def copy_step(move: Relocation, parts: Parts, offset: int) -> int:
    """See `FileCopy.step`."""
    return _copy(move, parts).step(offset)


def end_copy(move: Relocation, parts: Parts) -> None:
    """Sync a copy and give it its name; an older copy goes, as `plan` saw that nothing else was there."""
    _copy(move, parts).end_over()


def clear(move: Relocation, folder: Path) -> None:
    """Delete the move's files, whole and partial, below one of its two folders."""
    try:
        if not folder.exists():
            return
        for parts in move.files:
            remove_file(folder, parts)
            remove_file(folder, partial(parts))
        remove_empty(folder, move.files)
    except OSError as error:
        raise refusal(error, folder) from error


def _copy(move: Relocation, parts: Parts) -> FileCopy:
    return FileCopy(Place(os.fspath(move.source), parts), Place(os.fspath(move.target), parts))
