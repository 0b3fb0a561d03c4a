"""Where a torrent's files are looked for, and how one gets from place to place while the torrent goes on.

What this decides: a file changes its place by a rename where that does, by a copy elsewhere, and never onto another
file. Who opens a file by its place waits while places change. A file that has other names (hard links) is somebody
else's too, so the torrent gets a copy of its own before anything is written. Every function blocks, and raises
StorageError or a subclass of it.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

from p2p.disk.file_copy import FileCopy
from p2p.disk.paths import folder_below, stat_file, sync_folder
from p2p.disk.places import Found, Place, Places, Spot, choose
from p2p.disk.refusals import printable, refusal
from p2p.disk.storage import FileStat
from p2p.disk.trash import remove_empty, remove_file, rename_below
from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.disk.open_files import OpenFiles
    from p2p.disk.places import Parts
    from p2p.disk.storage import Left


class Transfer(NamedTuple):
    """A file's copy to another place, and its source as it was when that began."""

    copy: FileCopy
    before: FileStat


class Housing:
    """The files of one torrent at their places; `files` may hold them open."""

    def __init__(self, places: Places, files: OpenFiles) -> None:
        self._places = places
        self._files = files

    def find(self, left: Mapping[int, Left]) -> list[Found]:
        """Look for each file of the layout, and note where it is; what is nowhere will be made where it belongs."""
        found = []
        for index, file in enumerate(self._places.layout.files):
            if file.stored:
                found.append(self._find(index, file.length, left.get(index)))
                self._places.put(index, found[-1].place)
            else:
                found.append(Found(self._places.whole(index), None))
        return found

    def _find(self, index: int, length: int, left: Left | None) -> Found:
        whole = self._places.whole(index)
        first = self._stat(whole)
        if first is not None and (first.size == length if left is None else (first, Spot.WHOLE) == left):
            return Found(whole, first)
        spots = self._places.spots(index)
        stats = [first, *(None if spot is None else self._glance(spot) for spot in spots[1:])]
        at = choose(stats, length) if left is None else choose(stats, length, left.stat, left.spot)
        if at is None:
            return Found(self._places.begun(index), None)
        others = (spot for number, spot in enumerate(spots) if number != at and stats[number] is not None)
        return Found(spots[at] or whole, stats[at], tuple(spot for spot in others if spot is not None))

    def _stat(self, place: Place) -> FileStat | None:
        try:
            found = stat_file(*place)
        except OSError as error:
            raise refusal(error, place.path) from error
        return None if found is None else FileStat(found.st_size, found.st_mtime_ns)

    def _glance(self, place: Place) -> FileStat | None:
        """What is in a place that need not be looked at: nothing, if it cannot be."""
        try:
            return self._stat(place)
        except StorageError:
            return None

    # -- one file

    def move(self, index: int, place: Place) -> Transfer | None:
        """Bring a file to `place`, or have it made there if it is nowhere. A transfer, where that takes a copy."""
        with self._places.changing:
            current = self._places[index]
            if current == place:
                return None
            before = self._stat(current)
            if before is None:
                self._places.put(index, place)
                return None
            there = self._stat(place)
            if there == before:  # a copy that a crash kept from being used
                self._leave(index, current, place)
                return None
            if there is not None:
                raise StorageError(f"{printable(place.path)} is there already")
            try:
                rename_below(*current, *place)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise refusal(error, place.path) from error
            else:
                self._arrive(index, current, place)
                return None
        transfer = Transfer(FileCopy(current, place), before)
        transfer.copy.begin()
        return transfer

    def end_move(self, index: int, transfer: Transfer) -> bool:
        """Let a copy that is whole take over. False, and nothing is changed, where its source has changed meanwhile."""
        copy = transfer.copy
        with self._places.changing:
            if self._stat(copy.source) != transfer.before:
                copy.give_up()
                return False
            copy.end()
            self._leave(index, copy.source, copy.target)
        return True

    def _leave(self, index: int, current: Place, place: Place) -> None:
        try:
            remove_file(*current)
        except OSError as error:
            raise refusal(error, current.path) from error
        self._arrive(index, current, place)

    def _arrive(self, index: int, current: Place, place: Place) -> None:
        self._files.discard(*current)
        self._places.put(index, place)
        try:
            remove_empty(current.folder, [current.parts])
        except OSError as error:
            raise refusal(error, current.path) from error

    def shared(self, index: int) -> FileCopy | None:
        """The copy that gives a file to us alone; None where it is."""
        place = self._places[index]
        try:
            found = stat_file(*place)
        except OSError as error:
            raise refusal(error, place.path) from error
        if found is None or found.st_nlink <= 1:
            return None
        copy = FileCopy(place, place)
        copy.begin()
        return copy

    def end_sharing(self, copy: FileCopy) -> None:
        """Let the copy take the file's name; its other names keep the file."""
        copy.end_over()
        self._files.discard(*copy.target)

    # -- names

    def rename(self, old: Parts, new: Parts, names: Mapping[int, Parts]) -> None:
        """Give the file or folder `old` the path `new` in the same folder, wherever it is; `names` are the names
        afterwards that differ from the torrent's. If it cannot be done everywhere it is done nowhere."""
        with self._places.changing:
            places = self._places
            later = Places(places.layout, places.target, names=names, incomplete=places.incomplete)
            affected = {
                index: later.at(index, places.spot(index))
                for index, file in enumerate(places.layout.files)
                if file.stored and places.name(index)[: len(old)] == old
            }
            if old in map(places.name, affected):
                entries = [(places[index], place) for index, place in affected.items()]
            else:
                folders = dict.fromkeys(
                    Place(os.fspath(each), ()) for each in (places.target, places.incomplete) if each
                )
                entries = [(Place(folder, old), Place(folder, new)) for folder, _ in folders]
            _rename_all(entries)
            for index in affected:
                self._files.discard(*places[index])
            places.set_names(names)
            for index, place in affected.items():
                places.put(index, place)


def _rename_all(entries: list[tuple[Place, Place]]) -> None:
    done: list[tuple[Place, Place]] = []
    try:
        for before, after in entries:
            if _rename_entry(before, after):
                done.append((before, after))
    except BaseException:
        for before, after in reversed(done):
            _rename_entry(after, before)
        raise


def _rename_entry(before: Place, after: Place) -> bool:
    """Rename a file or folder within its folder. False: it is not there."""
    try:
        with folder_below(before.folder, before.parts[:-1]) as folder:
            try:
                found = os.stat(before.parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return False
            try:
                there = os.stat(after.parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                pass
            else:
                if not os.path.samestat(found, there):  # a name that differs in case alone may be the same on this disk
                    raise StorageError(f"{printable(after.path)} is there already")
            os.rename(before.parts[-1], after.parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
        sync_folder(before.folder, before.parts[:-1])
    except FileNotFoundError:
        return False
    except OSError as error:
        raise refusal(error, before.path) from error
    return True
