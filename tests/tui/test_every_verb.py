"""Every verb of the interface is driven by a test, and those that no other test drives are driven here."""

from __future__ import annotations

import pytest
from driven import declared, drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon.client import Status
from tui.verbs import BY_NAME

pytestmark = pytest.mark.timeout(60)


def test_every_verb_is_driven():
    assert declared() == set(BY_NAME), "a test of tests/tui that carries a verb out says so by @drives"


@pytest.fixture
async def app(tmp_path):
    """With one torrent that stands still."""
    async with own_daemon(tmp_path) as daemon:
        await daemon.client.add(f"magnet:?xt=urn:btih:{1:040x}&dn=apple", paused=True)
        yield app_before(daemon.url)


async def said(pilot, app, line):
    await pilot.press("colon")
    await until(pilot, lambda: bool(app.screen.query("#command")))
    app.screen.query_one("#command").value = line
    await pilot.press("enter")


@drives("start", "stop", "command")
async def test_torrents_are_started_and_stopped_by_name(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await said(pilot, app, "start")
        await until(pilot, lambda: app.rows.cursor.status is Status.DOWNLOADING)
        await said(pilot, app, "stop")
        await until(pilot, lambda: app.rows.cursor.status is Status.STOPPED)


@drives("view-1", "view-2", "view-3", "view-4", "view-5", "view-6", "view-7", "view-8", "view-9", "view-0")
async def test_each_view_is_a_filter(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        seen = {}
        for key in "2345678901":
            await pilot.press(key)
            seen[key] = (app.rows.query.text, len(app.rows))
        assert {key: number for key, (_, number) in seen.items() if number} == {"1": 1, "4": 1, "6": 1}
        assert seen["9"][0] == "leeching"


@drives("unmark", "reconnect", "help")
async def test_marks_are_taken_back_and_the_rest_is_quick(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("x")
        assert app.rows.marked == 1
        await pilot.press("u", "ctrl+r", "question_mark")
        assert app.rows.marked == 0


@drives("info", "files", "peers", "trackers")
async def test_a_torrent_is_opened_where_is_said(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        for verb in ("files", "peers", "trackers", "info"):
            await said(pilot, app, verb)
            title = "Overview" if verb == "info" else verb.capitalize()
            await until(pilot, lambda title=title: f"[{title}]" in screen_of(app))
