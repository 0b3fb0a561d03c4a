"""The tables of a private tracker, as the steps that lead from an empty file to them.

The rule: a step that was released is never edited; a change is a new step at the end. `PRAGMA user_version` counts the
steps a file has taken. Times are seconds since the epoch, sizes are bytes, an infinite time stands for no end.

Rows that the running server writes (snatches, places, warnings, flags) carry no foreign keys on purpose: a file that
was swapped for an older copy must not make a whole batch of theirs fail for ever.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x53544C47
"""Marks the file as a tracker's (`PRAGMA application_id`), so that another program's file is not taken for one."""

KEPT_CHANGES: Final = 100_000
"""Rows of `changes` kept. A server that was away for more reads everything anew."""


def _noting(table: str, kind: str, row: str, columns: str) -> tuple[str, ...]:
    """Triggers that note what others than the server change. Totals are left out: the server writes them all day."""
    note = f"BEGIN INSERT INTO changes (kind, row_id) VALUES ('{kind}', "  # noqa: S608 - words of this module alone
    return (
        f"CREATE TRIGGER {table}_inserted AFTER INSERT ON {table} {note} NEW.{row}); END",
        f"CREATE TRIGGER {table}_updated AFTER UPDATE OF {columns} ON {table} {note} NEW.{row}); END",
        f"CREATE TRIGGER {table}_deleted AFTER DELETE ON {table} {note} OLD.{row}); END",
    )


FIRST: Final = (
    "CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
    "CREATE TABLE promotions (name TEXT PRIMARY KEY, until REAL NOT NULL) STRICT",
    """CREATE TABLE members (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
        reason TEXT NOT NULL DEFAULT '',
        joined REAL NOT NULL,
        invited_by INTEGER REFERENCES members (id),
        may_download INTEGER NOT NULL DEFAULT 1,
        max_slots INTEGER,
        freeleech_until REAL,
        double_upload_until REAL,
        revision INTEGER NOT NULL DEFAULT 0,
        uploaded INTEGER NOT NULL DEFAULT 0 CHECK (uploaded >= 0),
        downloaded INTEGER NOT NULL DEFAULT 0 CHECK (downloaded >= 0),
        actual_uploaded INTEGER NOT NULL DEFAULT 0 CHECK (actual_uploaded >= 0),
        actual_downloaded INTEGER NOT NULL DEFAULT 0 CHECK (actual_downloaded >= 0),
        seed_time REAL NOT NULL DEFAULT 0,
        ratio_low_since REAL,
        last_seen REAL
    ) STRICT""",
    """CREATE TABLE passkeys (
        hash BLOB PRIMARY KEY,
        member INTEGER NOT NULL REFERENCES members (id),
        made REAL NOT NULL,
        expires REAL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX passkeys_of_member ON passkeys (member)",
    """CREATE TABLE invites (
        id INTEGER PRIMARY KEY,
        hash BLOB NOT NULL UNIQUE,
        inviter INTEGER REFERENCES members (id),
        made REAL NOT NULL,
        expires REAL NOT NULL,
        used REAL,
        invitee INTEGER REFERENCES members (id)
    ) STRICT""",
    """CREATE TABLE torrents (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        size INTEGER,
        added REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'registered' CHECK (state IN ('registered', 'removed')),
        reason TEXT NOT NULL DEFAULT '',
        freeleech_until REAL,
        double_upload_until REAL,
        finished INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE info_hashes (
        info_hash BLOB PRIMARY KEY CHECK (length(info_hash) = 20),
        torrent INTEGER NOT NULL REFERENCES torrents (id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX info_hashes_of_torrent ON info_hashes (torrent)",
    """CREATE TABLE snatches (
        member INTEGER NOT NULL,
        torrent INTEGER NOT NULL,
        uploaded INTEGER NOT NULL,
        downloaded INTEGER NOT NULL,
        seed_time REAL NOT NULL,
        counted_until REAL NOT NULL,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        finished REAL,
        duty TEXT NOT NULL CHECK (duty IN ('none', 'open', 'missed', 'done')),
        duty_since REAL,
        PRIMARY KEY (member, torrent)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE places (
        member INTEGER NOT NULL,
        torrent INTEGER NOT NULL,
        peer_id BLOB NOT NULL,
        key INTEGER NOT NULL,
        source TEXT NOT NULL,
        addresses BLOB NOT NULL,
        uploaded INTEGER NOT NULL,
        downloaded INTEGER NOT NULL,
        left INTEGER NOT NULL,
        resting INTEGER NOT NULL,
        seen REAL NOT NULL,
        PRIMARY KEY (member, torrent, peer_id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE warnings (
        id INTEGER PRIMARY KEY,
        member INTEGER NOT NULL,
        torrent INTEGER NOT NULL,
        issued REAL NOT NULL,
        expires REAL NOT NULL,
        UNIQUE (member, torrent, issued)
    ) STRICT""",
    """CREATE TABLE flags (
        id INTEGER PRIMARY KEY,
        member INTEGER NOT NULL,
        torrent INTEGER NOT NULL,
        kind TEXT NOT NULL,
        detail TEXT NOT NULL,
        source TEXT NOT NULL,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        times INTEGER NOT NULL,
        UNIQUE (member, torrent, kind)
    ) STRICT""",
    "CREATE TABLE batches (run BLOB PRIMARY KEY, number INTEGER NOT NULL, written REAL NOT NULL) STRICT",
    "CREATE TABLE changes (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, row_id INTEGER NOT NULL) STRICT",
    f"""CREATE TRIGGER changes_bounded AFTER INSERT ON changes
        BEGIN DELETE FROM changes WHERE id <= NEW.id - {KEPT_CHANGES}; END""",  # noqa: S608 - a number
    *_noting(
        "members",
        "member",
        "id",
        "name, state, reason, may_download, max_slots, freeleech_until, double_upload_until, revision",
    ),
    *_noting("passkeys", "member", "member", "hash, member, expires"),
    *_noting("torrents", "torrent", "id", "name, size, state, reason, freeleech_until, double_upload_until"),
    *_noting("info_hashes", "torrent", "torrent", "info_hash, torrent"),
    *_noting("promotions", "promotions", "rowid", "until"),
)

STEPS: Final = (FIRST,)
