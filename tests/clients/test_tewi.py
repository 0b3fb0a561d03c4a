"""tewi, a Textual interface, in a real terminal over the daemon: it adds, shows how it goes, stops and removes."""

from __future__ import annotations

import asyncio

import pytest
from terminal import Terminal
from waiting import DEADLINE, until

pytestmark = pytest.mark.rival


@pytest.fixture
def tewi(steered, need):
    """It, over the daemon."""
    argv = (need("tewi"), "--host", "127.0.0.1", "--port", steered.port, "--refresh-interval", "1")
    terminal = Terminal(need("tmux"), steered.home, argv)
    yield terminal
    terminal.close()


async def test_a_torrent_is_watched_stopped_started_and_removed(steered, tewi, need):
    async with asyncio.timeout(DEADLINE):
        await until(tewi.screen, lambda screen: "Transmission 4.1.0 (starling" in screen)
        argv = (need("tewi"), "--host", "127.0.0.1", "--port", steered.port, "--add-torrent", str(steered.torrent))
        added = await asyncio.create_subprocess_exec(*argv, env={"HOME": str(steered.home), "LC_ALL": "C.UTF-8"})
        assert await added.wait() == 0
        await until(tewi.screen, lambda screen: "content.bin" in screen and "seeding" in screen and "100%" in screen)
        assert steered.downloaded

        tewi.press("Space")
        await until(tewi.screen, lambda screen: "stopped" in screen)
        tewi.press("Space")
        await until(tewi.screen, lambda screen: "seeding" in screen)
        tewi.press("r")
        await until(tewi.screen, lambda screen: "Remove" in screen)
        tewi.press("y")
        await until(tewi.screen, lambda screen: "content.bin" not in screen)
        assert (steered.folder / "content.bin").exists()
