"""How a path below a target folder is walked: one name at a time, never through a symbolic link.

The target itself is the user's choice and may be a link. What lies below it is named by a torrent, so every step down
is an open relative to the folder before it, with O_NOFOLLOW: a link, wherever it leads and whenever it was put there,
ends the walk. This is stricter than comparing real paths, and cannot be raced.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import printable
from p2p.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FOLDER_FLAGS: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_FILE_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK means nothing to a regular file, and keeps the open of a FIFO that stands in its place from hanging."""


@contextmanager
def folder_below(target: str, parts: Sequence[str]) -> Iterator[int]:
    """A descriptor of the folder `parts` below `target`, for use as `dir_fd`. Raises OSError."""
    fd = os.open(target, _FOLDER_FLAGS)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def make_folders(target: str, parts: Sequence[str]) -> list[tuple[str, ...]]:
    """Make the folders `parts` below `target` that do not exist; the folders (as parts) that got a new entry.

    `target` itself must exist. Raises OSError.
    """
    changed = []
    fd = os.open(target, _FOLDER_FLAGS)
    try:
        for depth, part in enumerate(parts):
            try:
                inner = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=fd)
            except FileNotFoundError:
                os.mkdir(part, dir_fd=fd)
                changed.append(tuple(parts[:depth]))
                inner = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
    finally:
        os.close(fd)
    return changed


def open_file(target: str, parts: Sequence[str], flags: int) -> int:
    """Open the regular file `parts` below `target`. Raises OSError, and StorageError if something else stands there."""
    with folder_below(target, parts[:-1]) as folder:
        fd = os.open(parts[-1], flags | _FILE_FLAGS, 0o666, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise StorageError(f"{printable('/'.join((target, *parts)))} is not a regular file")
    return fd


def stat_file(target: str, parts: Sequence[str]) -> os.stat_result | None:
    """The regular file at `parts` below `target`, None if nothing is there. Raises OSError, StorageError (no file)."""
    try:
        with folder_below(target, parts[:-1]) as folder:
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{printable('/'.join((target, *parts)))} is not a regular file")
    return found


def sync_folder(target: str, parts: Sequence[str]) -> None:
    """Put the entries of the folder `parts` below `target` on stable storage. Raises OSError."""
    with folder_below(target, parts) as folder:
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
