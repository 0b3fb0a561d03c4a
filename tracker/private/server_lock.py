"""One running tracker a database: a lock on a file beside it, which the system lets go when the process ends.

The accounts in memory are the one place that knows which bytes were counted; two servers would count some twice. The
commands need no lock, they only ever change what a server looks up.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tracker.private.database import DatabaseError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path


class ServerLock:
    """Held from `take` to `release`. The file stays: removing it could let two hold one each."""

    __slots__ = ("_descriptor", "_path")

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises DatabaseError where another server has it, OSError where the folder cannot be written."""
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(descriptor)
                raise DatabaseError(f"another tracker is running on this database ({self._path.name})") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
