"""Content that a user removes, kept for a while so that it can come back.

What this decides: the trash is a folder beside the content, so that going there and back is a rename and costs no room;
only the files that the torrent has are moved, whatever else lies in their folders; folders that are empty then go, but
never the target. What stands in the way of a return is never written over. Each function blocks, and raises
StorageError or a subclass of it.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.disk.paths import folder_below, make_folders, stat_file, sync_folder
from p2p.disk.refusals import printable, refusal
from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Folder = str | os.PathLike[str]

TRASH: Final = ".starling-trash"
"""The folder in a download folder that holds what was removed; hidden, as it is nobody's to look through."""

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trashed:
    """Files that lie in the trash: `files` are their paths below `target` before, and below `folder` of it now."""

    target: Path
    folder: Parts
    files: tuple[Parts, ...]


def plan(target: Path, files: Iterable[Parts], name: str) -> Trashed:
    """Those of the files that exist, to go to the trash of `target`, in a folder `name` of its own, which must not be
    there."""
    folder: Parts = (TRASH, name)
    try:
        if stat_folder(target, folder):
            raise StorageError(f"{printable(target.joinpath(*folder))} is there already")
        there = tuple(parts for parts in dict.fromkeys(files) if stat_file(os.fspath(target), parts) is not None)
    except OSError as error:
        raise refusal(error, target) from error
    return Trashed(target, folder, there)


def discard(trashed: Trashed) -> None:
    """Move the files to the trash. If one cannot be moved, those before it are put back."""
    target, folder = trashed.target, trashed.folder
    moved: list[Parts] = []
    try:
        try:
            for parts in trashed.files:
                rename_below(target, parts, target, (*folder, *parts))
                moved.append(parts)
        except BaseException:
            for parts in reversed(moved):
                rename_below(target, (*folder, *parts), target, parts)
            raise
        remove_empty(target, moved)
    except OSError as error:
        raise refusal(error, target) from error


def restore(trashed: Trashed) -> None:
    """Put everything back that is not. StorageError, and nothing is moved, where something stands in the way or is
    gone."""
    target, folder = trashed.target, trashed.folder
    away: list[Parts] = []
    try:
        for parts in trashed.files:
            there = stat_file(os.fspath(target), parts) is not None
            if stat_file(os.fspath(target), (*folder, *parts)) is not None:
                if there:
                    raise StorageError(f"{printable(target.joinpath(*parts))} is in the way of what is to come back")
                away.append(parts)
            elif not there:
                raise StorageError(f"{printable(target.joinpath(*folder, *parts))} is gone")
        for parts in away:
            rename_below(target, (*folder, *parts), target, parts)
        remove_empty(target, [(*folder, *parts) for parts in trashed.files])
    except OSError as error:
        raise refusal(error, target) from error


def purge(trashed: Trashed) -> None:
    """Delete for good. What is gone already is no error."""
    try:
        for parts in trashed.files:
            remove_file(trashed.target, (*trashed.folder, *parts))
        remove_empty(trashed.target, [(*trashed.folder, *parts) for parts in trashed.files])
    except OSError as error:
        raise refusal(error, trashed.target) from error


def stat_folder(target: Path, parts: Sequence[str]) -> bool:
    """Whether the folder is there. Raises OSError."""
    try:
        with folder_below(os.fspath(target), parts):
            return True
    except FileNotFoundError:
        return False


def rename_below(source: Folder, old: Parts, target: Folder, new: Parts) -> None:
    """Rename a file, whose new folders are made, on stable storage. Raises OSError; FileExistsError if it would
    replace one."""
    made = make_folders(os.fspath(target), new[:-1])
    with folder_below(os.fspath(source), old[:-1]) as before, folder_below(os.fspath(target), new[:-1]) as after:
        try:
            os.stat(new[-1], dir_fd=after, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(old[-1], new[-1], src_dir_fd=before, dst_dir_fd=after)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    for parts in dict.fromkeys([*made, new[:-1]]):
        sync_folder(os.fspath(target), parts)
    sync_folder(os.fspath(source), old[:-1])


def remove_file(target: Folder, parts: Parts) -> None:
    """Delete a file. One that is gone is no error. Raises OSError."""
    try:
        with folder_below(os.fspath(target), parts[:-1]) as folder:
            os.unlink(parts[-1], dir_fd=folder)
    except FileNotFoundError:
        return


def remove_empty(target: Folder, files: Iterable[Parts]) -> None:
    """Delete the folders that held `files` and hold nothing now, from the deepest up, but never `target`."""
    folders = {parts[:depth] for parts in files for depth in range(1, len(parts))}
    for parts in sorted(folders, key=lambda folder: (-len(folder), folder)):
        try:
            with folder_below(os.fspath(target), parts[:-1]) as above:
                os.rmdir(parts[-1], dir_fd=above)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
