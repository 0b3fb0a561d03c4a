"""The register of members: what the operator asks of it and changes in it, beside a running server.

Every function takes a connection of `tracker.private.database.opened`, a member's name, and `now` as seconds since the
epoch; a name is found whatever its case. A running server takes up what changed within about a second. Totals are only
ever added to, so neither side overwrites the other.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tracker.private import passkeys
from tracker.private.database import MAX_TOTAL, RegisterError, writing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

MAX_NAME: Final = 64
MAX_REASON: Final = 200
"""Characters; it travels in failure messages."""

PASSKEY_GRACE: Final = 7 * 86_400.0
"""Seconds an old passkey goes on working after a change: time to fetch every .torrent file again."""

_COLUMNS: Final = """m.id, m.name, m.state, m.reason, m.joined, inviter.name, m.may_download, m.max_slots,
    m.freeleech_until, m.double_upload_until, m.uploaded, m.downloaded, m.actual_uploaded, m.actual_downloaded,
    m.seed_time, m.ratio_low_since, m.last_seen,
    (SELECT count(*) FROM snatches AS s WHERE s.member = m.id AND s.finished IS NOT NULL)"""
_FROM: Final = "FROM members AS m LEFT JOIN members AS inviter ON inviter.id = m.invited_by"


class MemberState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class Promotion(StrEnum):
    """What may be given to a torrent, a member or everybody, until some time."""

    FREELEECH = "freeleech"
    """Downloads are not charged."""
    DOUBLE_UPLOAD = "double_upload"
    """Uploads are credited twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecord:
    """A member as the file has it; a running server may hold totals that are some seconds newer. Bytes and seconds."""

    id: int
    name: str
    state: MemberState
    reason: str
    joined: float
    invited_by: str | None
    may_download: bool
    max_slots: int | None
    """Torrents downloaded at once; None follows the tracker's rule."""
    freeleech_until: float | None
    double_upload_until: float | None
    uploaded: int
    """Credited, as is `downloaded`: what the ratio is made of."""
    downloaded: int
    actual_uploaded: int
    actual_downloaded: int
    seed_time: float
    ratio_low_since: float | None
    last_seen: float | None
    finished: int
    """Torrents completed."""

    @property
    def ratio(self) -> float:
        """Credited upload over credited download; infinite where nothing was downloaded."""
        return self.uploaded / self.downloaded if self.downloaded else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """What the server noticed about a member: one of each kind a torrent, counted."""

    member: str
    torrent: str
    """Name of the torrent, empty where none is concerned."""
    kind: str
    detail: str
    source: str
    first_seen: float
    last_seen: float
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning_:  # noqa: N801 - Warning is Python's own
    """A hit-and-run warning."""

    id: int
    member: str
    torrent: str
    issued: float
    expires: float


def add(
    connection: sqlite3.Connection,
    name: str,
    *,
    now: float,
    secrets: Callable[[int], bytes],
    uploaded: int = 0,
    downloaded: int = 0,
    invited_by: int | None = None,
) -> tuple[MemberRecord, str]:
    """A new member and the passkey, which is shown this once and kept nowhere.

    `uploaded` and `downloaded` are what the account starts with as credit; the actual totals start at 0.
    Raises RegisterError for a name that is taken or none.
    """
    with writing(connection):
        member_id = insert(connection, name, now=now, uploaded=uploaded, downloaded=downloaded, invited_by=invited_by)
        passkey = give_passkey(connection, member_id, now=now, secrets=secrets)
    return by_id(connection, member_id), passkey


def show(connection: sqlite3.Connection, name: str) -> MemberRecord:
    """Raises RegisterError where nobody has this name."""
    return by_id(connection, find(connection, name))


def by_id(connection: sqlite3.Connection, member_id: int) -> MemberRecord:
    row = connection.execute(f"SELECT {_COLUMNS} {_FROM} WHERE m.id = ?", (member_id,)).fetchone()
    if row is None:
        raise RegisterError(f"there is no member {member_id}")
    return _record(row)


def by_passkey(connection: sqlite3.Connection, passkey: str, *, now: float) -> MemberRecord | None:
    """The member a passkey opens, None for none; an old one opens until its grace ends."""
    found = connection.execute("SELECT value FROM secrets WHERE name = 'passkeys'").fetchone()
    if found is None or not passkeys.is_possible(passkey):
        return None
    row = connection.execute(
        "SELECT member FROM passkeys WHERE hash = ? AND (expires IS NULL OR expires > ?)",
        (passkeys.keyed_hash(passkey, bytes(found[0])), now),
    ).fetchone()
    return None if row is None else by_id(connection, row[0])


def listing(connection: sqlite3.Connection) -> list[MemberRecord]:
    """All members, by name."""
    rows = connection.execute(f"SELECT {_COLUMNS} {_FROM} ORDER BY m.name_key")
    return [_record(row) for row in rows]


