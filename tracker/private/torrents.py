"""The register of torrents: only what is in it is tracked in private mode.

A torrent has one info-hash or, a hybrid (BEP 52), two; both lead to the same accounts, because a client announces a
hybrid under each of them with the same counters. Every function takes a connection of
`tracker.private.database.opened`; times are seconds since the epoch, sizes bytes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.private.database import MAX_TOTAL, RegisterError, writing
from tracker.private.members import MAX_REASON, Promotion

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

MAX_NAME: Final = 255
"""Characters, as of a file's name; a longer one is cut."""

MAX_HASHES: Final = 2

_QUERY: Final = """SELECT id, name, size, added, state, reason, freeleech_until, double_upload_until, finished
    FROM torrents"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentRecord:
    id: int
    info_hashes: tuple[bytes, ...]
    name: str
    size: int | None
    """Bytes of the content, None where it was not told."""
    added: float
    is_registered: bool
    reason: str
    """Why it was removed."""
    freeleech_until: float | None
    double_upload_until: float | None
    finished: int
    """Members that completed it."""


def add(
    connection: sqlite3.Connection, info_hashes: Sequence[bytes], name: str, *, size: int | None, now: float
) -> TorrentRecord:
    """Register a torrent under its one or two info-hashes of 20 bytes, or again if it was removed.

    Raises RegisterError for one that is registered, or hashes that belong to different torrents.
    """
    hashes = tuple(dict.fromkeys(bytes(each) for each in info_hashes))
    if not 1 <= len(hashes) <= MAX_HASHES or any(len(each) != 20 for each in hashes):
        raise RegisterError("a torrent has one or two info-hashes of 20 bytes")
    if size is not None and not 0 <= size <= MAX_TOTAL:
        raise RegisterError(f"{size} bytes are no size")
    with writing(connection):
        known = {torrent for each in hashes if (torrent := _find(connection, each)) is not None}
        if len(known) > 1:
            raise RegisterError("these info-hashes belong to different torrents")
        if known:
            torrent_id = known.pop()
            if by_id(connection, torrent_id).is_registered:
                raise RegisterError(f"{hashes[0].hex()} is registered already")
            connection.execute(
                """UPDATE torrents SET state = 'registered', reason = '', name = ?, size = coalesce(?, size)
                WHERE id = ?""",
                (_plain(name), size, torrent_id),
            )
        else:
            cursor = connection.execute(
                "INSERT INTO torrents (name, size, added) VALUES (?, ?, ?)", (_plain(name), size, now)
            )
            torrent_id = int(cursor.lastrowid or 0)
        connection.executemany(
            "INSERT OR IGNORE INTO info_hashes (info_hash, torrent) VALUES (?, ?)",
            [(each, torrent_id) for each in hashes],
        )
    return by_id(connection, torrent_id)


def remove(connection: sqlite3.Connection, info_hash: bytes, *, reason: str = "") -> None:
    """Refuse the torrent from now on, with the reason; what members did on it stays on record."""
    reason = reason.strip()
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise RegisterError(f"a reason has at most {MAX_REASON} printable characters")
    _set(connection, info_hash, "state = 'removed', reason = ?", (reason,))


def promote(connection: sqlite3.Connection, info_hash: bytes, promotion: Promotion, *, until: float | None) -> None:
    """Give the torrent freeleech or double upload until a time (`math.inf`: no end), or take it away (None)."""
    _set(connection, info_hash, f"{promotion.value}_until = ?", (until,))


def show(connection: sqlite3.Connection, info_hash: bytes) -> TorrentRecord:
    """Raises RegisterError for one that never was registered."""
    return by_id(connection, _known(connection, info_hash))


def by_id(connection: sqlite3.Connection, torrent_id: int) -> TorrentRecord:
    row = connection.execute(f"{_QUERY} WHERE id = ?", (torrent_id,)).fetchone()
    if row is None:
        raise RegisterError(f"there is no torrent {torrent_id}")
    hashes = connection.execute("SELECT info_hash FROM info_hashes WHERE torrent = ? ORDER BY info_hash", (torrent_id,))
    return _record(row, tuple(each for (each,) in hashes))


def listing(connection: sqlite3.Connection) -> list[TorrentRecord]:
    """All torrents, oldest first, removed ones among them."""
    hashes: dict[int, tuple[bytes, ...]] = {}
    for info_hash, torrent in connection.execute("SELECT info_hash, torrent FROM info_hashes ORDER BY info_hash"):
        hashes[torrent] = (*hashes.get(torrent, ()), info_hash)
    return [_record(row, hashes.get(row[0], ())) for row in connection.execute(f"{_QUERY} ORDER BY id")]


def _find(connection: sqlite3.Connection, info_hash: bytes) -> int | None:
    row = connection.execute("SELECT torrent FROM info_hashes WHERE info_hash = ?", (info_hash,)).fetchone()
    return None if row is None else int(row[0])


def _known(connection: sqlite3.Connection, info_hash: bytes) -> int:
    torrent_id = _find(connection, info_hash)
    if torrent_id is None:
        raise RegisterError(f"{info_hash.hex()} is not registered")
    return torrent_id


def _set(connection: sqlite3.Connection, info_hash: bytes, assignments: str, values: tuple[object, ...]) -> None:
    with writing(connection):
        torrent_id = _known(connection, info_hash)
        # The assignments are words of this module; what comes from outside is bound.
        connection.execute(f"UPDATE torrents SET {assignments} WHERE id = ?", (*values, torrent_id))  # noqa: S608


def _plain(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    return "".join(each if each.isprintable() else " " for each in name).strip()[:MAX_NAME]


def _record(row: tuple[object, ...], info_hashes: tuple[bytes, ...]) -> TorrentRecord:
    identity, name, size, added, state, reason, free, double, finished = row
    return TorrentRecord(
        id=identity, info_hashes=info_hashes, name=name, size=size, added=added, is_registered=state == "registered",  # type: ignore[arg-type] # STRICT tables
        reason=reason, freeleech_until=free, double_upload_until=double, finished=finished,  # type: ignore[arg-type]
    )  # fmt: skip
