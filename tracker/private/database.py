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
        connection = connect(path, patience=PATIENCE)
        try:
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(f"the database {path}: {error}") from error


def connect(path: Path, *, patience: float) -> sqlite3.Connection:
    """A connection to an up-to-date database. Raises sqlite3.Error, OSError, and DatabaseError for a foreign file."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        _migrate(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "PRAGMA synchronous = FULL"
        )  # one commit every few seconds can afford to survive a power cut
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


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    taken = _steps_taken(connection, path)
    while taken < len(STEPS):
        with writing(connection):
            taken = _steps_taken(connection, path)  # again: another process may have been first
            if taken < len(STEPS):
                for statement in STEPS[taken]:
                    connection.execute(statement)
                taken += 1
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {taken}")


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
