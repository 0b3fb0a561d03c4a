"""Debian's redis-server for one test: on a Unix socket below the test's folder, keeping nothing on disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnectionError

if TYPE_CHECKING:
    from pathlib import Path

    from programs import Program, Programs

POLL = 0.02

DEADLINE = 60.0
"""Seconds for everything a test waits for."""


class RedisServer:
    """A server that can be killed and started anew, empty."""

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._program: Program | None = None
        self.client = Redis(unix_socket_path=str(self._socket), protocol=2)

    @property
    def url(self) -> str:
        return f"unix://{self._socket}?db=0"

    async def start(self) -> None:
        """Returns once it answers."""
        options = ("--port", 0, "--unixsocket", self._socket, "--save", "", "--appendonly", "no")
        quiet = ("--logfile", self._folder / "redis.log", "--dir", self._folder)
        self._program = await self._programs.start("redis", "redis-server", *options, *quiet, state="redis")
        while True:
            try:
                await self.client.ping()
            except (NoConnectionError, OSError):
                await asyncio.sleep(POLL)
            else:
                return

    async def kill(self) -> None:
        """As a machine that loses power."""
        await self.client.aclose()
        await self._program.end(signal.SIGKILL)

    async def close(self) -> None:
        await self.client.aclose()


def skip_without_redis() -> None:
    """Unless everything must be there."""
    if shutil.which("redis-server") is None:
        if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
            pytest.fail("redis-server is not installed", pytrace=False)
        pytest.skip("redis-server is not installed")
