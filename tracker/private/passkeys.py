"""Passkeys and invite codes: how they are made, what may be one, and the keyed hash under which they are kept.

The rule: the file never holds a passkey, only its BLAKE2b hash under a secret of the file, and every look-up is by that
hash. How long a look-up takes therefore tells nothing about which passkeys exist, and a stolen copy opens no account.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

SIZE: Final = 16
"""Bytes of chance in a passkey, written as 32 hex digits, the form trackers in use have."""

HASH_SIZE: Final = 16
SECRET_SIZE: Final = 32
_OF_PASSKEYS: Final = "passkeys"

_ALLOWED: Final = re.compile(r"[0-9A-Za-z_-]{16,64}")
"""Imported ones may be any token of 16 to 64 characters that stands in a path unescaped; fewer could be guessed."""


def make(secrets: Callable[[int], bytes]) -> str:
    """A new passkey or invite code: 32 hex digits. `secrets(n)` returns n bytes nobody can guess."""
    return secrets(SIZE).hex()


def is_possible(text: str) -> bool:
    """Whether `text` has the form of a passkey: 16 to 64 letters, digits, `-` and `_`."""
    return _ALLOWED.fullmatch(text) is not None


def keyed_hash(text: str, secret: bytes) -> bytes:
    """What stands for `text` in the file: 16 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=HASH_SIZE, key=secret).digest()


def secret_of(connection: sqlite3.Connection, secrets: Callable[[int], bytes]) -> bytes:
    """The secret of this file, made on first use; within the caller's transaction if it has one."""
    found = connection.execute("SELECT value FROM secrets WHERE name = ?", (_OF_PASSKEYS,)).fetchone()
    if found is None:
        connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (_OF_PASSKEYS, secrets(SECRET_SIZE)))
        found = connection.execute("SELECT value FROM secrets WHERE name = ?", (_OF_PASSKEYS,)).fetchone()
    return bytes(found[0])
