"""Reading and writing whole values over a stream of the network port, for the few bytes of a handshake."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from p2p.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.net.network import Stream


async def _ready(subscribe: Callable[[Callable[[], None] | None], None]) -> None:
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        subscribe(None)
        if not ready.done():
            ready.set_result(None)

    subscribe(wake)
    try:
        await ready
    finally:
        subscribe(None)


async def read_exactly(stream: Stream, size: int) -> bytes:
    """`size` bytes and not one more. NetworkError if the stream ends first. The caller bounds the time."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    filled = 0
    while filled < size:
        n = stream.receive_into([view[filled:]])
        if n is None:
            await _ready(stream.on_readable)
        elif n == 0:
            raise NetworkError("the peer closed the connection")
        else:
            filled += n
    return bytes(buffer)


async def write_all(stream: Stream, data: bytes) -> None:
    """Hand all of `data` to the stream. The caller bounds the time."""
    view = memoryview(data)
    while view:
        n = stream.send([view])
        if n == 0:
            await _ready(stream.on_writable)
        view = view[n:]
