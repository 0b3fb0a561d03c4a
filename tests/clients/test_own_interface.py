"""`starling tui` in a real terminal with no daemon beside it: an engine of its own, in a swarm that moves."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from urllib.parse import quote

import pytest
from programs import STARLING, make_torrent
from terminal import Terminal
from waiting import DEADLINE, until

from p2p.metainfo import Metainfo

pytestmark = pytest.mark.timeout(3 * DEADLINE)

QUIET = """\
[session]
dht_enabled = false
lpd_enabled = false
pex_enabled = false
port_forwarding_enabled = false
peer_port = 0
download_dir = "{folder}/in"
[network]
bind = ["127.0.0.1"]
"""
SHELL = 'sh -c "echo \\$\\$ >pid; exec $STARLING tui"; echo "status $?"; stty -a; exec cat'
"""As a shell does: it is there again when the interface has ended."""

GIVING = re.compile(r"127\.0\.0\.1:\d+ .* unchoked\* .* \d+ K")
"""A line of the swarm: a peer that sends."""


class Interface(Terminal):
    """`starling tui`, every time with the home of the test."""

    def __init__(self, tmux, folder, home, columns=80, rows=24):
        self._pid = folder / "pid"
        command = ["sh", "-c", f"cd {folder} && {SHELL}"]
        # Nobody listens at port 1, so that a daemon of whoever runs the tests is not met.
        own = {"STARLING": STARLING, "STARLING_CONFIG_DIR": home, "STARLING_RPC_PORT": "1", "HOME": home}
        own |= {"LINES": rows, "COLUMNS": columns}  # as some shells tell, and never take back
        super().__init__(tmux, folder, command, columns, rows, **own)

    @property
    def pid(self):
        return int(self._pid.read_text())

    def runs(self):
        """Whether the process is there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def done(self):
        """Per cent of the one torrent; -1 before any is told."""
        told = re.search(r"content\.bin +(?!check)[a-z]+ +(\d+)% ", self.screen())  # `check 100%` is another figure
        return -1 if told is None else int(told[1])


@pytest.fixture
def interface(tmp_path, need):
    """Runs it."""
    (tmp_path / "daemon.toml").write_text(QUIET.format(folder=tmp_path), encoding="utf-8")
    opened = []

    def run(columns=80, rows=24):
        folder = tmp_path / f"terminal-{len(opened)}"
        folder.mkdir()
        opened.append(Interface(need("tmux"), folder, tmp_path, columns, rows))
        return opened[-1]

    yield run
    for terminal in opened:
        terminal.close()


def magnet_of(torrent, announce):
    metainfo = Metainfo.from_bytes(torrent.read_bytes())
    return f"magnet:?xt=urn:btih:{metainfo.info_hash_v1.hex()}&tr={quote(announce, safe='')}"


def fills(screen, rows):
    """Whether the list is drawn from the first line to the last."""
    lines = screen.splitlines()
    return len(lines) == rows and "content.bin" in screen and lines[-1].startswith(" a ")


async def leave(terminal, key, status):
    """By that key; the shell has its terminal again as it was."""
    terminal.press(key)
    screen = await until(terminal.screen, lambda screen: "status" in screen and "echoke" in screen)
    assert f"status {status}" in screen
    assert " icanon" in screen
    assert "-echo " not in screen
    assert terminal.modes() == ["0", "1", "0"]
    assert not terminal.runs()


async def test_a_magnet_link_is_pasted_watched_and_there(programs, tmp_path, seed, interface):
    tracker, announce = await programs.tracker()
    content, torrent = make_torrent(tmp_path, seed, 4_000_000, "--tracker", announce)
    for name in ("one", "two"):
        await programs.starling("seed", content, "--torrent", torrent, "--limit-up", "300KiB", state=name)
    async with asyncio.timeout(DEADLINE):
        terminal = interface()
        terminal.press("a")  # at once, before there is a screen
        terminal.paste(magnet_of(torrent, announce))
        terminal.press("Enter")
        assert await until(terminal.done, lambda done: done >= 0) < 100
        terminal.press("W")
        await until(terminal.screen, lambda screen: len(GIVING.findall(screen)) == 2)
        terminal.press("Escape")
        for columns, rows in ((200, 60), (40, 8), (80, 24)):
            terminal.resize(columns, rows)
            await until(terminal.screen, lambda screen, rows=rows: fills(screen, rows))
        await until(terminal.screen, lambda screen: "seeding" in screen and "100%" in screen)
        assert (tmp_path / "in" / "content.bin").read_bytes() == content.read_bytes()
        await leave(terminal, "q", 0)
        await tracker.event("announce", said="stopped")


async def test_it_goes_on_where_it_was_ended(programs, tmp_path, seed, interface):
    """By Ctrl-C, by SIGTERM, and by a terminal that is closed."""
    _, announce = await programs.tracker()
    content, torrent = make_torrent(tmp_path, seed, 6_000_000, "--tracker", announce)
    slow = await programs.starling("seed", content, "--torrent", torrent, "--limit-up", "300KiB", state="slow")
    async with asyncio.timeout(DEADLINE):
        first = interface()
        await until(first.screen, lambda screen: "No torrents yet." in screen)
        first.press("a")
        first.paste(str(torrent))
        first.press("Enter")
        had = await until(first.done, lambda done: done >= 5)
        await leave(first, "C-c", 130)

        second = interface()
        assert await until(second.done, lambda done: done >= 0) >= had
        had = await until(second.done, lambda done: done > had)
        os.kill(second.pid, signal.SIGTERM)
        await until(second.screen, lambda screen: "status 0" in screen)

        third = interface()
        assert await until(third.done, lambda done: done >= 0) >= had
        had = await until(third.done, lambda done: done > had)
        third.close()
        await until(third.runs, lambda runs: not runs)

        await slow.end(signal.SIGTERM)
        await programs.starling("seed", content, "--torrent", torrent, state="quick")
        last = interface()
        assert await until(last.done, lambda done: done >= 0) >= had
        await until(last.screen, lambda screen: "seeding" in screen and "100%" in screen)
        assert (tmp_path / "in" / "content.bin").read_bytes() == content.read_bytes()
        await leave(last, "q", 0)


async def test_it_is_left_at_any_moment_of_its_start(interface):
    async with asyncio.timeout(DEADLINE):
        for wanted in ("", " Name", "127.0.0.1:"):
            terminal = interface()
            await until(terminal.screen, lambda screen, wanted=wanted: wanted in screen)
            await leave(terminal, "q", 0)
