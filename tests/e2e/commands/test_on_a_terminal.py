"""What a person sees: the live display on a terminal of 80 columns, and the terminal as it was afterwards."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import termios

import pytest


class Terminal:
    """A terminal whose other end the test holds."""

    def __init__(self) -> None:
        self.mine, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._seen = b""
        self._grown = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.mine, self._read)

    def _read(self) -> None:
        self._seen += os.read(self.mine, 65_536)
        self._grown.set()

    async def shows(self, pattern: str) -> str:
        """Waits until what was written matches; all of it."""
        while not re.search(pattern, self.text):
            self._grown.clear()
            await self._grown.wait()
        return self.text

    @property
    def text(self) -> str:
        return self._seen.decode(errors="replace")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.mine)
        os.close(self.mine)
        os.close(self.theirs)


@pytest.fixture
async def terminal():
    opened = Terminal()
    yield opened
    opened.close()


async def test_a_download_is_drawn_and_cleaned_up_after(commands, content, terminal):
    _, address = await commands.seed(content)
    download = await commands.start(
        *("download", "songs.torrent", "-o", "out", "--peer", address, "--limit-down", "200KiB"),
        stdout=terminal.theirs,
        TERM="xterm",
    )
    await terminal.shows(r"songs +.*downloading")
    await terminal.shows("seeders 1")
    download.send(signal.SIGINT)
    assert await download.process.wait() == 130
    text = await terminal.shows(r"songs +.*stopped")
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l") == 1  # the cursor is back


async def test_no_colour_where_none_is_wanted(commands, content, terminal):
    seed = await commands.start("seed", content, stdout=terminal.theirs, TERM="xterm", NO_COLOR="1")
    text = await terminal.shows(r"songs.*seeding")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", text)
    seed.send(signal.SIGTERM)
    assert await seed.process.wait() == 0


async def test_plain_lines_on_a_dumb_terminal(commands, content, terminal):
    seed = await commands.start("seed", content, stdout=terminal.theirs, TERM="dumb")
    text = await terminal.shows("are there")
    assert "\x1b" not in text
    seed.send(signal.SIGTERM)
    assert await seed.process.wait() == 0


async def test_the_demo_is_a_table(commands, terminal):
    demo = await commands.start(
        "demo", "--size", "4MiB", "--limit-up", "2MiB/s", "--leechers", "2", stdout=terminal.theirs, TERM="xterm"
    )
    await terminal.shows(r"leecher 2 downloading")
    assert await demo.process.wait() == 0
    await terminal.shows("2 leechers hold 4 MiB each, every byte verified")
