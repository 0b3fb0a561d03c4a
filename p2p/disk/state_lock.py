"""One process at a time: locks on what is kept over a restart.

The rule: the kernel holds the lock, by an open file, so whoever dies gives it back. Thousands of locks are bytes of one
file, since a process may have no more than so many files open.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import refusal
from p2p.errors import StateLockedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType


def take_lock(path: Path, reason: str) -> StateLock:
    """Lock a file, which is made with its folder. StateLockedError with `reason` while it is locked; StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refusal(error, path) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if isinstance(error, BlockingIOError):
            raise StateLockedError(reason) from error
        raise refusal(error, path) from error
    return StateLock(partial(os.close, fd))


_FLOCK: Final = struct.Struct("hhqqi4x")
"""Linux's `struct flock`: type, whence, start, length, process."""


class LockFile:
    """Locks by name, each a byte of the one file at `path`, which is open while there are any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._held: set[int] = set()

    def take(self, name: str, reason: str) -> StateLock:
        """Lock `name`. StateLockedError with `reason` while it is locked, here or elsewhere; StorageError."""
        if sys.platform != "linux":  # elsewhere locks on parts of a file are the process's, and lost with any close
            return take_lock(self._path.with_name(f"{name}.lock"), reason)
        at = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        if at in self._held:
            raise StateLockedError(reason)
        try:
            if self._fd < 0:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._set(at, fcntl.F_WRLCK)
        except OSError as error:
            self._close_unused()
            if isinstance(error, BlockingIOError | PermissionError):  # EACCES stands for both (POSIX)
                raise StateLockedError(reason) from error
            raise refusal(error, self._path) from error
        self._held.add(at)
        return StateLock(partial(self._give_back, at))

    def _set(self, at: int, kind: int) -> None:
        fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, at, 1, 0))

    def _give_back(self, at: int) -> None:
        self._held.discard(at)
        self._set(at, fcntl.F_UNLCK)
        self._close_unused()

    def _close_unused(self) -> None:
        if not self._held and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class StateLock:
    """Holds a state against other processes, and against this one, until `release`."""

    def __init__(self, release: Callable[[], object]) -> None:
        self._release: Callable[[], object] | None = release

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Idempotent. The kernel does the same for a process that dies."""
        release, self._release = self._release, None
        if release is not None:
            release()
