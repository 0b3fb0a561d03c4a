"""Swarm, pieces, rates and session before another maker's daemon, of which its RPC does not tell all."""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from stage import app_before, played, screen_of, until

from tui import feed as feed_module

pytestmark = pytest.mark.timeout(60)
TOKEN = {"X-Transmission-Session-Id": "abc"}
PEER = {
    "address": "192.0.2.7",
    "port": 51413,
    "clientName": "Other\x1b[2J 1.0",
    "flagStr": "ODUE",
    "progress": 0.5,
    "rateToClient": 4096,
    "rateToPeer": 2048,
    "clientIsChoked": False,
    "clientIsInterested": True,
    "peerIsChoked": False,
    "peerIsInterested": True,
}
TORRENT = {
    "id": 1,
    "hashString": "a" * 40,
    "name": "theirs",
    "status": 4,
    "rateDownload": 4096,
    "pieceCount": 4,
    "pieceSize": 16384,
    "pieces": "gA==",
    "availability": [-1, 1, 0, 3],
    "peers": [PEER],
}


async def handle(request):
    if "X-Transmission-Session-Id" not in request.headers:
        return web.Response(status=409, headers=TOKEN)
    body = await request.json()
    told = {}
    match body["method"]:
        case "session-get":
            told = {"version": "2.94 (1)", "rpc-version": 15, "download-dir": "/srv", "speed-limit-up": 100}
        case "session-stats":
            told = {"downloadSpeed": 4096, "activeTorrentCount": 1, "torrentCount": 1}
        case "torrent-get":
            fields = body["arguments"]["fields"]
            told = {"torrents": [{name: TORRENT[name] for name in fields if name in TORRENT}], "removed": []}
        case _:
            return web.Response(text=json.dumps({"result": "method name not recognized"}))
    return web.Response(text=json.dumps({"result": "success", "arguments": told}))


@pytest.fixture
async def app(monkeypatch):
    monkeypatch.setattr(feed_module, "DETAILS_INTERVAL", 0.05)
    served = web.Application()
    served.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield app_before(f"127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def test_what_another_daemon_tells_is_seen_and_what_it_does_not_is_said(app):
    async with played(app, size=(110, 30)) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("W")
        await shows(pilot, app, "◆ 192.0.2.7:51413", "⇄ both", "1 unchoked, 1 interested", "rounds are not told")
        await shows(pilot, app, "Other\ufffd[2J 1.0", "4 K", "2 K")
        await pilot.press("escape", "enter")
        await shows(pilot, app, "From         4 KiB/s  192.0.2.7:51413, Other\ufffd[2J 1.0, a leecher")
        await pilot.press("3")
        await shows(pilot, app, "optimistic unchoke, we download from it, we upload to it, encrypted")
        await pilot.press("f")
        await shows(pilot, app, "Legend", "we would download, if it unchoked us")
        await pilot.press("escape", "5")
        await shows(pilot, app, "1 of 4 pieces", "1 with one peer, 1 with nobody", "█···", "·░·▒")
        await pilot.press("6")
        await shows(pilot, app, "as seen since this was opened")
        await pilot.press("7")
        await shows(pilot, app, "this daemon does not tell its log")
        await pilot.press("escape", "I")
        await shows(pilot, app, "as seen since this was started")
        await pilot.press("3")
        await shows(pilot, app, "this daemon does not tell that")
        await pilot.press("6")
        await shows(pilot, app, "Alternative", "/srv")


async def test_a_daemon_that_cannot_undo_is_said_to_be_so(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("U")
        await until(pilot, lambda: "this daemon cannot undo a removal" in screen_of(app))
        await pilot.press("R")
        await until(pilot, lambda: "This cannot be undone." in screen_of(app))
        await pilot.press("n", "r")
        await until(pilot, lambda: "Remove 1 torrent, and leave" in screen_of(app))
