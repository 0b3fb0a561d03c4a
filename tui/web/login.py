"""Who is logged in: a password that is compared in constant time, wrong ones that cost time, and sessions by cookie.

The rules: a session is a random token in a cookie that no script and no other site gets at; here only its hash is kept,
and it ends by itself, by logging out, or with this process. From one network some eleven wrong passwords are looked at
in the first minute and ever fewer after (`p2p.daemon.access.Guesses`). Pure: time and tokens are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from p2p.daemon.access import Guesses

LIFETIME: Final = 12 * 3600.0
"""Seconds of a session: a day's work, and not a lost phone's week."""

MOST_SESSIONS: Final = 32
"""At once; beyond it the oldest ends: one person with a few browsers has no more."""

MOST_PASSWORD: Final = 1024
"""Letters that are looked at of a password."""


@dataclass(frozen=True, slots=True)
class Session:
    """`mark` is the hash of its token; `ends` is a time of the clock that it was begun by."""

    mark: bytes
    ends: float


class Locked(Exception):  # noqa: N818 - an answer
    """Too many wrong passwords came from there. `seconds` until the next is looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Login:
    """Takes `password` alone."""

    def __init__(self, password: str) -> None:
        self._password = _hash(password)
        self._guesses = Guesses()
        self._sessions: dict[bytes, Session] = {}

    def is_right(self, given: str, address: str, now: float) -> bool:
        """Whether that is the password. Raises Locked, for the right one too: guessers must not learn which it is."""
        seconds = self._guesses.locked_for(address, now)
        if seconds:
            raise Locked(seconds)
        right = hmac.compare_digest(_hash(given[:MOST_PASSWORD]), self._password)
        if right:
            self._guesses.on_right(address)
        else:
            self._guesses.on_wrong(address, now)
        return right

    def begin(self, token: str, now: float) -> Session | None:
        """A session of whoever shows this token from now on. The one that had to end for it, if any."""
        session = Session(_hash(token), now + LIFETIME)
        self._sessions[session.mark] = session
        if len(self._sessions) <= MOST_SESSIONS:
            return None
        return self._sessions.pop(next(iter(self._sessions)))

    def session_of(self, token: str, now: float) -> Session | None:
        """The session that this token is of, and that has not ended."""
        mark, found = _hash(token), None
        for session in self._sessions.values():  # all of them, whichever it is
            if hmac.compare_digest(session.mark, mark) and now < session.ends:
                found = session
        return found

    def end(self, session: Session) -> None:
        """It is of no use any more."""
        self._sessions.pop(session.mark, None)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
