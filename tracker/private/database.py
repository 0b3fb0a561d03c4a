"""How the file of a private tracker is opened, brought up to date and written to.

The rules: a file that is no tracker's, or a newer tracker's, is refused and left as it is; every change is one
transaction that is there whole or not at all; SQLite's errors leave this package as DatabaseError.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import StarlingError
from tracker.private.schema import APPLICATION_ID, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 10.0
"""Seconds a command waits for another writer. The server's batches take milliseconds."""

MAX_TOTAL: Final = 2**62 - 1
"""Bytes a total can reach: two of them still add up within SQLite's integers. Four exabytes are no member's."""


class DatabaseError(StarlingError):
    """The file cannot be opened, read or written; the text says which and why."""


class RegisterError(StarlingError):
    """What was asked of the members, invites or torrents cannot be; the text is one line for the operator."""


@contextmanager
def opened(path: Path | str) -> Iterator[sqlite3.Connection]:
    """The tracker's database at `path`, made if it is not there, for the commands that work beside a server.

    Within it SQLite's errors become DatabaseError. The file is readable by its owner alone.
    """
    path = Path(path)
    try:
        prepare(path, patience=PATIENCE)
        connection = connect(path, patience=PATIENCE)
        try:
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(f"the database {path}: {error}") from error


def prepare(path: Path, *, patience: float) -> None:
    """Make the file if there is none, and the tables if it is empty. Raises sqlite3.Error, OSError, DatabaseError."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    connection = _open(path, patience)
    try:
        _migrate(connection, path)
    finally:
        connection.close()


def connect(path: Path, *, patience: float) -> sqlite3.Connection:
    """A connection to a database that is there, brought up to date if it is older.

    Raises sqlite3.Error, OSError, and DatabaseError for a file that is empty, foreign, or newer: a running server must
    not take a file that was emptied under it for a tracker without members.
    """
    connection = _open(path, patience)
    try:
        _refuse_empty(connection, path)
        _migrate(connection, path)
        # No write-ahead log: between commits the file is whole by itself, so it can be copied, moved or put back while
        # the server runs, and no log of another file is ever replayed into it. One commit every few seconds affords it.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, begun as a writer so that it cannot fail half-way for another one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _open(path: Path, patience: float) -> sqlite3.Connection:
    # By URI, whose mode never makes a file.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=patience, isolation_level=None, uri=True)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    taken = _steps_seen(connection, path)
    while taken < len(STEPS):
        with writing(connection):
            taken = _steps_taken(connection, path)  # again: another process may have been first
            if taken < len(STEPS):
                for statement in STEPS[taken]:
                    connection.execute(statement)
                taken += 1
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {taken}")


def _refuse_empty(connection: sqlite3.Connection, path: Path) -> None:
    if _steps_seen(connection, path) == 0:
        raise DatabaseError(f"{path} is empty")


def _steps_seen(connection: sqlite3.Connection, path: Path) -> int:
    """The steps taken, as they stand at one moment: another process may be making the database."""
    connection.execute("BEGIN")
    try:
        return _steps_taken(connection, path)
    finally:
        connection.execute("ROLLBACK")


def _steps_taken(connection: sqlite3.Connection, path: Path) -> int:
    taken = _number(connection, "PRAGMA user_version")
    mark = _number(connection, "PRAGMA application_id")
    if mark == 0 and taken == 0 and _number(connection, "SELECT count(*) FROM sqlite_master") == 0:
        return 0
    if mark != APPLICATION_ID:
        raise DatabaseError(f"{path} is no tracker's database")
    if taken > len(STEPS):
        raise DatabaseError(f"{path} was made by a newer version (step {taken}, this one knows {len(STEPS)})")
    return taken


def _number(connection: sqlite3.Connection, query: str) -> int:
    found = connection.execute(query).fetchone()[0]
    if not isinstance(found, int):
        raise sqlite3.DatabaseError(f"no number: {query}")
    return found
