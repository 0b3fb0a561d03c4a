"""Invites: codes that let somebody become a member once, within a time, and the tree of who brought whom.

Every function takes a connection of `tracker.private.database.opened`; times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tracker.private import members, passkeys
from tracker.private.database import RegisterError, writing
from tracker.private.members import MemberState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

LIFETIME: Final = 14 * 86_400.0
"""Seconds an invite is good for."""

MAX_OPEN: Final = 1
"""Unused invites of one member at a time."""


class InviteState(StrEnum):
    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteRecord:
    """`inviter` is None where the operator invites; `invitee` is who came."""

    id: int
    inviter: str | None
    made: float
    expires: float
    used: float | None
    invitee: str | None
    state: InviteState


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of the tree, in the order it is printed. `depth` is 0 for who came without a member's invite."""

    depth: int
    name: str
    joined: float
    state: MemberState


def create(
    connection: sqlite3.Connection,
    inviter: str | None,
    *,
    now: float,
    secrets: Callable[[int], bytes],
    lifetime: float = LIFETIME,
    max_open: int = MAX_OPEN,
) -> str:
    """A code for one new member, shown this once. `inviter` None is the operator, whom no limit binds.

    Raises RegisterError for a member that is unknown, disabled, or has `max_open` unused ones.
    """
    code = passkeys.make(secrets)
    with writing(connection):
        member_id = None
        if inviter is not None:
            member_id = members.find(connection, inviter)
            if members.by_id(connection, member_id).state is not MemberState.ACTIVE:
                raise RegisterError(f"{inviter!r} is disabled and cannot invite")
            (unused,) = connection.execute(
                "SELECT count(*) FROM invites WHERE inviter = ? AND used IS NULL AND expires > ?", (member_id, now)
            ).fetchone()
            if unused >= max_open:
                raise RegisterError(f"{inviter!r} has {unused} unused invites, as many as are allowed")
        connection.execute(
            "INSERT INTO invites (hash, inviter, made, expires) VALUES (?, ?, ?, ?)",
            (_hash(connection, code, secrets), member_id, now, now + lifetime),
        )
    return code


def accept(
    connection: sqlite3.Connection,
    code: str,
    name: str,
    *,
    now: float,
    secrets: Callable[[int], bytes],
    uploaded: int = 0,
    downloaded: int = 0,
) -> tuple[members.MemberRecord, str]:
    """The new member and the passkey. Raises RegisterError for a code that is unknown, used or expired."""
    with writing(connection):
        row = connection.execute(
            "SELECT id, inviter, expires, used FROM invites WHERE hash = ?", (_hash(connection, code, secrets),)
        ).fetchone()
        if row is None:
            raise RegisterError("there is no such invite")
        invite_id, inviter, expires, used = row
        if used is not None:
            raise RegisterError("this invite was used already")
        if expires <= now:
            raise RegisterError("this invite has expired")
        member_id = members.insert(
            connection, name, now=now, uploaded=uploaded, downloaded=downloaded, invited_by=inviter
        )
        connection.execute("UPDATE invites SET used = ?, invitee = ? WHERE id = ?", (now, member_id, invite_id))
        passkey = members.give_passkey(connection, member_id, now=now, secrets=secrets)
    return members.by_id(connection, member_id), passkey


def listing(connection: sqlite3.Connection, *, now: float) -> list[InviteRecord]:
    """All invites, latest first. The codes themselves are kept nowhere."""
    rows = connection.execute(
        """SELECT i.id, inviter.name, i.made, i.expires, i.used, invitee.name FROM invites AS i
        LEFT JOIN members AS inviter ON inviter.id = i.inviter LEFT JOIN members AS invitee ON invitee.id = i.invitee
        ORDER BY i.made DESC, i.id DESC"""
    )
    return [
        InviteRecord(id=identity, inviter=inviter, made=made, expires=expires, used=used, invitee=invitee,
                     state=_state(used, expires, now))
        for identity, inviter, made, expires, used, invitee in rows
    ]  # fmt: skip


def revoke(connection: sqlite3.Connection, invite_id: int, *, now: float) -> None:
    """End an unused invite. Raises RegisterError where there is none of this number."""
    with writing(connection):
        ended = connection.execute(
            "UPDATE invites SET expires = ?1 WHERE id = ?2 AND used IS NULL AND expires > ?1", (now, invite_id)
        ).rowcount
        if not ended:
            raise RegisterError(f"there is no open invite {invite_id}")


def tree(connection: sqlite3.Connection) -> list[Branch]:
    """Who brought whom: each member below its inviter, by the time they joined."""
    rows = connection.execute("SELECT id, name, joined, state, invited_by FROM members ORDER BY joined DESC, id DESC")
    below: dict[int | None, list[tuple[int, str, float, str]]] = {}
    for identity, name, joined, state, inviter in rows:
        below.setdefault(inviter, []).append((identity, name, joined, state))
    branches: list[Branch] = []
    waiting = [(0, each) for each in below.get(None, [])]
    while waiting:  # no recursion: a chain of invites may be longer than Python's stack
        depth, (identity, name, joined, state) = waiting.pop()
        branches.append(Branch(depth=depth, name=name, joined=joined, state=MemberState(state)))
        waiting += [(depth + 1, each) for each in below.get(identity, [])]
    return branches


def _hash(connection: sqlite3.Connection, code: str, secrets: Callable[[int], bytes]) -> bytes:
    # Apart from passkeys, so that a code that was handed about can never open an account.
    return passkeys.keyed_hash(f"invite {code}", passkeys.secret_of(connection, secrets))


def _state(used: float | None, expires: float, now: float) -> InviteState:
    if used is not None:
        return InviteState.USED
    return InviteState.OPEN if expires > now else InviteState.EXPIRED
