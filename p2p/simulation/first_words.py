"""A client that is answered as it comes: `Network.listen_answering` over any stream.

The rule: a stream waits for its first bytes, as the kernel lets a connection wait, and for no longer than PATIENCE.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.codec import compact
from p2p.errors import NetworkError
from p2p.net.network import MAX_FIRST_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.net.network import FirstAnswerer, Stream

PATIENCE: Final = 1.0
"""Seconds a silent client is held back."""


class FirstWords:
    """Waits for what the client at the far end of `stream` says first."""

    __slots__ = ("_answer", "_on_stream", "_stream", "_timer")

    def __init__(self, stream: Stream, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]) -> None:
        self._stream = stream
        self._answer = answer
        self._on_stream = on_stream
        self._timer: asyncio.TimerHandle | None = None

    def wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._hand_over, b"")
        self._stream.on_readable(self._on_readable)

    def _on_readable(self) -> None:
        room = bytearray(MAX_FIRST_WORDS)
        try:
            count = self._stream.receive_into([memoryview(room)])
        except NetworkError:
            count = 0
        if count is None:
            return
        if count == 0:
            self._end_wait()
            self._stream.close()
            return
        received = bytes(room[:count])
        remote = self._stream.remote
        source = (remote.port, compact.pack(remote)[:-2])
        answer = self._answer(received, source) if count < MAX_FIRST_WORDS else None
        if answer is None:
            self._hand_over(received)
            return
        self._end_wait()
        try:
            whole = self._stream.send([answer]) == len(answer)
        except NetworkError:
            whole = False
        if whole:
            self._stream.close()
        else:
            self._stream.abort()

    def _hand_over(self, received: bytes) -> None:
        self._end_wait()
        self._on_stream(self._stream, received)

    def _end_wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stream.on_readable(None)
