"""What is written to a terminal, counted: over a slow line each byte is waited for."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(60), pytest.mark.skipif(sys.platform == "win32", reason="needs terminals of Unix")]
INTERFACE = Path(__file__).parent / "moving_interface.py"
SILENCE = 0.7
"""Seconds without a byte after which the screen is taken to be drawn."""

IDLE = 3.0
"""Seconds that are watched; the session's figures are asked for every two."""

A_CHANGE = 3_000
"""Bytes for every line of 80 cells at 24 lines becoming otherwise: less than a second of 56k."""


class Terminal:
    """The other end of a pseudo-terminal."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.written = 0
        self.text = b""

    def take(self):
        try:
            found = os.read(self._descriptor, 65_536)
        except OSError:
            found = b""
        self.written += len(found)
        self.text = (self.text + found)[-100_000:]


async def silent(terminal):
    async with asyncio.timeout(30):
        before = -1
        while terminal.written != before or b"torrents" not in terminal.text:
            before = terminal.written
            await asyncio.sleep(SILENCE)


async def test_nothing_is_written_while_nothing_moves_and_little_while_all_does(tmp_path):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    told, tell = os.pipe()
    done, tells = os.pipe()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "", "HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, str(INTERFACE), str(told), str(tells)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=(told, tells),
        env=environment,
    )
    loop, terminal = asyncio.get_running_loop(), Terminal(ours)
    loop.add_reader(ours, terminal.take)
    try:
        await silent(terminal)
        first = terminal.written
        await asyncio.sleep(IDLE)
        assert terminal.written == first
        is_done = asyncio.Event()
        loop.add_reader(done, is_done.set)
        os.write(tell, b".")
        async with asyncio.timeout(30):
            await is_done.wait()
        loop.remove_reader(done)
        await silent(terminal)
        each = (terminal.written - first) / 60
        print(f"first paint {first:,} bytes, a change of all rows {each:,.0f}")
        assert 50 < each < A_CHANGE
        assert first < 40_000
    finally:
        loop.remove_reader(ours)
        process.kill()
        process.wait()
        for descriptor in (ours, theirs, told, tell, done, tells):
            os.close(descriptor)
