"""What trackers that share a Redis write there: keys, values and stream entries, documented in docs/tracker-redis.md.

The rules: everything carries the version of this format in its key; all times are those of the Redis server's own
clock, so that no two machines need agree on one; and what is read is checked whole, since anybody with access can have
written it. Numbers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.store import OWED, Family

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION: Final = 1

MAX_CHANGES: Final = 500
"""Changed peers, and completions, of one batch and stream entry: 28 KB over IPv4, taken in within some milliseconds."""

MAX_COMPLETED: Final = 2**31 - 1
"""Completions of a swarm: more would not fit into a scrape (BEP 15)."""

COMPLETED: Final = b"completed"
"""The one field of a swarm's hash that is no peer: its length is that of no address."""

_ROLE: Final = 3
_GONE: Final = 0x80
"""A mark in a stream entry that stands for a peer which has left."""

_DETAIL: Final = 21
_VALUE: Final = struct.Struct(">21sQ")
_CHANGE: Final = {Family.IPV4: struct.Struct(">20s6s21sQ"), Family.IPV6: struct.Struct(">20s18s21sQ")}
_TOTAL: Final = struct.Struct(">B20sI")
_MAX_TIME: Final = 2**48
"""Milliseconds, some 9,000 years: what is beyond is no time."""


class Change(NamedTuple):
    """A peer as one process has it. `detail` is that of a `SwarmRecord`, None where the peer has left; `seen` is when
    it was seen last or left, in seconds of the Redis clock."""

    info_hash: bytes
    peer: bytes
    detail: bytes | None
    seen: float


class Total(NamedTuple):
    """How many have finished in a swarm, by the count of all processes."""

    info_hash: bytes
    family: Family
    completed: int


class Entry(NamedTuple):
    """One batch of a process, as the stream has it."""

    writer: bytes
    number: int
    """One more than that of the writer's entry before; a gap means that something was missed."""
    changes: list[Change]
    totals: list[Total]
    refused: int
    """Changes and totals that cannot be."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys below an operator's `prefix`."""

    prefix: str

    @property
    def _root(self) -> str:
        return f"{self.prefix}:{VERSION}:"

    @property
    def changes(self) -> bytes:
        """The stream."""
        return f"{self._root}changes".encode()

    @property
    def memory(self) -> bytes:
        """A word that is there as long as this Redis remembers what it was told."""
        return f"{self._root}memory".encode()

    @property
    def sweeper(self) -> bytes:
        """Who goes through all swarms in this period."""
        return f"{self._root}sweeper".encode()

    @property
    def swarms(self) -> bytes:
        """The pattern of all swarms. A prefix has no character that means something in it."""
        return f"{self._root}swarm:*".encode()

    def swarm(self, info_hash: bytes, family: Family) -> bytes:
        """The hash of a swarm."""
        return f"{self._root}swarm:{4 if family == Family.IPV4 else 6}:{info_hash.hex()}".encode()

    def read_swarm(self, key: bytes) -> tuple[bytes, Family]:
        """The info-hash and family of a key. Raises ValueError for one that is no swarm's."""
        head, family, digits = key[:-42], key[-42:-40], key[-40:]
        if head != f"{self._root}swarm:".encode() or family not in {b"4:", b"6:"} or digits != digits.lower():
            raise ValueError("no key of a swarm")
        return bytes.fromhex(digits.decode("ascii")), Family.IPV4 if family == b"4:" else Family.IPV6


def pack_value(detail: bytes, seen: float) -> bytes:
    """A peer's value in the hash of its swarm."""
    return _VALUE.pack(detail, _milliseconds(seen))


def read_value(value: bytes) -> tuple[bytes, float]:
    """The detail and time of a value. Raises ValueError."""
    if len(value) != _VALUE.size:
        raise ValueError("a value of the wrong size")
    detail, at = _VALUE.unpack(value)
    if not _possible(detail[-1]) or at >= _MAX_TIME:
        raise ValueError("a mark or a time that cannot be")
    return detail, at / 1000


def is_reachable(peer: bytes) -> bool:
    """Whether a compact peer has a port: those without are not let in by the tracker, and not by this door."""
    return peer[-2:] != b"\0\0"


def read_total(value: bytes) -> int:
    """The completions in the hash of a swarm. Raises ValueError."""
    if not value.isdigit() or len(value) > 10 or int(value) > MAX_COMPLETED:
        raise ValueError("a number of completions that cannot be")
    return int(value)


def pack_entry(
    writer: bytes, number: int, changes: Sequence[Change], totals: Sequence[Total]
) -> dict[bytes, bytes | int]:
    """The fields of a stream entry. At most MAX_CHANGES of either."""
    fields: dict[bytes, bytes | int] = {b"by": writer, b"n": number}
    for family, form in _CHANGE.items():
        packed = [
            form.pack(info_hash, peer, detail or bytes(20) + bytes([_GONE]), _milliseconds(seen))
            for info_hash, peer, detail, seen in changes
            if len(peer) == family
        ]
        if packed:
            fields[b"4" if family == Family.IPV4 else b"6"] = b"".join(packed)
    if totals:
        fields[b"c"] = b"".join(_TOTAL.pack(each.family, each.info_hash, each.completed) for each in totals)
    return fields


def read_entry(fields: Mapping[bytes, bytes]) -> Entry:
    """What a stream entry says. Raises ValueError for one that says nothing that can be understood."""
    writer, number = fields.get(b"by", b""), fields.get(b"n", b"")
    if len(writer) != 8 or not number.isdigit() or len(number) > 18:
        raise ValueError("an entry of nobody")
    changes: list[Change] = []
    refused = 0
    for family, form in _CHANGE.items():
        packed = fields.get(b"4" if family == Family.IPV4 else b"6", b"")
        if len(packed) % form.size or len(packed) > MAX_CHANGES * form.size:
            raise ValueError("an entry of the wrong size")
        for info_hash, peer, detail, at in form.iter_unpack(packed):
            mark = detail[-1]
            if at >= _MAX_TIME or (mark != _GONE and not _possible(mark)) or not is_reachable(peer):
                refused += 1
            else:
                changes.append(Change(info_hash, peer, None if mark == _GONE else detail, at / 1000))
    packed = fields.get(b"c", b"")
    if len(packed) % _TOTAL.size or len(packed) > MAX_CHANGES * _TOTAL.size:
        raise ValueError("an entry of the wrong size")
    totals: list[Total] = []
    for size, info_hash, completed in _TOTAL.iter_unpack(packed):
        if size not in tuple(Family) or completed > MAX_COMPLETED:
            refused += 1
        else:
            totals.append(Total(info_hash, Family(size), completed))
    return Entry(writer, int(number), changes, totals, refused)


def _possible(mark: int) -> bool:
    return mark & _ROLE < 3 and mark <= _ROLE | OWED


def _milliseconds(seconds: float) -> int:
    return min(_MAX_TIME - 1, max(0, round(seconds * 1000)))
