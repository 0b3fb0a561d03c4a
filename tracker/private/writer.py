"""The one thread that touches the database while the server runs: it writes batches and reads what others changed.

The rules: announces never wait for it; one batch is out at a time and stays out until it is in the file, however often
that has to be tried; before each touch the file is looked at, because SQLite goes on writing into one that was removed
or replaced. A file that was removed is written anew, whole, from the connection that still holds it. One that was
replaced is read anew. Whatever fails is told once, tried again with growing pauses, and told again when it is over.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.errors import StarlingError
from tracker.private import passkeys
from tracker.private.batch import Batch, write
from tracker.private.database import DatabaseError, connect, prepare, writing
from tracker.private.reading import Changes, Everything, read_changes, read_everything
from tracker.private.server_lock import ServerLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

POLL: Final = 1.0
"""Seconds between two looks at what others changed."""

PATIENCE: Final = 2.0
"""Seconds to wait for another writer before the try counts as failed. Only this thread waits."""

FIRST_PATIENCE: Final = 10.0
"""Seconds to wait at the start, when nothing is in memory yet that could be served."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries; each pause is twice the one before."""

_NOT_SEEN: Final = -1

LOOKS_FOR_LOST: Final = 2
"""Times a file must be missing before it is written anew: moving another one to its place takes a moment."""


@dataclass(frozen=True, slots=True)
class Written:
    """The batch that was out is in the file."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The database cannot be used, or (None) can again."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The thread is gone. `reason` is why it could not even begin, None after an orderly end."""

    reason: str | None


class Writer:
    """See the module's head. `deliver` is called in the thread, with one event at a time.

    `wall` is seconds since the epoch; `secrets(n)` returns n bytes nobody can guess, for a file that is new.
    """

    def __init__(
        self,
        path: Path,
        *,
        deliver: Callable[[Everything | Changes | Written | Outage | Ended], None],
        wall: Callable[[], float],
        secrets: Callable[[int], bytes],
        poll: float = POLL,
        patience: float = PATIENCE,
    ) -> None:
        self._path = path
        self._deliver = deliver
        self._wall = wall
        self._secrets = secrets
        self._poll = poll
        self._patience = patience
        self._lock = ServerLock(path)
        self._orders: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tracker accounts", daemon=True)
        self._ends = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._seen_version = _NOT_SEEN
        self._last_change = 0
        self._waiting: Batch | None = None
        self._outage: str | None = None
        self._pause = FIRST_PAUSE
        self._missing = 0

    def start(self) -> None:
        """Open the file, make or migrate it, and deliver everything in it; or deliver Ended with the reason."""
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Write it. The next one may come when this one was told to be Written."""
        self._orders.put(batch)

    def nudge(self) -> None:
        """Look and try now instead of after the pause."""
        self._orders.put(None)

    def stop(self) -> None:
        """End soon, whatever is still out. Returns at once; `join` waits."""
        self._ends.set()
        self._orders.put(None)

    def join(self, timeout: float) -> bool:
        """Whether the thread is gone."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        reason: str | None = "the thread that keeps the accounts failed; its error is on stderr"
        try:
            reason = self._open_first()
            if reason is None:
                self._serve()
        finally:
            self._disconnect()
            self._lock.release()
            self._deliver(Ended(reason))

    def _open_first(self) -> str | None:
        try:
            prepare(self._path, patience=FIRST_PATIENCE)
            self._lock.take()
            self._connect()
        except (sqlite3.Error, OSError) as error:
            return f"the database {self._path}: {error}"
        except StarlingError as error:
            return str(error)
        return None

    def _serve(self) -> None:
        while not self._ends.is_set():
            try:
                order = self._orders.get(timeout=self._poll if self._outage is None else self._pause)
            except queue.Empty:
                order = None
            if order is not None:
                self._waiting = order
            try:
                self._work()
            except (sqlite3.Error, OSError, StarlingError) as error:
                self._on_failure(error)
            else:
                self._on_success()

    def _work(self) -> None:
        connection = self._connected()
        if self._waiting is not None:
            write(connection, self._waiting)
            self._waiting = None
            self._deliver(Written())
        version = _data_version(connection)
        if version != self._seen_version:
            changes = read_changes(connection, self._last_change, self._wall())
            if changes is None:
                self._read_everything(connection)
            else:
                self._last_change = changes.last_change
                self._deliver(changes)
            self._seen_version = version

    def _on_failure(self, error: Exception) -> None:
        if not _is_passing(error):
            self._drop_broken()
        reason = str(error)
        if self._outage is None:
            log.error("the accounts cannot be written: %s: %s; members are served from memory", self._path, reason)
            self._deliver(Outage(reason))
        else:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            if reason != self._outage:
                log.error("the accounts still cannot be written: %s: %s", self._path, reason)
        self._outage = reason

    def _on_success(self) -> None:
        if self._outage is not None:
            log.warning("the accounts are written again: %s", self._path)
            self._deliver(Outage(None))
        self._outage = None
        self._pause = FIRST_PAUSE

    def _connected(self) -> sqlite3.Connection:
        """A connection to the file that is at the path now."""
        identity = _identity(self._path)
        if self._connection is not None and identity == self._identity:
            self._missing = 0
            return self._connection
        if identity is None:
            self._missing += 1
            if self._missing < LOOKS_FOR_LOST:
                raise DatabaseError("the file is gone")
            if self._connection is not None:
                self._write_anew(self._connection)
                self._disconnect()
            else:
                raise DatabaseError("the file is gone, and nothing is left to write it from")
        elif self._connection is not None:
            self._disconnect()
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, patience=self._patience)
        try:
            with writing(connection):
                passkeys.secret_of(connection, self._secrets)
            identity = _identity(self._path)
            if identity == self._identity:
                self._seen_version = _NOT_SEEN  # the same file: what others changed in it is noted there
            else:
                if self._identity is not None:
                    log.error("the database %s was replaced under the running tracker and is read anew", self._path)
                self._seen_version = _data_version(connection)
                self._read_everything(connection)
                self._identity = identity
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._missing = 0
        return connection

    def _read_everything(self, connection: sqlite3.Connection) -> None:
        everything = read_everything(connection, passkeys.secret_of(connection, self._secrets), self._wall())
        self._last_change = everything.last_change
        self._deliver(everything)

    def _write_anew(self, held: sqlite3.Connection) -> None:
        """Copy what the open connection holds to where the file was; never over one that came back meanwhile."""
        copy = self._path.with_name(f"{self._path.name}.restored")
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        target = sqlite3.connect(copy)
        try:
            held.backup(target)
        finally:
            target.close()
        with contextlib.suppress(FileExistsError):
            os.link(copy, self._path)
            self._identity = _identity(copy)  # what memory has is what is in it
            log.error("the database %s was removed under the running tracker and is written anew", self._path)
        copy.unlink()

    def _drop_broken(self) -> None:
        """A connection that failed for more than a moment is made anew, unless it alone holds the file."""
        if _identity(self._path) is not None:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _is_passing(error: Exception) -> bool:
    """Whether the connection is as good as before: another writer was faster, or the disk is full."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, DatabaseError) or (
        code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
    )
