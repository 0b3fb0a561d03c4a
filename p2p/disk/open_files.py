"""Which content files are held open: the most recently used, up to a limit that all torrents of a session share.

The rule: a file that is borrowed is never closed. So the limit can be passed, by at most the number of jobs at work;
what is idle is closed first, the longest unused first. A file whose last name is gone is opened anew rather than used,
because what is written into it would be lost when it is closed.
"""

from __future__ import annotations

import errno
import os
import threading
from enum import Enum
from itertools import islice
from typing import Final

from p2p.disk.paths import open_file

DEFAULT_LIMIT: Final = 256
"""A quarter of the 1,024 descriptors a process may have by default: the rest is for peers."""


class Access(Enum):
    """What a borrower may do with a file."""

    READ = os.O_RDONLY
    WRITE = os.O_RDWR
    CREATE = os.O_RDWR | os.O_CREAT


class OpenFile:
    """A borrowed file. Use `fd` for positional reads and writes until it is given back."""

    __slots__ = ("fd", "key", "retired", "users", "writable")

    def __init__(self, fd: int, key: tuple[str, tuple[str, ...]], *, writable: bool) -> None:
        self.fd = fd
        self.key = key
        self.writable = writable
        self.users = 1
        self.retired = False


class OpenFiles:
    """An LRU of open files. Safe to use from any thread."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._files: dict[tuple[str, tuple[str, ...]], OpenFile] = {}
        """The longest unused first."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._files)

    def borrow(self, target: str, parts: tuple[str, ...], access: Access) -> OpenFile:
        """The file `parts` below `target`, opened if it is not. Raises OSError, StorageError (no regular file).

        Must be followed by `give_back`. Folders are never made here.
        """
        key = (target, parts)
        writable = access is not Access.READ
        with self._lock:
            file = self._files.get(key)
            if file is not None and (file.writable or not writable):
                file.users += 1
                del self._files[key]
                self._files[key] = file
            else:
                file = None
        if file is not None:
            if os.fstat(file.fd).st_nlink:
                return file
            self._retire(file)
            self.give_back(file)
        return self._keep(OpenFile(self._open(target, parts, access), key, writable=writable))

    def give_back(self, file: OpenFile) -> None:
        """End a borrowing."""
        with self._lock:
            file.users -= 1
            closing = file.retired and not file.users
        if closing:
            os.close(file.fd)

    def discard(self, target: str, parts: tuple[str, ...]) -> None:
        """Close a file, or have it closed when its last borrower gives it back. Unknown files are no error."""
        with self._lock:
            file = self._files.get((target, parts))
        if file is not None:
            self._retire(file)

    def close(self) -> None:
        """Discard all files."""
        with self._lock:
            files = list(self._files.values())
        for file in files:
            self._retire(file)

    def _open(self, target: str, parts: tuple[str, ...], access: Access) -> int:
        try:
            return open_file(target, parts, access.value)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        self._close_idle(keep=0)
        return open_file(target, parts, access.value)

    def _keep(self, file: OpenFile) -> OpenFile:
        with self._lock:
            known = self._files.get(file.key)
            faster = known is not None and (known.writable or not file.writable)
            if known is not None and faster:  # another job opened it meanwhile
                known.users += 1
            else:
                self._files.pop(file.key, None)
                self._files[file.key] = file
        if known is not None and faster:
            os.close(file.fd)
            return known
        if known is not None:
            self._retire(known)
        if len(self._files) > self._limit:
            self._close_idle(keep=self._limit)
        return file

    def _retire(self, file: OpenFile) -> None:
        with self._lock:
            if file.retired:
                return
            file.retired = True
            if self._files.get(file.key) is file:
                del self._files[file.key]
            idle = not file.users
        if idle:
            os.close(file.fd)

    def _close_idle(self, *, keep: int) -> None:
        with self._lock:
            excess = len(self._files) - keep
            idle = list(islice((file for file in self._files.values() if not file.users), max(0, excess)))
            for file in idle:
                file.retired = True
                del self._files[file.key]
        for file in idle:
            os.close(file.fd)
