"""A stream of the network port whose bytes are encrypted with RC4 (the payload of MSE) over another stream.

Received bytes are decrypted where they landed. Bytes to send are encrypted into a buffer of ours, never in the caller's
views, which may belong to a cache. `send` takes exactly what the stream below takes, so no bytes wait here, and
readiness, close and abort are those of the stream below. What was encrypted and not taken is kept beside its plaintext:
mostly the caller offers the same bytes again; where it offers others, the two give the keystream for those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.net.network import MAX_VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.net.network import Stream
    from p2p.wire.mse import Rc4

SEND_SIZE: Final = 131_072
"""Bytes encrypted for one `send`: many enough that the calls cost nothing beside RC4, few enough that a full socket
leaves little to keep."""


class EncryptedStream:
    """See the module's head."""

    __slots__ = ("_decrypt", "_encrypt", "_inner", "_plain", "_sealed", "local", "remote")

    def __init__(self, inner: Stream, *, encrypt: Rc4, decrypt: Rc4) -> None:
        self._inner = inner
        self._encrypt = encrypt
        self._decrypt = decrypt
        self._plain = b""
        self._sealed = b""
        self.local = inner.local
        self.remote = inner.remote

    def receive_into(self, views: Sequence[memoryview]) -> int | None:
        count = self._inner.receive_into(views)
        if count:
            rest = count
            for view in views:
                filled = view if len(view) <= rest else view[:rest]
                self._decrypt.apply_into(filled, filled)
                rest -= len(filled)
                if not rest:
                    break
        return count

    def send(self, views: Sequence[bytes | memoryview]) -> int:
        if self._sealed:
            return self._send_kept(views)
        offered, size = _first(views, SEND_SIZE)
        sealed = memoryview(bytearray(size))
        at = 0
        for view in offered:
            self._encrypt.apply_into(view, sealed[at:])
            at += len(view)
        taken = self._inner.send([sealed])
        if taken < size:
            self._sealed = bytes(sealed[taken:])
            self._plain = b"".join(offered)[taken:]
        return taken

    def _send_kept(self, views: Sequence[bytes | memoryview]) -> int:
        """Send under the keystream that was drawn already, and no further."""
        offered, size = _first(views, len(self._sealed))
        plain = b"".join(offered)
        if plain != self._plain[:size]:
            self._sealed = _xor(_xor(self._sealed[:size], self._plain[:size]), plain) + self._sealed[size:]
            self._plain = plain + self._plain[size:]
        taken = self._inner.send([memoryview(self._sealed)[:size]])
        if taken:
            self._sealed = self._sealed[taken:]
            self._plain = self._plain[taken:]
        return taken

    def on_readable(self, callback: Callable[[], None] | None) -> None:
        self._inner.on_readable(callback)

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        self._inner.on_writable(callback)

    def close(self) -> None:
        self._inner.close()

    def abort(self) -> None:
        self._inner.abort()


def _first(views: Sequence[bytes | memoryview], limit: int) -> tuple[list[bytes | memoryview], int]:
    """The first `limit` bytes of what one call may offer, and how many there are."""
    found: list[bytes | memoryview] = []
    size = 0
    for view in views[:MAX_VIEWS]:
        if size + len(view) >= limit:
            found.append(view[: limit - size])
            return found, limit
        found.append(view)
        size += len(view)
    return found, size


def _xor(one: bytes, other: bytes) -> bytes:
    """Of two equally long strings."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")
