"""Servers that answer wrongly, slowly or no longer, and come again: told plainly, and nobody loses their place."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from stage import app_before, played, screen_of, until

from tui import feed as feed_module

pytestmark = pytest.mark.timeout(60)
TOKEN = {"X-Transmission-Session-Id": "abc"}
MANY = 2**63 - 1


@asynccontextmanager
async def server(handle, port=0):
    """Where it listens; `handle` answers everything."""
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(feed_module, "FOREIGN_INTERVAL", 0.05)
    monkeypatch.setattr(feed_module, "DETAILS_INTERVAL", 0.05)
    monkeypatch.setattr(feed_module, "SESSION_INTERVAL", 0.05)


def speaking(answer):
    """A Transmission whose `answer` gives the arguments of each method."""

    async def handle(request):
        if "X-Transmission-Session-Id" not in request.headers:
            return web.Response(status=409, headers=TOKEN)
        body = await request.json()
        if body["method"] == "session-get" and "version" in body["arguments"].get("fields", []):
            return web.json_response({"result": "success", "arguments": {"version": "3.00", "rpc-version": 16}})
        return web.json_response({"result": "success", "arguments": answer(body["method"], body.get("arguments", {}))})

    return handle


def always(**parts):
    async def handle(_):
        return web.Response(**parts)

    return handle


@pytest.mark.parametrize(
    ("handle", "told"),
    [
        (always(text="<html>hello</html>", content_type="text/html"), "is no Transmission RPC: its answer is not JSON"),
        (always(text="[]"), "its answer is of another kind"),
        (always(status=409, headers=TOKEN), "does not accept the token that it gives"),
        (always(status=409), "it gives no token"),
        (always(status=404), "answers with status 404"),
        (always(status=500), "answers with status 500"),
        (always(status=403, text="go\x1b[2J away"), "go"),
        (always(status=301, headers={"Location": "/elsewhere"}), "answers with status 301"),
        (always(text=json.dumps({"result": "success", "arguments": {"version": 7}})), "does not tell its version"),
    ],
    ids=["html", "list", "token loop", "no token", "404", "500", "403", "redirect", "version"],
)
async def test_what_is_no_daemon_is_told_and_tried_again(handle, told):
    asked = 0

    async def counting(request):
        nonlocal asked
        asked += 1
        return await handle(request)

    async with server(counting) as port:
        app = app_before(f"127.0.0.1:{port}")
        async with played(app, size=(150, 24)) as pilot:
            await until(pilot, lambda: "no connection" in screen_of(app))
            assert told in screen_of(app)
            before = asked
            await pilot.press("ctrl+r")
            await until(pilot, lambda: asked > before)
            assert "\x1b" not in screen_of(app)


WRONG = (None, True, -1, MANY, -MANY, 1e300, "x\x1b[2J", "\u202e", [], [None], [[]], [{}], {}, {"a": 1})
PEER = (
    *("address", "port", "clientName", "flagStr", "progress", "rateToClient", "rateToPeer", "clientIsChoked"),
    *("clientIsInterested", "peerIsChoked", "peerIsInterested", "isEncrypted", "isIncoming"),
)
TRACKER = (
    *("id", "tier", "announce", "scrape", "lastAnnounceResult", "nextAnnounceTime", "seederCount", "leecherCount"),
    *("hasAnnounced", "lastAnnounceTime"),
)
SETTINGS = (
    *("downloadSpeed", "uploadSpeed", "activeTorrentCount", "pausedTorrentCount", "torrentCount", "current-stats"),
    *("download-dir", "peer-port", "alt-speed-enabled", "alt-speed-down", "speed-limit-up", "speed-limit-up-enabled"),
    *("size-bytes", "total_size", "alt-speed-time-begin", "alt-speed-time-day", "alt-speed-time-enabled"),
    *("cumulative-stats", "dht-enabled"),
)


def wrong(names, turn):
    """Each name with another wrong value, and with each of them as `turn` goes up."""
    return {name: WRONG[(at + turn) % len(WRONG)] for at, name in enumerate(names)}


async def test_wrong_values_in_any_field_harm_no_screen():
    turn, seen = 0, set()

    def answer(method, arguments):
        nonlocal turn
        turn += 1
        seen.add((method, turn % len(WRONG)))
        if method != "torrent-get":
            return wrong(SETTINGS, turn)
        known = {"id": 1, "hashString": "a" * 40, "name": "theirs", "peers": [wrong(PEER, turn)]}
        known["trackerStats"] = [wrong(TRACKER, turn)]
        fields = arguments["fields"]
        told = {**wrong(fields, turn), **{key: known[key] for key in known if key in fields}}
        return {"torrents": [told], "removed": WRONG[turn % len(WRONG)]}

    async with server(speaking(answer)) as port:
        app = app_before(f"127.0.0.1:{port}")
        async with played(app, size=(100, 24)) as pilot:
            await until(pilot, lambda: "theirs" in screen_of(app))
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is app._details)
            for tab in (0, 2, 3):
                app.screen.action_tab(tab)
                seen.clear()
                await until(pilot, lambda: len([one for one in seen if one[0] == "torrent-get"]) > 6)
            app.action_verb("session")
            await until(pilot, lambda: bool(app.screen.query("#sums")))
            app.screen.action_tab(5)
            await until(pilot, lambda: "Alternative" in screen_of(app))
            assert "\x1b" not in screen_of(app)


async def test_a_daemon_that_goes_and_comes_again_finds_everybody_where_they_were(unused_tcp_port):
    names = [f"name{number}" for number in range(5)]

    def answer(method, arguments):
        rows = [
            {"id": number, "hashString": f"{int(name[4:]):040x}", "name": name, "percentDone": 0.5}
            for number, name in enumerate(names, 1)
        ]
        return {"torrents": rows, "removed": []} if method == "torrent-get" else {}

    app = app_before(f"127.0.0.1:{unused_tcp_port}")
    async with played(app, size=(100, 24)) as pilot:
        async with server(speaking(answer), unused_tcp_port):
            await pilot.press("ctrl+r")
            await until(pilot, lambda: len(app.rows) == 5)
            app.action_verb("filter", "name")
            await until(pilot, lambda: getattr(app.focused, "id", "") == "filter")
            await pilot.press("enter")
            await until(pilot, lambda: getattr(app.focused, "id", "") == "torrents")
            app.rows.go(2)
            app.action_verb("mark")
            app.rows.go(2)
            await pilot.press("enter")
            await until(pilot, lambda: "Overview" in screen_of(app))
            place = (app.rows.cursor.name, app.rows.marked, app.rows.query.text)
        await until(pilot, lambda: "no connection" in screen_of(app))
        assert "name2" in screen_of(app)
        names.remove("name2")  # it comes later than the others
        async with server(speaking(answer), unused_tcp_port):
            await pilot.press("ctrl+r")
            await until(pilot, lambda: len(app.rows) == 4)
            names.append("name2")
            await until(pilot, lambda: len(app.rows) == 5)
            await until(pilot, lambda: "no connection" not in screen_of(app))
            assert "Overview" in screen_of(app)
            await pilot.press("escape")
            assert (app.rows.cursor.name, app.rows.marked, app.rows.query.text) == place


async def test_a_slow_daemon_holds_up_no_key():
    held = asyncio.Event()

    async def handle(request):
        await held.wait()
        return web.Response(status=500)

    async with server(handle) as port:
        app = app_before(f"127.0.0.1:{port}")
        async with played(app) as pilot:
            await pilot.press("question_mark")
            await until(pilot, lambda: "KEYS" in screen_of(app))
            await pilot.press("escape", "I")
            await until(pilot, lambda: "Limits" in screen_of(app))
            held.set()
            await until(pilot, lambda: "no connection" in screen_of(app))
