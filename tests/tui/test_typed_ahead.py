"""What is typed or pasted before the interface, or the daemon, is ready for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from own_daemon import own_daemon
from stage import NOW, app_before, played, screen_of, until
from textual.events import Key, Paste

from p2p.daemon.client import Server
from tui.app import StarlingApp
from tui.facts import VerbFailed, VerbWaits
from tui.feed import Access, Feed

pytestmark = pytest.mark.timeout(60)
MAGNET = f"magnet:?xt=urn:btih:{1:040x}&dn=apple"


def typed(text):
    return [Key(letter, letter) for letter in text]


WAYS = {
    "pasted": [Key("a", "a"), Paste(MAGNET), Key("enter", "\r")],
    "on a terminal that does not tell pastes": [Key("a", "a"), *typed(MAGNET), Key("enter", "\r")],
    "before the terminal was told anything": [Key("a", "a"), *typed(MAGNET), Key("ctrl+j", "\n")],
    "on the command line": [Key("colon", ":"), *typed("add"), Key("enter", "\r"), Paste(MAGNET), Key("enter", "\r")],
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_torrent_is_added_however_soon_it_is_typed(tmp_path, way):
    async with own_daemon(tmp_path) as daemon:
        is_there = asyncio.Event()

        async def find():
            await is_there.wait()
            return Access(Server.parse(daemon.url))

        app = StarlingApp(find, lambda: NOW)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            for event in WAYS[way]:
                app.post_message(event)
            await until(pilot, lambda: "waiting for the daemon" in screen_of(app))
            is_there.set()
            await until(pilot, lambda: len(app.rows) == 1)
        assert [row.name for row in (await daemon.client.changes()).torrents] == ["apple"]


async def test_a_verb_that_waits_is_not_done_by_another_daemon(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        told, done = [], []
        is_first = asyncio.Event()

        async def find():
            if not is_first.is_set():
                is_first.set()
                await asyncio.Event().wait()
            return Access(Server.parse(daemon.url))

        async def act(client):
            done.append(client)

        feed = Feed(find, told.append)
        first = asyncio.create_task(feed.follow())
        await is_first.wait()
        verb = asyncio.create_task(feed.do("stop apple", act))
        while not told:
            await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(feed.follow())
        await verb
        for task in (first, second):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert not done
    kinds = [fact for fact in told if isinstance(fact, VerbWaits | VerbFailed)]
    assert [type(fact) for fact in kinds] == [VerbWaits, VerbFailed]
    assert "another daemon" in kinds[1].reason


async def test_a_list_without_torrents_tells_what_can_be_done(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await until(pilot, lambda: "No torrents yet." in screen_of(app) and "a  Add one" in screen_of(app))
            app.post_message(Paste(f"\n{MAGNET}\n"))
            await until(pilot, lambda: bool(app.screen.query("#source")))
            assert app.screen.query_one("#source").value == MAGNET
            await pilot.press("enter")
            await until(pilot, lambda: "apple" in screen_of(app))
            assert "No torrents yet." not in screen_of(app)
            app.post_message(Key("slash", "/"))
            app.post_message(Paste("pear"))
            await until(pilot, lambda: "No torrent passes the filter." in screen_of(app))


async def test_ctrl_c_leaves_from_a_dialog_too(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await pilot.press("a", "x", "ctrl+c")
            await until(pilot, lambda: app._exit)
    assert app.return_code == 130
