"""Typed reads from decoded bencode. The rule: a field of the wrong type is refused by name, never guessed around."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from p2p.errors import MetainfoError

if TYPE_CHECKING:
    from p2p.codec.bencode import Value

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def integer(fields: dict[bytes, Value], key: bytes, where: str) -> int:
    """The integer under `key`. Raises MetainfoError naming the key and `where` it is missing."""
    value = fields.get(key)
    if not isinstance(value, int):
        raise MetainfoError(f"{where} has no integer '{key.decode()}'")
    return value


def string(fields: dict[bytes, Value], key: bytes, where: str) -> bytes:
    """The byte string under `key`, or MetainfoError."""
    value = fields.get(key)
    if not isinstance(value, bytes):
        raise MetainfoError(f"{where} has no string '{key.decode()}'")
    return value


def mapping(fields: dict[bytes, Value], key: bytes, where: str) -> dict[bytes, Value]:
    """The dict under `key`, or MetainfoError."""
    value = fields.get(key)
    if not isinstance(value, dict):
        raise MetainfoError(f"{where} has no dict '{key.decode()}'")
    return value


def text(fields: dict[bytes, Value], key: bytes) -> str | None:
    """Text for people under `key`, without characters that drive a terminal; None where there is no string."""
    value = fields.get(key)
    if not isinstance(value, bytes):
        return None
    return _CONTROLS.sub("\ufffd", value.decode("utf-8", "replace"))


def texts(value: Value | None) -> list[str]:
    """The UTF-8 strings in `value`, itself a string or a list of them; whatever is neither is left out."""
    found: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bytes):
            try:
                found.append(item.decode())
            except UnicodeDecodeError:
                continue
    return found
