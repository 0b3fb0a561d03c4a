"""What the server reads from the database: everything when it starts, and later what others changed.

Triggers note each change of a member, torrent, passkey or promotion by its row, so that a torrent registered by a
command costs the running server two rows and not a second look at a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.private.accounts import Place
from tracker.private.records import Member, Snatch, Torrent, Totals, Warned
from tracker.private.standing import Duty

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

MAX_CHANGES: Final = 10_000
"""Rows taken up one by one; at more, reading everything is the shorter way."""

_PEER_SIZES: Final = {0: (), 6: ((0, 6),), 18: ((0, 18),), 24: ((0, 6), (6, 24))}

_MEMBERS: Final = """SELECT id, name, state, reason, may_download, max_slots, freeleech_until, double_upload_until,
    uploaded, downloaded, actual_uploaded, actual_downloaded, seed_time, ratio_low_since, last_seen FROM members"""
_TORRENTS: Final = "SELECT id, name, size, state, reason, freeleech_until, double_upload_until FROM torrents"


@dataclass(frozen=True, slots=True)
class Everything:
    """All that is in the file. `last_change` is up to where."""

    secret: bytes
    members: list[Member]
    torrents: list[Torrent]
    promotions: dict[str, float]
    snatches: list[tuple[int, int, Snatch]]
    """Member, torrent, and what is between them."""
    places: list[tuple[int, int, bytes, Place]]
    """Member, torrent, peer id, oldest first."""
    last_change: int
    read_at: float


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows that others changed, as they are now. An id without a row was deleted."""

    member_ids: tuple[int, ...]
    torrent_ids: tuple[int, ...]
    members: list[Member]
    torrents: list[Torrent]
    promotions: dict[str, float]
    last_change: int


def read_everything(connection: sqlite3.Connection, secret: bytes, now: float) -> Everything:
    """In one read transaction. Warnings that have expired by `now` are left out."""
    connection.execute("BEGIN")
    try:
        return Everything(
            secret=secret,
            members=list(_members(connection, None, now)),
            torrents=list(_torrents(connection, None)),
            promotions=_promotions(connection),
            snatches=list(_snatches(connection)),
            places=list(_places(connection)),
            last_change=_last_change(connection),
            read_at=now,
        )
    finally:
        connection.execute("COMMIT")


def read_changes(connection: sqlite3.Connection, after: int, now: float) -> Changes | None:
    """What was noted after a change; None if that cannot be told any more, or is too much, and all must be read."""
    connection.execute("BEGIN")
    try:
        last = _last_change(connection)
        (first,) = connection.execute("SELECT coalesce(min(id), 1) FROM changes").fetchone()
        if last < after or first > after + 1 or last - after > MAX_CHANGES:
            return None
        changed = connection.execute("SELECT DISTINCT kind, row_id FROM changes WHERE id > ?", (after,)).fetchall()
        member_ids = tuple(sorted(row for kind, row in changed if kind == "member"))
        torrent_ids = tuple(sorted(row for kind, row in changed if kind == "torrent"))
        return Changes(
            member_ids=member_ids,
            torrent_ids=torrent_ids,
            members=[each for one in member_ids for each in _members(connection, one, now)],
            torrents=[each for one in torrent_ids for each in _torrents(connection, one)],
            promotions=_promotions(connection),
            last_change=last,
        )
    finally:
        connection.execute("COMMIT")


def _last_change(connection: sqlite3.Connection) -> int:
    # The sequence outlives the rows, which are bounded.
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
    return 0 if row is None else int(row[0])


def _promotions(connection: sqlite3.Connection) -> dict[str, float]:
    return dict(connection.execute("SELECT name, until FROM promotions").fetchall())


def _members(connection: sqlite3.Connection, one: int | None, now: float) -> Iterator[Member]:
    """All, or the one of this id if it is there."""
    which, ids = ("", ()) if one is None else (" WHERE member = ?", (one,))
    passkeys: dict[int, dict[bytes, float | None]] = {}
    for hashed, member, expires in connection.execute(f"SELECT hash, member, expires FROM passkeys{which}", ids):  # noqa: S608
        passkeys.setdefault(member, {})[hashed] = expires
    warnings: dict[int, list[Warned]] = {}
    rows = connection.execute(f"SELECT member, torrent, issued, expires FROM warnings{which}", ids)  # noqa: S608
    for member, torrent, issued, expires in rows:
        if expires > now:
            warnings.setdefault(member, []).append(Warned(torrent, issued, expires))
    for row in connection.execute(_MEMBERS + ("" if one is None else " WHERE id = ?"), ids):
        identity, name, state, reason, may, slots, free, double, up, down, actual_up, actual_down, time, low, seen = row
        yield Member(
            id=identity,
            name=name,
            is_active=state == "active",
            reason=reason,
            may_download=bool(may),
            max_slots=slots,
            freeleech_until=free,
            double_upload_until=double,
            totals=Totals(up, down, actual_up, actual_down, time),
            ratio_low_since=low,
            last_seen=seen,
            passkeys=passkeys.get(identity, {}),
            warnings=warnings.get(identity, []),
        )


def _torrents(connection: sqlite3.Connection, one: int | None) -> Iterator[Torrent]:
    which, ids = ("", ()) if one is None else (" WHERE torrent = ?", (one,))
    hashes: dict[int, tuple[bytes, ...]] = {}
    rows: Iterable[tuple[bytes, int]] = connection.execute(f"SELECT info_hash, torrent FROM info_hashes{which}", ids)  # noqa: S608
    for info_hash, torrent in rows:
        hashes[torrent] = (*hashes.get(torrent, ()), info_hash)
    for row in connection.execute(_TORRENTS + ("" if one is None else " WHERE id = ?"), ids):
        identity, name, size, state, reason, free, double = row
        yield Torrent(
            id=identity,
            name=name,
            size=size,
            is_registered=state == "registered",
            reason=reason,
            freeleech_until=free,
            double_upload_until=double,
            info_hashes=hashes.get(identity, ()),
        )


def _snatches(connection: sqlite3.Connection) -> Iterator[tuple[int, int, Snatch]]:
    rows = connection.execute(
        """SELECT member, torrent, uploaded, downloaded, seed_time, counted_until, first_seen, last_seen, finished,
            duty, duty_since
        FROM snatches"""
    )
    for row in rows:
        member, torrent, uploaded, downloaded, seed_time, counted, first_seen, last_seen, finished, duty, since = row
        snatch = Snatch(
            first_seen=first_seen,
            last_seen=last_seen,
            uploaded=uploaded,
            downloaded=downloaded,
            seed_time=seed_time,
            counted_until=counted,
            finished=finished,
            duty=Duty(duty),
            duty_since=since,
        )
        yield member, torrent, snatch


def _places(connection: sqlite3.Connection) -> Iterator[tuple[int, int, bytes, Place]]:
    rows = connection.execute(
        """SELECT member, torrent, peer_id, key, source, addresses, uploaded, downloaded, left, resting, seen
        FROM places ORDER BY seen"""
    )
    for member, torrent, peer_id, key, source, raw, uploaded, downloaded, left, resting, seen in rows:
        addresses = tuple(raw[begin:end] for begin, end in _PEER_SIZES.get(len(raw), ()))
        yield member, torrent, peer_id, Place(key, source, addresses, uploaded, downloaded, left, bool(resting), seen)
