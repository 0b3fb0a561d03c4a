"""Looks names up without holding up the end of the program.

The system's lookup blocks, for twenty seconds and more where no name server answers. The loop's own way runs it on
threads that the program waits for when it ends; a daemon thread a name is left behind instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


async def look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    """Socket addresses of `host`, as `socket.getaddrinfo` has them. Raises OSError or ValueError as it does."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def found(addresses: list[tuple[Any, ...]]) -> None:
        if not outcome.done():
            outcome.set_result(addresses)

    def failed(error: Exception) -> None:
        if not outcome.done():
            outcome.set_exception(error)

    def tell(callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(callback)

    def work() -> None:
        try:
            addresses = [entry[4] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, ValueError) as error:
            refusal = error
            tell(lambda: failed(refusal))
        else:
            tell(lambda: found(addresses))

    threading.Thread(target=work, name=f"look up {host}", daemon=True).start()
    return await outcome
