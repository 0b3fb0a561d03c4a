"""The file of what is remembered: read, and written whole or not at all. Blocking: for threads.

The rule: who writes reads first, under a lock that every interface of this user takes, and lays its own changes over
what is there, so that two that write at once both keep theirs. A file that nobody can make sense of is put aside under
another name before the first write, never written over.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError
from tui.remembered import MOST_BYTES, MOST_ENTRIES, Entry, read_entries, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PATIENCE: Final = 5.0
"""Seconds for another interface to let go of the lock, which it holds for milliseconds."""

_POLL: Final = 0.02


class Memory:
    """At `path`, which need not be there yet. Nothing is read or written before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[dict[str, Entry], tuple[str, ...]]:
        """What is remembered, and what is skipped, and why."""
        try:
            with self.path.open("rb") as file:
                return read_entries(file.read(MOST_BYTES + 1))
        except FileNotFoundError:
            return {}, ()
        except OSError as error:
            return {}, (f"{self.path}: {error.strerror}",)

    def keep(self, changes: Mapping[str, Entry | None]) -> None:
        """Take these over into the file; None forgets one. Raises ConfigError for a file that cannot be written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                self._keep(changes)
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror}") from error

    def _keep(self, changes: Mapping[str, Entry | None]) -> None:
        entries, troubles = self.read()
        if troubles and not entries:
            with suppress(FileNotFoundError):
                self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
        for name, entry in changes.items():
            entries.pop(name, None)
            if entry is not None:
                entries[name] = entry
        raw = written(entries)
        if len(entries) > MOST_ENTRIES or len(raw) > MOST_BYTES:
            raise ConfigError(f"{self.path}: that is more than is remembered")
        write_private(self.path, raw)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not any(_taken(lock) for _ in range(int(PATIENCE / _POLL))):
                raise ConfigError(f"{self.path}: another interface holds on to it")
            yield
        finally:
            os.close(lock)


def _taken(lock: int) -> bool:
    """Now; a moment later it may be."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_POLL)
        return False
    return True


def write_private(path: Path, raw: bytes) -> None:
    """Whole or not at all, for this user alone. Raises OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
