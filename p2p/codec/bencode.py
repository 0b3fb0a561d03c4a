"""Bencode (BEP 3): which bytes are a value, and the one way a value is written.

The rule: a value has exactly one encoding, so whatever is read here and written again gives the same bytes, and an
info-hash never depends on who computed it. Byte strings stay bytes. This module is the only door to `bencodepy`: its
encoder as it is, its decoder with every method that reads input replaced by one that is canonical and bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bencodepy import BencodeDecodeError, BencodeDecoder, BencodeEncoder

from p2p.errors import BencodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value: TypeAlias = "int | bytes | list[Value] | dict[bytes, Value]"
"""What decoding gives."""

Encodable: TypeAlias = "int | bytes | Sequence[Encodable] | Mapping[bytes, Encodable]"
"""What encoding takes: exact `int`, `bool` (written as 0 or 1), `bytes`, `list`, `tuple` and `dict` objects."""

MAX_SIZE: Final = 32 * 1024 * 1024
"""Bytes of input. The largest torrents in circulation stay under half of it; more would only cost memory."""

MAX_VALUES: Final = 3_000_000
"""Values in one input, estimated from above by counting terminators.

Two bytes (`de`) make 72 bytes of Python objects, so the size alone does not bound memory; this does, near 220 MB, and
leaves room for torrents of some 200,000 files.
"""

MAX_DEPTH: Final = 100
"""Containers inside each other.

A version 2 file tree (BEP 52) nests one dict a folder, deeper than which no real folder goes; and the decoder recurses
two frames a level, so this keeps it far from the interpreter's own limit."""

_INTEGER = re.compile(rb"i(0|-?[1-9][0-9]{0,19})e")  # 20 digits: nothing on the wire is wider than 64 bits
_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,8}):")  # 9 digits: MAX_SIZE has 8
_INTEGER_MARK, _LIST_MARK, _DICT_MARK, _END = b"ilde"
_DIGIT_0, _DIGIT_9 = b"09"


def encode(value: Encodable) -> bytes:
    """Canonical bencode of `value`, dict keys sorted as raw bytes."""
    return BencodeEncoder().encode(value)


def decode(data: bytes | bytearray | memoryview) -> Value:
    """The one value `data` is the canonical encoding of.

    Raises BencodeError for anything else: an unsorted or repeated key, a number with a sign or zeros it does not need,
    a string longer than the input, bytes after the value, or a passed bound (MAX_SIZE, MAX_VALUES, MAX_DEPTH).
    """
    return _whole(_CanonicalDecoder(max_depth=MAX_DEPTH), data)


def decode_lenient(data: bytes | bytearray | memoryview) -> Value:
    """As `decode`, but dict keys may stand in any order; repeated keys are still refused.

    For what trackers and peers answer and for old torrents, whose writers did not all sort.
    """
    return _whole(_AnyOrderDecoder(max_depth=MAX_DEPTH), data)


def decode_prefix(data: bytes | bytearray | memoryview, start: int = 0) -> tuple[Value, int]:
    """The value that begins at `start` and the offset just past it; keys in any order. Raises BencodeError.

    `ut_metadata` (BEP 9) appends raw bytes to a bencoded dict, so the end is part of the answer.
    """
    if start < 0:
        raise BencodeError("a value cannot start before the input")
    return _AnyOrderDecoder(max_depth=MAX_DEPTH).decode_value(_bounded(data), start, 0)


def raw_span(data: bytes | bytearray | memoryview, key: bytes) -> tuple[int, int] | None:
    """Where the bytes of the value under `key` of a top-level dict begin and end, or None without such a key.

    This is how an info-hash is taken: over the bytes that came, never over an encoding of ours. Reads no further than
    that value; `decode` judges the whole. Raises BencodeError if the input is no dict or is broken up to there.
    """
    raw = _bounded(data)
    if not raw.startswith(b"d"):
        raise BencodeError("the input is not a dict")
    decoder = _AnyOrderDecoder(max_depth=MAX_DEPTH)
    at = 1
    while at < len(raw) and raw[at] != _END:
        found, begin = decoder.decode_string(raw, at)
        _, at = decoder.decode_value(raw, begin, 1)
        if found == key:
            return begin, at
    if at >= len(raw):
        raise BencodeError("the input ends inside a dict")
    return None


