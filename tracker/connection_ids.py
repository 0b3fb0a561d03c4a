"""Connection ids of the UDP tracker protocol (BEP 15), which cost no memory: a keyed hash of the asker's host and time.

The rule: only who can receive at a host can announce from it. An id is 7 bytes of hash and one that tells in which
window of time it was made, so one hash decides. The secret and the window stand before the host in what is hashed (with
BLAKE2 that is as safe as a key) and are hashed once a window. The port is left out: a translator on the way may change
it between two packets, and it proves nothing more. Processes with one secret and one clock take each other's ids.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW: Final = 60.0
"""Seconds a connection id is made from. One is good in its own window and the two after it: two minutes at the least,
as BEP 15 asks, three at the most."""

WINDOWS: Final = 3

_MARK_SIZE: Final = 7


class ConnectionIds:
    """Makes and judges ids. `secret` has 16 to 64 bytes; `now` is seconds of a clock that does not go back."""

    __slots__ = ("_keys", "_secret", "_window")

    def __init__(self, secret: bytes) -> None:
        if not 16 <= len(secret) <= 64:
            raise ValueError("a secret has 16 to 64 bytes")
        self._secret = secret
        self._window = -1
        self._keys: dict[int, hashlib.blake2b] = {}

    def keys(self, now: float) -> Mapping[int, hashlib.blake2b]:
        """What hashes begin with, by the last byte of the ids that are good at `now`; copy one before feeding it."""
        window = int(now // WINDOW)
        if window != self._window:
            self._window = window
            current = range(window - WINDOWS + 1, window + 1)
            self._keys = {each & 255: self._key(each) for each in current}
        return self._keys

    def make(self, host: bytes, now: float) -> tuple[bytes, int]:
        """The id for a packed host, in two parts: 7 bytes and 1."""
        last = int(now // WINDOW) & 255
        key = self.keys(now)[last].copy()
        key.update(host)
        return key.digest(), last

    def is_good(self, mark: bytes, last: int, host: bytes, now: float) -> bool:
        key = self.keys(now).get(last)
        if key is None:
            return False
        key = key.copy()
        key.update(host)
        return hmac.compare_digest(key.digest(), mark)

    def _key(self, window: int) -> hashlib.blake2b:
        begin = self._secret.ljust(64, b"\0") + len(self._secret).to_bytes(1) + window.to_bytes(8, "big", signed=True)
        return hashlib.blake2b(begin, digest_size=_MARK_SIZE)
