"""Where each file of a torrent lies: the one resolver of final, incomplete and suffixed names.

What this decides: a file that is whole belongs in the torrent's folder under its own name; one that is not may be kept
in a folder for what is incomplete, with a suffix that says so. Where a file is found counts, not where today's settings
would put it: of all places where it may be, the file that is as it was left is taken, then the one where it was left,
then the longest that is not too long. Others of the same name are told and left alone.

No two files of a torrent share a place: a file whose suffixed name another one has goes without the suffix.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.metainfo.paths import MAX_NAME, folded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.disk.storage import FileStat
    from p2p.metainfo.layout import Layout

Parts = tuple[str, ...]

SUFFIX: Final = ".part"
"""What the name of a file ends in while it is not whole, if users want that: Transmission's, so tools know it."""


class Spot(IntEnum):
    """Which of its places a file has. The numbers are on record."""

    WHOLE = 0
    SUFFIXED = 1
    INCOMPLETE = 2
    INCOMPLETE_SUFFIXED = 3


class Place(NamedTuple):
    """A file's path: `parts` below `folder`, which the user chose."""

    folder: str
    parts: Parts

    @property
    def path(self) -> Path:
        return Path(self.folder, *self.parts)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was looked for. `stat` is of the place that is taken, None where the file is nowhere."""

    place: Place
    stat: FileStat | None
    others: tuple[Place, ...] = ()
    """Where more files of its name are."""


class Places:
    """The places of one torrent's files, by index in its layout. Safe to use from any thread.

    `names` are the paths below the folder of files that are not called as in the torrent, `former` their names before a
    renaming that may not have been ended. `incomplete` is the folder for files that are not whole, None where that is
    `target`; `suffix` ends their names.
    """

    def __init__(
        self,
        layout: Layout,
        target: Path,
        *,
        names: Mapping[int, Parts] | None = None,
        former: Mapping[int, Parts] | None = None,
        incomplete: Path | None = None,
        suffix: str = "",
    ) -> None:
        self.layout = layout
        self.target = target
        self.names: dict[int, Parts] = dict(names or {})
        self.former: dict[int, Parts] = dict(former or {})
        self.incomplete = None if incomplete == target else incomplete
        self.suffix = suffix
        self.changing = threading.Lock()
        """Held while files change their places, until this knows it too."""
        self._folder = os.fspath(target)
        self._elsewhere: dict[int, Place] = {}
        """Where files are that are not in the place of whole ones."""
        self._spots: dict[int, Spot] = {}
        """Which places those are."""
        self._unsuffixed: frozenset[int] | None = None

    def __getitem__(self, index: int) -> Place:
        """Where the file is, or is to be made."""
        place = self._elsewhere.get(index)
        return Place(self._folder, self.name(index)) if place is None else place

    def settled(self, index: int) -> Place:
        """The same, once no file changes its place."""
        with self.changing:
            return self[index]

    def name(self, index: int) -> Parts:
        """The path that the file has below the torrent's folder when it is whole."""
        name = self.names.get(index)
        return (*self.layout.root, *self.layout.files[index].parts) if name is None else name

    @property
    def elsewhere(self) -> list[int]:
        """The files that are not in the place of whole ones, ascending."""
        return sorted(self._elsewhere)

    @property
    def top(self) -> str:
        """The name of the torrent's file or top folder."""
        stored = (index for index, file in enumerate(self.layout.files) if file.stored)
        return self.name(next(stored, 0))[0]

    def whole(self, index: int) -> Place:
        """Where the file belongs once it is whole."""
        return Place(self._folder, self.name(index))

    def begun(self, index: int) -> Place:
        """Where the file belongs while it is not."""
        folder = self._folder if self.incomplete is None else os.fspath(self.incomplete)
        return Place(folder, self._suffixed(index, self.name(index)) if self.suffix else self.name(index))

    def spots(self, index: int) -> list[Place | None]:
        """Every place where the file may be, by `Spot`; then the same for its former name, if it has one."""
        names = [self.name(index)]
        if index in self.former:
            names.append(self.former[index])
        folders = self._folder, None if self.incomplete is None else os.fspath(self.incomplete)
        found: list[Place | None] = []
        for name in names:
            suffixed = self._suffixed(index, name)
            paths = name, None if suffixed == name else suffixed
            found.extend(Place(folder, path) if folder and path else None for folder in folders for path in paths)
        return found

    def spot(self, index: int) -> Spot:
        """Which of its places the file has."""
        return self._spots.get(index, Spot.WHOLE)

    def put(self, index: int, place: Place) -> None:
        """The file is there now. While files change their places, only whoever holds `changing` calls this."""
        if place == self.whole(index):
            self._elsewhere.pop(index, None)
            self._spots.pop(index, None)
        else:
            spots = self.spots(index)
            self._spots[index] = Spot(spots.index(place) % len(Spot)) if place in spots else Spot.WHOLE
            self._elsewhere[index] = place

    def set_begun(self, incomplete: str | Path | None, *, suffix: bool | None = None) -> None:
        """Where files that are not whole belong, and how they are called; where they are is another question."""
        folder = None if incomplete is None else Path(incomplete).absolute()
        self.incomplete = None if folder == self.target else folder
        if suffix is not None:
            self.suffix = SUFFIX if suffix else ""

    def at(self, index: int, spot: Spot) -> Place:
        """The place that a spot stands for; without its suffix where the name cannot have one."""
        spots = self.spots(index)
        return spots[spot] or spots[spot & ~1] or self.whole(index)

    def set_names(self, names: Mapping[int, Parts], former: Mapping[int, Parts] | None = None) -> None:
        """Files are called otherwise from now on; where they are is told with `put`, for each that it concerns."""
        self.names, self.former = dict(names), dict(former or {})
        self._unsuffixed = None

    def _suffixed(self, index: int, name: Parts) -> Parts:
        if self._unsuffixed is None:
            self._unsuffixed = frozenset(self._not_to_suffix())
        return name if index in self._unsuffixed else _with_suffix(name)

    def _not_to_suffix(self) -> list[int]:
        names = {index: self.name(index) for index, file in enumerate(self.layout.files) if file.stored}
        if not any(name[-1][-len(SUFFIX) :].lower() == SUFFIX for name in names.values()):
            return [index for index, name in names.items() if len(_with_suffix(name)[-1].encode()) > MAX_NAME]
        taken = {tuple(map(folded, name)) for name in names.values()}
        return [
            index
            for index, name in names.items()
            if tuple(map(folded, _with_suffix(name))) in taken or len(_with_suffix(name)[-1].encode()) > MAX_NAME
        ]


def choose(
    stats: Sequence[FileStat | None], length: int, recorded: FileStat | None = None, spot: Spot = Spot.WHOLE
) -> int | None:
    """Which of several files of one name, by their places, is the torrent's; None where there is none.

    `length` is what the torrent says. `recorded` is how the file was left, and `spot` where; None if it was not there.
    Ties go to the first.
    """
    there = [(at, stat) for at, stat in enumerate(stats) if stat is not None]
    if recorded is not None:
        for at, _ in sorted(there, key=lambda each: each[0] % len(Spot) != spot):
            if stats[at] == recorded:  # where it was left before all: what is elsewhere then is a copy of it
                return at
        for at, _ in there:
            if at % len(Spot) == spot:
                return at
    if not there:
        return None
    fitting = [(at, stat) for at, stat in there if stat.size <= length]
    return max(fitting or there, key=lambda each: (each[1].size, -each[0]))[0]


def _with_suffix(name: Parts) -> Parts:
    return (*name[:-1], name[-1] + SUFFIX)
