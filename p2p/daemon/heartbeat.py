"""The daemon's sign of life for its supervisor: given only while the loop turns and the RPC answers over its socket.

The rule: a daemon that hangs, or whose RPC does, must not look alive. So each sign is earned by a question that goes
the way that clients' go; any answer of HTTP will do but one that says it is too busy.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from p2p.daemon.client_address import RPC_PATH

if TYPE_CHECKING:
    from p2p.operation.supervisor import Supervisor

log = logging.getLogger(__name__)

SHARE: Final = 3.0
"""Questions in the time that the supervisor waits: two may go unanswered."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}  # noqa: S104 - a comparison


class Heartbeat:
    """See the module's head. `host` and `port` are where the RPC listens."""

    def __init__(self, supervisor: Supervisor, host: str, port: int) -> None:
        self._supervisor = supervisor
        self._host = _EVERYWHERE.get(host, host)
        self._port = port

    async def run(self) -> None:
        """Until cancelled; at once where nobody waits for a sign."""
        patience = self._supervisor.watchdog
        if patience is None:
            return
        interval = patience / SHARE
        while True:
            if await self.answers(interval):
                self._supervisor.alive()
            else:
                log.warning("the RPC does not answer")
            await asyncio.sleep(interval)

    async def answers(self, patience: float) -> bool:
        """Whether the RPC answers within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    writer.write(f"GET {RPC_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                    line = await reader.readline()
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError):  # a line that does not end is a ValueError
            return False
        return line.startswith(b"HTTP/1.1 ") and not line.startswith(b"HTTP/1.1 503 ")
