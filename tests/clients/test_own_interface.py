"""`starling tui` in a real terminal with no daemon beside it: an engine of its own, which keeps what was added."""

from __future__ import annotations

import asyncio

import pytest
from programs import STARLING
from terminal import Terminal
from waiting import DEADLINE, until

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


@pytest.fixture
def interface(tmp_path, need):
    """Runs it; every time with the same home."""
    (tmp_path / "daemon.toml").write_text(QUIET.format(folder=tmp_path), encoding="utf-8")
    # Nobody listens at port 1, so that a daemon of whoever runs the tests is not met.
    own = {"STARLING_CONFIG_DIR": tmp_path, "STARLING_RPC_PORT": "1"}
    opened = []

    def run():
        folder = tmp_path / f"terminal-{len(opened)}"
        folder.mkdir()
        opened.append(Terminal(need("tmux"), folder, [str(STARLING), "tui"], 80, 24, **(own | {"HOME": tmp_path})))
        return opened[-1]

    yield run
    for terminal in opened:
        terminal.close()


async def test_what_was_added_is_there_the_next_time(interface):
    async with asyncio.timeout(DEADLINE):
        first = interface()
        await until(first.screen, lambda screen: " stopped  127.0.0.1:" in screen and "0 torrents" in screen)
        first.press("a")
        await until(first.screen, lambda screen: "Magnet link" in screen)
        first.press("f" * 40, "Enter")
        await until(first.screen, lambda screen: "1 torrent " in screen)
        first.press("q")
        await until(first.screen, lambda screen: not screen.strip())
        second = interface()
        await until(second.screen, lambda screen: "1 torrent " in screen)
        second.press("q")
        await until(second.screen, lambda screen: not screen.strip())