def change_passkey(
    connection: sqlite3.Connection,
    name: str,
    *,
    now: float,
    secrets: Callable[[int], bytes],
    grace: float = PASSKEY_GRACE,
) -> str:
    """A new passkey; the old ones go on for `grace` seconds (0 for a stolen one) with a warning in each answer."""
    with writing(connection):
        member_id = find(connection, name)
        connection.execute("DELETE FROM passkeys WHERE member = ? AND expires <= ?", (member_id, now))
        connection.execute(
            "UPDATE passkeys SET expires = min(coalesce(expires, ?1), ?1) WHERE member = ?2", (now + grace, member_id)
        )
        return give_passkey(connection, member_id, now=now, secrets=secrets)


def disable(connection: sqlite3.Connection, name: str, *, reason: str = "") -> None:
    """The member's announces are refused, with the reason; nothing is forgotten."""
    _set_state(connection, name, MemberState.DISABLED, _line(reason, MAX_REASON, "reason"))


def enable(connection: sqlite3.Connection, name: str) -> None:
    _set_state(connection, name, MemberState.ACTIVE, "")


def allow_download(connection: sqlite3.Connection, name: str) -> None:
    """Give back the right that `forbid_download` took; what the rules take they give back themselves."""
    _set(connection, name, "may_download = 1", ())


def forbid_download(connection: sqlite3.Connection, name: str) -> None:
    """The member can seed and no longer download."""
    _set(connection, name, "may_download = 0", ())


def set_slots(connection: sqlite3.Connection, name: str, slots: int | None) -> None:
    """Torrents this member may download at once; 0 lifts the limit, None follows the tracker's rule."""
    if slots is not None and not 0 <= slots <= 1_000_000:
        raise RegisterError(f"{slots} is no number of slots")
    _set(connection, name, "max_slots = ?", (slots,))


def promote(connection: sqlite3.Connection, name: str, promotion: Promotion, *, until: float | None) -> None:
    """Give the member freeleech or double upload until a time (`math.inf`: no end), or take it away (None)."""
    _set(connection, name, f"{promotion.value}_until = ?", (until,))


def promote_all(connection: sqlite3.Connection, promotion: Promotion, *, until: float | None) -> None:
    """The same for everybody."""
    with writing(connection):
        connection.execute("DELETE FROM promotions WHERE name = ?", (promotion.value,))
        if until is not None:
            connection.execute("INSERT INTO promotions (name, until) VALUES (?, ?)", (promotion.value, until))


def promotions(connection: sqlite3.Connection) -> dict[Promotion, float]:
    """What is given to everybody, and until when."""
    return {Promotion(name): until for name, until in connection.execute("SELECT name, until FROM promotions")}


def credit(connection: sqlite3.Connection, name: str, *, uploaded: int = 0, downloaded: int = 0) -> None:
    """Add to a member's credited totals; negative takes away, never below 0. The actual totals stay."""
    if abs(uploaded) > MAX_TOTAL or abs(downloaded) > MAX_TOTAL:
        raise RegisterError("that many bytes are no credit")
    _set(
        connection,
        name,
        "uploaded = max(0, min(?, uploaded + ?)), downloaded = max(0, min(?, downloaded + ?)), revision = revision + 1",
        (MAX_TOTAL, uploaded, MAX_TOTAL, downloaded),
    )


def flags(connection: sqlite3.Connection, name: str | None = None, *, limit: int = 1_000) -> list[Flag]:
    """What the server noticed of all members or one, latest first."""
    member_id = None if name is None else find(connection, name)
    rows = connection.execute(
        """SELECT coalesce(m.name, ''), coalesce(t.name, ''), f.kind, f.detail, f.source, f.first_seen, f.last_seen,
            f.times
        FROM flags AS f LEFT JOIN members AS m ON m.id = f.member LEFT JOIN torrents AS t ON t.id = f.torrent
        WHERE ?1 IS NULL OR f.member = ?1 ORDER BY f.last_seen DESC, f.id DESC LIMIT ?2""",
        (member_id, limit),
    )
    return [
        Flag(member=row[0], torrent=row[1], kind=row[2], detail=row[3], source=row[4], first_seen=row[5],
             last_seen=row[6], times=row[7])
        for row in rows
    ]  # fmt: skip


def clear_flags(connection: sqlite3.Connection, name: str) -> int:
    """Forget what was noticed of a member; how many flags went."""
    with writing(connection):
        return connection.execute("DELETE FROM flags WHERE member = ?", (find(connection, name),)).rowcount


def warnings(connection: sqlite3.Connection, name: str | None = None, *, now: float) -> list[Warning_]:
    """The hit-and-run warnings in force, of all members or one, oldest first."""
    member_id = None if name is None else find(connection, name)
    rows = connection.execute(
        """SELECT w.id, coalesce(m.name, ''), coalesce(t.name, ''), w.issued, w.expires
        FROM warnings AS w LEFT JOIN members AS m ON m.id = w.member LEFT JOIN torrents AS t ON t.id = w.torrent
        WHERE (?1 IS NULL OR w.member = ?1) AND w.expires > ?2 ORDER BY w.issued, w.id""",
        (member_id, now),
    )
    return [Warning_(id=row[0], member=row[1], torrent=row[2], issued=row[3], expires=row[4]) for row in rows]


