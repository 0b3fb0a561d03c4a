"""`starling tui` in a real terminal over a daemon that is killed, and comes back."""

from __future__ import annotations

import asyncio
import signal

import pytest
from programs import STARLING
from terminal import Terminal
from waiting import DEADLINE, until

from p2p.daemon.client import Client, Server

pytestmark = pytest.mark.timeout(2 * DEADLINE)


async def test_a_daemon_that_is_killed_is_told_and_found_again_with_the_cursor_in_its_place(programs, tmp_path, need):
    folder = tmp_path / "in"
    daemon = await programs.starling("daemon", "--download-dir", folder, "--rpc-port", 0, state="daemon")
    url = (await daemon.event("listening"))["rpc"]
    async with asyncio.timeout(DEADLINE):
        async with Client(Server.parse(url)) as client:
            for number, name in enumerate(("apple", "banana", "cherry"), 1):
                await client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=True)
        terminal = Terminal(need("tmux"), tmp_path, [str(STARLING), "tui", "--connect", url], 80, 24)
        try:
            await until(terminal.screen, lambda screen: "cherry" in screen)
            terminal.press("j")
            await daemon.end(signal.SIGKILL)
            screen = await until(terminal.screen, lambda screen: "no connection; again in" in screen)
            assert "banana" in screen
            port = url.split(":")[2].split("/")[0]
            again = await programs.starling("daemon", "--download-dir", folder, "--rpc-port", port, state="daemon")
            await again.event("listening")
            terminal.press("C-r")
            await until(terminal.screen, lambda screen: "no connection" not in screen and "banana" in screen)
            terminal.press("r")
            screen = await until(terminal.screen, lambda screen: "Remove 1 torrent" in screen)
            assert [screen.count(name) for name in ("apple", "banana", "cherry")] == [1, 2, 1]
        finally:
            terminal.close()