class _CanonicalDecoder(BencodeDecoder):
    """Reads canonical bencode only. Stateless between calls; raises BencodeError."""

    def decode_value(self, x: bytes, f: int, depth: int) -> tuple[Value, int]:
        """The value at offset `f`, inside `depth` containers, and the offset past it."""
        if f >= len(x):
            raise BencodeError("the input ends where a value should start")
        mark = x[f]
        if _DIGIT_0 <= mark <= _DIGIT_9:
            return self.decode_string(x, f)
        if mark == _INTEGER_MARK:
            return self.decode_int(x, f)
        if mark == _DICT_MARK:
            return self.decode_dict(x, f, depth=depth)
        if mark == _LIST_MARK:
            return self.decode_list(x, f, depth=depth)
        raise BencodeError(f"no value starts like the byte at {f}")

    def decode_int(self, x: bytes, f: int, **_: Any) -> tuple[int, int]:
        match = _INTEGER.match(x, f)
        if match is None:
            raise BencodeError(f"the integer at byte {f} is not canonical, or wider than 20 digits")
        return int(match[1]), match.end()

    def decode_string(self, x: bytes, f: int, kind: str = "value", **_: Any) -> tuple[bytes, int]:
        match = _LENGTH.match(x, f)
        if match is None:
            raise BencodeError(f"the {kind} at byte {f} is not a string with a canonical length")
        begin = match.end()
        end = begin + int(match[1])
        if end > len(x):
            raise BencodeError(f"the string at byte {f} is longer than the input")
        return x[begin:end], end

    def decode_list(self, x: bytes, f: int, depth: int = 0, **_: Any) -> tuple[list[Value], int]:
        self._enter(depth)
        values: list[Value] = []
        f += 1
        while x[f : f + 1] != b"e":
            value, f = self.decode_value(x, f, depth + 1)
            values.append(value)
        return values, f + 1

    def decode_dict(self, x: bytes, f: int, depth: int = 0, **_: Any) -> tuple[dict[bytes, Value], int]:
        self._enter(depth)
        values: dict[bytes, Value] = {}
        last: bytes | None = None
        f += 1
        while x[f : f + 1] != b"e":
            key, value_at = self.decode_string(x, f, "key")
            if last is not None and key <= last:
                raise BencodeError(f"the key at byte {f} is repeated or out of order")
            values[key], f = self.decode_value(x, value_at, depth + 1)
            last = key
        return values, f + 1

    def _enter(self, depth: int) -> None:
        if depth >= self.max_depth:
            raise BencodeError(f"more than {self.max_depth} containers inside each other")


class _AnyOrderDecoder(_CanonicalDecoder):
    """As its base, but dict keys may stand in any order."""

    def decode_dict(self, x: bytes, f: int, depth: int = 0, **_: Any) -> tuple[dict[bytes, Value], int]:
        self._enter(depth)
        values: dict[bytes, Value] = {}
        f += 1
        while x[f : f + 1] != b"e":
            key, value_at = self.decode_string(x, f, "key")
            if key in values:
                raise BencodeError(f"the key at byte {f} is repeated")
            values[key], f = self.decode_value(x, value_at, depth + 1)
        return values, f + 1


def _whole(decoder: _CanonicalDecoder, data: bytes | bytearray | memoryview) -> Value:
    raw = _bounded(data)
    try:
        value: Value = decoder.decode(raw)
    except BencodeDecodeError as error:
        raise BencodeError(str(error)) from error
    return value


def _bounded(data: bytes | bytearray | memoryview) -> bytes:
    if len(data) > MAX_SIZE:
        raise BencodeError(f"{len(data)} bytes of bencode are more than {MAX_SIZE}")
    raw = bytes(data)
    # Every string has a colon and every other value an "e" of its own, so this counts no fewer than there are.
    if len(raw) > MAX_VALUES and raw.count(b":") + raw.count(b"e") > MAX_VALUES:
        raise BencodeError(f"more than {MAX_VALUES} values in one input")
    return raw
