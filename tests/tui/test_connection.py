"""A connection that is lost, or never was, on any screen; and passwords."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon.access import Login, hash_password

pytestmark = pytest.mark.timeout(60)
PASSWORD = "right one"


@pytest.mark.parametrize("given", [None, "wrong"])
async def test_a_password_is_asked_for_until_it_is_right(tmp_path, given):
    async with own_daemon(tmp_path, login=Login("user", hash_password(PASSWORD, b"s" * 16))) as daemon:
        app = app_before(daemon.url.replace("://", "://user@"), given)
        async with played(app) as pilot:
            for typed in ("still wrong", PASSWORD):
                await until(pilot, lambda: bool(app.screen.query("#password")))
                await until(pilot, lambda: "asks for a password" in screen_of(app))
                app.screen.query_one("#password").value = typed
                await pilot.press("enter")
            await until(pilot, lambda: "0 torrents" in screen_of(app) and app.feed._client is not None)
            assert PASSWORD not in screen_of(app)


async def test_a_lost_connection_is_seen_on_the_screen_that_is_open(tmp_path):
    async with AsyncExitStack() as running:
        daemon = await running.enter_async_context(own_daemon(tmp_path))
        await daemon.client.add(f"magnet:?xt=urn:btih:{1:040x}&dn=apple", paused=True)
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await until(pilot, lambda: len(app.rows) == 1 and app.feed._client is not None)
            await pilot.press("enter")
            await until(pilot, lambda: "Overview" in screen_of(app))
            await running.aclose()
            await until(pilot, lambda: "ctrl+r: now." in screen_of(app))
            assert "apple" in screen_of(app)
            await pilot.press("question_mark")
            await until(pilot, lambda: "KEYS" in screen_of(app) and "ctrl+r: now." in screen_of(app))
            app.tell_trouble("")
            await until(pilot, lambda: "ctrl+r: now." not in screen_of(app))
