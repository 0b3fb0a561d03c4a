"""One process at a time: locks on what is kept over a restart.

The rule: the kernel holds the lock, by an open file, so whoever dies gives it back.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from p2p.disk.refusals import refusal
from p2p.errors import StateLockedError

if TYPE_CHECKING:
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
    return StateLock(fd)


class StateLock:
    """Holds a state against other processes, and against this one, until `release`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Idempotent. The kernel does the same for a process that dies."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
