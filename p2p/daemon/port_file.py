"""A file that says which port is open, as programs that keep a tunnel write it (gluetun does): its port is ours.

The rule: when the file says another port than before, we listen there at once and tell everybody; a file that is away,
empty or no port changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final

from p2p.disk.whole_files import open_unless_pipe
from p2p.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues

log = logging.getLogger(__name__)

KEY: Final = "starling_port_file"

LOOK_INTERVAL: Final = 2.0
"""Seconds between looks at the file; a look is one system call while it stays the same."""

MAX_SIZE: Final = 1_024
"""Bytes read: a port has five digits, and there may be some of them."""


def port_of(content: bytes) -> int | None:
    """The first port that is named, one a line; None where there is none."""
    for line in content.splitlines():
        word = line.strip()
        if word.isdigit() and len(word) <= 5 and 0 < int(word) <= 65_535:
            return int(word)
    return None


class PortFile:
    """See the module's head. `set_port` raises NetworkError for a port that cannot be listened on."""

    def __init__(self, values: SessionValues, set_port: Callable[[int], Awaitable[None]]) -> None:
        self._values = values
        self._set_port = set_port
        self._seen: object = None
        self._changed = asyncio.Event()
        values.applied_by((KEY,), self.apply)

    async def apply(self, changes: Mapping[str, Json]) -> None:  # noqa: ARG002 - it is looked at
        self._seen = None
        self._changed.set()

    async def run(self) -> None:
        """Look at the file, until cancelled."""
        while True:
            self._changed.clear()
            path = self._values.text(KEY)
            if path:
                await self._look(path)
            try:
                async with asyncio.timeout(LOOK_INTERVAL if path else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _look(self, path: str) -> None:
        try:
            status = await asyncio.to_thread(os.stat, path)
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return
            content = await asyncio.to_thread(_read, path)
        except OSError as error:
            self._tell(path, (error.strerror or str(error)).lower())
            return
        port = port_of(content)
        if port is None:
            self._tell(path, "names no port")
            self._seen = seen
            return
        try:
            await self._set_port(port)
        except NetworkError as error:
            self._tell(path, str(error))  # and tried again: somebody else may leave it
        else:
            self._seen = seen
            log.info("the port is %d, as %s says", port, path)

    def _tell(self, path: str, problem: str) -> None:
        if self._seen != problem:
            log.warning("the port stays as it is: %s: %s", path, problem)
        self._seen = problem


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0, opener=open_unless_pipe) as file:
        return file.read(MAX_SIZE) or b""
