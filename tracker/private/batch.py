"""What the server writes into the database: one batch is one transaction, written whole, once, or not at all.

The rules: totals of members are increments, so that what the operator changes meanwhile stays; all else is the
server's alone and written as it stands. A batch carries the name of the run and its own number, kept in the same
transaction: one that was committed while the answer got lost is known on the next try and not counted twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.private.database import MAX_TOTAL, writing

if TYPE_CHECKING:
    import sqlite3

RUN_LIFE: Final = 86_400.0
"""Seconds the last batch number of a run is kept; a run that tries again does so within a minute."""

_MEMBER: Final = """UPDATE members SET uploaded = min(?, uploaded + ?), downloaded = min(?, downloaded + ?),
    actual_uploaded = min(?, actual_uploaded + ?), actual_downloaded = min(?, actual_downloaded + ?),
    seed_time = seed_time + ?, ratio_low_since = ?, last_seen = ? WHERE id = ?"""
_SNATCH: Final = """INSERT OR REPLACE INTO snatches (member, torrent, uploaded, downloaded, seed_time, counted_until,
    first_seen, last_seen, finished, duty, duty_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PLACE: Final = """INSERT OR REPLACE INTO places (member, torrent, peer_id, key, source, addresses, uploaded,
    downloaded, left, resting, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_GONE_PLACE: Final = "DELETE FROM places WHERE member = ? AND torrent = ? AND peer_id = ?"
_WARNING: Final = "INSERT OR IGNORE INTO warnings (member, torrent, issued, expires) VALUES (?, ?, ?, ?)"
_LIFTED: Final = "UPDATE warnings SET expires = min(expires, ?) WHERE member = ? AND torrent = ?"
_FINISHED: Final = "UPDATE torrents SET finished = finished + 1 WHERE id = ?"
_FLAG: Final = """INSERT INTO flags (member, torrent, kind, detail, source, first_seen, last_seen, times)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (member, torrent, kind) DO UPDATE SET detail = excluded.detail, source = excluded.source,
    last_seen = excluded.last_seen, times = times + excluded.times"""
_RUN: Final = """INSERT INTO batches (run, number, written) VALUES (?, ?, ?)
    ON CONFLICT (run) DO UPDATE SET number = excluded.number, written = excluded.written"""


class MemberRow(NamedTuple):
    """Increments of the totals, and two times as they stand."""

    uploaded: int
    downloaded: int
    actual_uploaded: int
    actual_downloaded: int
    seed_time: float
    ratio_low_since: float | None
    last_seen: float | None
    id: int


class Batch(NamedTuple):
    """Rows in the order of the statements above. `made` is seconds since the epoch."""

    run: bytes
    number: int
    made: float
    members: tuple[MemberRow, ...]
    snatches: tuple[tuple[object, ...], ...]
    places: tuple[tuple[object, ...], ...]
    gone_places: tuple[tuple[int, int, bytes], ...]
    warnings: tuple[tuple[int, int, float, float], ...]
    lifted: tuple[tuple[float, int, int], ...]
    finished: tuple[tuple[int], ...]
    flags: tuple[tuple[object, ...], ...]

    @property
    def rows(self) -> int:
        return sum(len(part) for part in self[3:])


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Raises sqlite3.Error, with nothing written."""
    with writing(connection):
        row = connection.execute("SELECT number FROM batches WHERE run = ?", (batch.run,)).fetchone()
        if row is not None and row[0] >= batch.number:
            return
        top = MAX_TOTAL
        connection.executemany(
            _MEMBER,
            [
                (top, up, top, down, top, actual_up, top, actual_down, seed_time, low_since, last_seen, member)
                for up, down, actual_up, actual_down, seed_time, low_since, last_seen, member in batch.members
            ],
        )
        connection.executemany(_SNATCH, batch.snatches)
        connection.executemany(_GONE_PLACE, batch.gone_places)
        connection.executemany(_PLACE, batch.places)
        connection.executemany(_WARNING, batch.warnings)
        connection.executemany(_LIFTED, batch.lifted)
        connection.executemany(_FINISHED, batch.finished)
        connection.executemany(_FLAG, batch.flags)
        connection.execute("DELETE FROM batches WHERE written < ?", (batch.made - RUN_LIFE,))
        connection.execute(_RUN, (batch.run, batch.number, batch.made))
