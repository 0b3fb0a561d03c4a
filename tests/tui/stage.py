"""The interface on a terminal of its own, before a daemon in this process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from p2p.daemon.client import Server
from tui.app import StarlingApp
from tui.feed import Access

NOW = 2_000_000_000.0


def app_before(url, password=None):
    async def find():
        return Access(Server.parse(url), password)

    return StarlingApp(find, lambda: NOW)


@asynccontextmanager
async def played(app, size=(80, 24)):
    """The pilot, once the first screen is there."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: bool(app.screen.query("#torrents")))
        yield pilot


async def until(pilot, holds, seconds=20.0):
    """Let the interface go on until that is so: with one deadline."""
    async with asyncio.timeout(seconds):
        while not holds():
            await pilot.pause(0.01)


def screen_of(app):
    """The lines of the screen as a person reads them."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip)[:width] for strip in lines[:height])
