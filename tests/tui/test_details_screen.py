"""One torrent, tab by tab, against a daemon in this process."""

from __future__ import annotations

import random

import pytest
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.session.create import create

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def app(tmp_path):
    """With a torrent of two files, whose names try something."""
    folder = tmp_path / "made" / "album"
    folder.mkdir(parents=True)
    for name in ("[red]one", "two"):
        (folder / name).write_bytes(random.Random(1).randbytes(40_000))
    data = await create(folder, piece_length=16_384, trackers=("http://127.0.0.1:9/announce",), comment="a\x1b[31mb")
    async with own_daemon(tmp_path) as daemon:
        await daemon.client.add(data, paused=True)
        yield app_before(daemon.url)


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def test_the_tabs_of_a_torrent(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("enter")
        await shows(pilot, app, "[Overview]", "stopped, as a leecher", "78.1 KiB", "a\ufffd[31mb")
        await pilot.press("2")
        await shows(pilot, app, "[Files]", "▾ album/", "[red]one", "39.1 KiB", "normal", "2 files, 78.1 KiB")
        await pilot.press("tab")
        await shows(pilot, app, "[Peers]", "Client")
        await pilot.press("4")
        await shows(pilot, app, "http://127.0.0.1:9/announce", "not asked yet")
        await pilot.press("escape")
        await shows(pilot, app, "1 torrent  ")
        assert app.feed._open is None


async def test_verbs_are_for_the_torrent_that_is_open_and_not_for_marks_that_nobody_sees(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await until(pilot, lambda: app.feed._client is not None)
        other = f"magnet:?xt=urn:btih:{5:040x}&dn=other"
        app.do("add", lambda client: client.add(other, paused=True))
        await until(pilot, lambda: len(app.rows) == 2)
        await pilot.press("end", "x", "home", "enter", "R")
        await shows(pilot, app, "Remove 1 torrent", "   album ")
        await pilot.press("n", "slash", "A")
        assert app.rows.marked == 1
        assert app.screen is app._details


async def test_verbs_work_on_the_torrent_that_is_open_and_its_end_is_seen(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("right", "r")
        await shows(pilot, app, "Remove 1 torrent")
        await pilot.press("y")
        await shows(pilot, app, "this torrent is gone")
        await pilot.press("left")
        await shows(pilot, app, "0 torrents")
