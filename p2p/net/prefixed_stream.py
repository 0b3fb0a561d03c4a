"""A stream of the network port, some of whose first bytes were read before: they are received first, then all others.

So who looked at a connection's first bytes, or had them come with an encrypted handshake, hands over a stream that
stands where the next reader expects it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from p2p.net.network import MAX_VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.net.network import Stream


class PrefixedStream:
    """See the module's head. As long as `first` is not read, what the stream below says to its reader waits."""

    __slots__ = ("_first", "_inner", "_notice", "_readable", "local", "remote")

    def __init__(self, inner: Stream, first: bytes) -> None:
        self._inner = inner
        self._first = memoryview(first)
        self._readable: Callable[[], None] | None = None
        self._notice: asyncio.Handle | None = None
        self.local = inner.local
        self.remote = inner.remote

    def receive_into(self, views: Sequence[memoryview]) -> int | None:
        first = self._first
        if not first:
            return self._inner.receive_into(views)
        total = 0
        for view in views[:MAX_VIEWS]:
            size = min(len(view), len(first))
            view[:size] = first[:size]
            first = first[size:]
            total += size
            if not first:
                break
        if not total:
            raise ValueError("receive_into was offered no room, where 0 would read as the end of the stream")
        self._first = first
        if not first:
            callback = self._readable
            self._forget_reader()
            if callback is not None:
                self._inner.on_readable(callback)
        return total

    def send(self, views: Sequence[bytes | memoryview]) -> int:
        return self._inner.send(views)

    def on_readable(self, callback: Callable[[], None] | None) -> None:
        if not self._first:
            self._inner.on_readable(callback)
        elif callback is None:
            self._forget_reader()
        else:
            self._readable = callback
            self._arm()

    def on_writable(self, callback: Callable[[], None] | None) -> None:
        self._inner.on_writable(callback)

    def close(self) -> None:
        self._drop_first()
        self._inner.close()

    def abort(self) -> None:
        self._drop_first()
        self._inner.abort()

    def _arm(self) -> None:
        if self._notice is None and self._readable is not None:
            self._notice = asyncio.get_running_loop().call_soon(self._notify)

    def _notify(self) -> None:
        self._notice = None
        try:
            if self._readable is not None:
                self._readable()
        finally:
            self._arm()

    def _forget_reader(self) -> None:
        self._readable = None
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None

    def _drop_first(self) -> None:
        self._first = memoryview(b"")
        self._forget_reader()
