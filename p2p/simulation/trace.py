"""The trace of a simulated network: everything that arrived anywhere, in order, so that two runs can be compared."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from p2p.ids import Address


class Trace(Protocol):
    """Takes each event as it happens.

    `time` is seconds on the loop's clock; `kind` is one of connect, refuse, bytes, end, reset, datagram, lost;
    `payload` is what arrived, valid during the call.
    """

    def __call__(
        self, time: float, kind: str, source: Address, target: Address, payload: bytes | memoryview, /
    ) -> None:
        """Take one event."""


class TraceDigest:
    """A `Trace` that keeps a hash of everything and counts; runs equal in all that was sent have equal digests.

    `events` counts them and `size` is the bytes of their payloads.
    """

    __slots__ = ("_hash", "events", "size")

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=20)
        self.events = 0
        self.size = 0

    def __call__(
        self, time: float, kind: str, source: Address, target: Address, payload: bytes | memoryview, /
    ) -> None:
        self.events += 1
        self.size += len(payload)
        head = f"{kind} {source} {target}".encode()
        self._hash.update(struct.pack(">dII", time, len(head), len(payload)))
        self._hash.update(head)
        self._hash.update(payload)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
