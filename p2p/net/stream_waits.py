"""Streams awaited: for the few exchanges that are too small to ride their callbacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.net.network import Stream


async def send_all(stream: Stream, content: bytes) -> None:
    """Send it whole. Raises NetworkError."""
    rest = memoryview(content)
    while rest:
        count = stream.send([rest])
        rest = rest[count:]
        if not count:
            await readiness(stream.on_writable)


async def readiness(subscribe: Callable[[Callable[[], None] | None], None]) -> None:
    """Wait for one call of the callback that `subscribe` takes: a stream's `on_readable` or `on_writable`."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    subscribe(on_ready)
    try:
        await ready
    finally:
        subscribe(None)