def lift_warnings(connection: sqlite3.Connection, name: str, *, now: float) -> int:
    """End all warnings of a member; how many there were."""
    with writing(connection):
        member_id = find(connection, name)
        lifted = connection.execute(
            "UPDATE warnings SET expires = ?1 WHERE member = ?2 AND expires > ?1", (now, member_id)
        ).rowcount
        connection.execute("UPDATE members SET revision = revision + 1 WHERE id = ?", (member_id,))
        return lifted


def find(connection: sqlite3.Connection, name: str) -> int:
    """A member's id. Raises RegisterError where nobody has this name."""
    row = connection.execute("SELECT id FROM members WHERE name_key = ?", (_key(name),)).fetchone()
    if row is None:
        raise RegisterError(f"there is no member {_shown(name)}")
    return int(row[0])


def insert(
    connection: sqlite3.Connection,
    name: str,
    *,
    now: float,
    uploaded: int = 0,
    downloaded: int = 0,
    actual_uploaded: int = 0,
    actual_downloaded: int = 0,
    invited_by: int | None = None,
) -> int:
    """A new row within the caller's transaction; its id. Raises RegisterError."""
    name = _line(name, MAX_NAME, "name")
    if not name:
        raise RegisterError("a member needs a name")
    for total in (uploaded, downloaded, actual_uploaded, actual_downloaded):
        if not 0 <= total <= MAX_TOTAL:
            raise RegisterError(f"{total} bytes are no total")
    if connection.execute("SELECT 1 FROM members WHERE name_key = ?", (_key(name),)).fetchone():
        raise RegisterError(f"there is a member {_shown(name)} already")
    cursor = connection.execute(
        """INSERT INTO members (name, name_key, joined, invited_by, uploaded, downloaded, actual_uploaded,
            actual_downloaded) VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (name, _key(name), now, invited_by, uploaded, downloaded, actual_uploaded, actual_downloaded),
    )
    if cursor.lastrowid is None:
        raise RegisterError("the member has no number")
    return cursor.lastrowid


def give_passkey(
    connection: sqlite3.Connection,
    member_id: int,
    *,
    now: float,
    secrets: Callable[[int], bytes],
    passkey: str | None = None,
) -> str:
    """One more passkey, made here if none is given, within the caller's transaction. Raises RegisterError."""
    given = passkeys.make(secrets) if passkey is None else passkey
    if not passkeys.is_possible(given):
        raise RegisterError("a passkey has 16 to 64 letters, digits, - and _")
    hashed = passkeys.keyed_hash(given, passkeys.secret_of(connection, secrets))
    if connection.execute("SELECT 1 FROM passkeys WHERE hash = ?", (hashed,)).fetchone():
        raise RegisterError("this passkey is some member's already")
    connection.execute("INSERT INTO passkeys (hash, member, made) VALUES (?, ?, ?)", (hashed, member_id, now))
    return given


def _set_state(connection: sqlite3.Connection, name: str, state: MemberState, reason: str) -> None:
    _set(connection, name, "state = ?, reason = ?", (state.value, reason))


def _set(connection: sqlite3.Connection, name: str, assignments: str, values: tuple[object, ...]) -> None:
    with writing(connection):
        member_id = find(connection, name)
        # The assignments are words of this module; what comes from outside is bound.
        connection.execute(f"UPDATE members SET {assignments} WHERE id = ?", (*values, member_id))  # noqa: S608


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def _line(text: str, limit: int, what: str) -> str:
    text = unicodedata.normalize("NFC", text.strip())
    if len(text) > limit:
        raise RegisterError(f"a {what} has at most {limit} characters")
    if not text.isprintable():
        raise RegisterError(f"a {what} has printable characters alone")
    return text


def _shown(name: str) -> str:
    return repr(name[:MAX_NAME])


def _record(row: tuple[object, ...]) -> MemberRecord:
    (identity, name, state, reason, joined, inviter, may_download, slots, free, double, up, down, actual_up,
     actual_down, seed_time, low_since, last_seen, finished) = row  # fmt: skip
    return MemberRecord(
        id=identity, name=name, state=MemberState(state), reason=reason, joined=joined, invited_by=inviter,  # type: ignore[arg-type] # STRICT tables
        may_download=bool(may_download), max_slots=slots, freeleech_until=free, double_upload_until=double,  # type: ignore[arg-type]
        uploaded=up, downloaded=down, actual_uploaded=actual_up, actual_downloaded=actual_down,  # type: ignore[arg-type]
        seed_time=seed_time, ratio_low_since=low_since, last_seen=last_seen, finished=finished,  # type: ignore[arg-type]
    )  # fmt: skip
