"""Write tokens (BEP 5): who announces must show that it asked us from the same IP address a short while ago.

The rule: a token is a keyed hash of the address and of the five minutes it was given in, so nothing is remembered a
node, and a token dies by itself. Keys rotate because each span of time makes its own.
"""

from __future__ import annotations

from hashlib import blake2s
from hmac import compare_digest
from typing import Final

ROTATION: Final = 300.0
"""Seconds that one key gives tokens out; the key before it still counts, so a token lives 5 to 10 minutes (BEP 5)."""

TOKEN_SIZE: Final = 8
"""Bytes. 64 bits cannot be guessed at the rate at which we answer, and the token travels in every reply."""


class Tokens:
    """The tokens of one node. `secret` is 16 bytes or more that nobody can guess."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = blake2s(secret, person=b"token").digest()

    def give(self, host: str, now: float) -> bytes:
        """The token for the node at an IP address."""
        return self._make(host, int(now // ROTATION))

    def accepts(self, token: bytes, host: str, now: float) -> bool:
        """Whether `token` was given to this IP address at most ten minutes ago."""
        span = int(now // ROTATION)
        return compare_digest(token, self._make(host, span)) or compare_digest(token, self._make(host, span - 1))

    def _make(self, host: str, span: int) -> bytes:
        return blake2s(f"{span} {host}".encode(), key=self._secret, digest_size=TOKEN_SIZE).digest()
