"""The client against servers that are wrong, slow or hostile; what holds with good ones is in tests/contract."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from fake_library import FakeLibrary

from p2p.daemon import client as client_module
from p2p.daemon import client_torrents, client_transport
from p2p.daemon.client import Client
from p2p.daemon.client_address import Server
from p2p.daemon.client_errors import (
    BadAnswerError,
    LoginRefusedError,
    NotAllowedError,
    RefusedError,
    UnreachableError,
    UnsupportedError,
)
from p2p.daemon.client_values import GoalMode, TorrentChanges
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.http_server import HttpServer, HttpSettings, token_of

TOKEN = {"X-Transmission-Session-Id": "abc"}
NEW = {**TOKEN, "X-Transmission-Rpc-Version": "6.0.0"}


@asynccontextmanager
async def answering(handle, **options):
    """A client of a server that answers every request by `handle`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Client(Server.parse(f"127.0.0.1:{runner.addresses[0][1]}"), **options) as client:
            yield client
    finally:
        await runner.cleanup()


def fixed(**answer):
    """Gives the token first, and then that answer to everything."""

    async def handle(request):
        if "X-Transmission-Session-Id" not in request.headers:
            return web.Response(status=409, headers=TOKEN)
        return web.Response(**answer)

    return handle


def legacy(result="success", **arguments):
    return {"text": json.dumps({"result": result, "arguments": arguments})}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401}, LoginRefusedError),
        ({"status": 403, "text": "your address\nis not on the list"}, NotAllowedError),
        ({"status": 421}, NotAllowedError),
        ({"status": 404}, BadAnswerError),
        ({"status": 301, "headers": {"Location": "/transmission/web/"}}, BadAnswerError),
        ({"status": 500}, BadAnswerError),
        ({"status": 503, "text": "too many"}, UnreachableError),
        ({"status": 413, "text": "too large"}, RefusedError),
        ({"text": "<html>"}, BadAnswerError),
        ({"text": "[" * 100_000}, BadAnswerError),
        ({"text": "[]"}, BadAnswerError),
        ({"text": "{}"}, BadAnswerError),
        ({"text": '{"result": 5}'}, BadAnswerError),
        ({"text": '{"result": "success", "arguments": []}'}, BadAnswerError),
        (legacy(version=5), BadAnswerError),
        (legacy("no method name"), UnsupportedError),
        (legacy("the disk is full"), RefusedError),
    ],
)
async def test_every_failure_has_its_kind(answer, error):
    async with answering(fixed(**answer)) as client:
        with pytest.raises(error) as raised:
            await client.info()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("token", ["", "x" * 1000])
async def test_a_409_must_bring_a_token(token):
    async def handle(request):
        return web.Response(status=409, headers={"X-Transmission-Session-Id": token})

    async with answering(handle) as client:
        with pytest.raises(BadAnswerError):
            await client.info()


async def test_a_token_that_never_fits_is_given_up():
    asked = 0

    async def handle(request):
        nonlocal asked
        asked += 1
        return web.Response(status=409, headers=TOKEN)

    async with answering(handle) as client:
        with pytest.raises(BadAnswerError):
            await client.torrents()
    assert asked <= 4


async def test_silence_ends():
    over = asyncio.Event()

    async def handle(request):
        await over.wait()
        return web.Response()

    async with answering(handle, timeout=0.05) as client:
        with pytest.raises(UnreachableError):
            await client.info()
        over.set()


async def test_answers_are_bounded(monkeypatch):
    monkeypatch.setattr(client_transport, "MAX_ANSWER", 1000)
    async with answering(fixed(text=" " * 2000)) as client:
        with pytest.raises(BadAnswerError, match="larger than 1000"):
            await client.info()


async def test_errors_of_json_rpc_carry_their_code():
    error = {"code": 3, "message": "path is not absolute", "data": {"error_string": "x must be absolute"}}

    async def handle(request):
        if "X-Transmission-Session-Id" not in request.headers:
            return web.Response(status=409, headers=NEW)
        body = await request.json()
        if body["method"] == "free_space":
            return web.json_response({"jsonrpc": "2.0", "error": error, "id": body["id"]})
        return web.json_response({"jsonrpc": "2.0", "error": {"code": -32601, "message": "?"}, "id": body["id"]})

    async with answering(handle) as client:
        with pytest.raises(RefusedError, match="x must be absolute") as refused:
            await client.free_space("x")
        assert (refused.value.code, refused.value.method) == (3, "free_space")
        with pytest.raises(UnsupportedError):
            await client.statistics()


async def test_an_old_server_is_asked_in_its_words():
    asked = []

    async def handle(request):
        if "X-Transmission-Session-Id" not in request.headers:
            return web.Response(status=409, headers=TOKEN)
        body = await request.json()
        asked.append((body["method"], body["arguments"]))
        if body["method"] == "torrent-add":
            told = {"torrent-added": {"id": 4, "hashString": "ab", "name": "n"}}
            return web.Response(**legacy(**told))
        return web.Response(**legacy(version="3.00 (1)", **{"rpc-version": 16}))

    async with answering(handle) as client:
        changes = TorrentChanges(seed_ratio_mode=GoalMode.OWN, seed_ratio_limit=2.5, labels=("x",), peer_limit=9)
        added = await client.add("magnet:?x", paused=True, download_dir="/d", changes=changes)
        assert (added.id, added.hash_string, added.duplicate) == (4, "ab", False)
        await client.remove([4], delete=True)
        await client.set_settings({"seed_ratio_limit": 1, "cache_size_mib": 4, "encryption": "allowed"})
        with pytest.raises(UnsupportedError):
            await client.change([4], TorrentChanges(tracker_list=(("http://a/",),)))
        with pytest.raises(UnsupportedError, match="no sequential_download, which Transmission"):
            await client.change([4], TorrentChanges(sequential_download=True))
        with pytest.raises(UnsupportedError, match="no group"):
            await client.change([4], TorrentChanges(group="x"))
    assert asked[1:] == [
        ("torrent-add", {"peer-limit": 9, "filename": "magnet:?x", "download-dir": "/d", "paused": True}),
        ("torrent-set", {"ids": [4], "labels": ["x"], "seedRatioLimit": 2.5, "seedRatioMode": 1}),
        ("torrent-remove", {"ids": [4], "delete-local-data": True}),
        ("session-set", {"seedRatioLimit": 1, "cache-size-mb": 4, "encryption": "tolerated"}),
    ]


@asynccontextmanager
async def our_daemon(token, library, port=0):
    dispatcher = Dispatcher(library, session_id=token, version="1")
    async with HttpServer(HttpSettings(port=port), dispatcher.dispatch, token=token, secret=b"x") as server:
        yield server.port


async def test_a_daemon_that_was_started_anew_is_asked_for_everything():
    library = FakeLibrary()
    async with our_daemon(token_of(b"first"), library) as port:
        client = await Client(Server.parse(f"127.0.0.1:{port}")).__aenter__()
        first = await client.changes()
        assert (first.full, len(first.torrents)) == (True, 3)
        library.log.on_change(2, 1.0)
        news = await client.changes(first.mark)
        assert (news.full, [row.id for row in news.torrents], news.removed) == (False, [2], ())
        library.log.on_removed(2, 2.0)
        assert (await client.changes(news.mark)).removed == (2,)
    with pytest.raises(UnreachableError):
        await client.changes(news.mark)
    async with our_daemon(token_of(b"second"), FakeLibrary(count=1), port):
        again = await client.changes(news.mark)
        assert (again.full, [row.id for row in again.torrents]) == (True, [1])
        await client.__aexit__()


class OldServer:
    """Transmission as it was: no revisions, no fields of ours."""

    def __init__(self):
        self.asked = []
        self.torrents = [
            {"id": number, "hashString": f"{number}", "name": "n", "trackerStats": trackers}
            for number, trackers in enumerate(
                (
                    [
                        {"host": "http://a.test:80", "seederCount": 5, "leecherCount": -1},
                        {"host": "b.test:6969", "seederCount": 2, "leecherCount": 7},
                    ],
                    [],
                ),
                1,
            )
        ]

    async def handle(self, request):
        if "X-Transmission-Session-Id" not in request.headers:
            return web.Response(status=409, headers=TOKEN)
        body = await request.json()
        if body["method"] == "session-get":
            return web.Response(**legacy(version="2.94 (1)", **{"rpc-version": 15}))
        self.asked.append(body["arguments"].get("ids"))
        assert "starling_seeders" not in body["arguments"]["fields"]
        return web.Response(**legacy(torrents=self.torrents, removed=[9]))


async def test_another_server_is_asked_for_what_is_recent_and_now_and_then_for_all(monkeypatch):
    server = OldServer()
    async with answering(server.handle) as client:
        first = await client.changes()
        assert (first.full, server.asked) == (True, [None])
        second = await client.changes(first.mark)
        assert (second.full, second.removed, server.asked[-1]) == (False, (9,), "recently-active")
        assert second.mark.whole == first.mark.whole
        monkeypatch.setattr(client_torrents, "TRUSTED", -1.0)
        assert (await client.changes(second.mark)).full
        monkeypatch.setattr(client_torrents, "TRUSTED", 1000.0)
        monkeypatch.setattr(client_torrents, "WHOLE_INTERVAL", -1.0)
        assert (await client.changes(second.mark)).full
        assert server.asked[2:] == [None, None]


async def test_swarms_are_told_of_by_the_trackers_of_another_server():
    async with answering(OldServer().handle) as client:
        first, second = await client.torrents(only=("seeders", "leechers", "tracker"))
        assert (first.seeders, first.leechers, first.tracker) == (5, 7, "a.test")
        assert (second.seeders, second.leechers, second.tracker) == (-1, -1, "")


async def test_another_server_is_not_told_what_it_would_forget():
    async with answering(OldServer().handle) as client:
        with pytest.raises(UnsupportedError, match="seed_time_limit"):
            await client.change([1], TorrentChanges(starling_seed_time_limit=5))
        with pytest.raises(UnsupportedError):
            await client.add("magnet:?x", changes=TorrentChanges(tracker_list=(("http://a/",),)))


def test_one_module_has_all_that_an_interface_needs():
    assert [name for name in client_module.__all__ if not hasattr(client_module, name)] == []


async def test_what_is_asked_for_alone_is_read():
    async with (
        our_daemon(token_of(b"first"), FakeLibrary()) as port,
        Client(Server.parse(f"127.0.0.1:{port}")) as client,
    ):
        row, *_ = await client.torrents(only=("tracker", "total_size"))
        assert (row.id, row.name, row.tracker, row.total_size, row.download_dir) == (1, "name", "a.test", 40_000, "")


async def test_a_closed_client_says_so():
    client = Client(Server.parse("127.0.0.1:1"))
    async with client:
        pass
    with pytest.raises(UnreachableError, match="closed"):
        await client.info()


def test_the_client_brings_no_engine():
    code = "import sys, p2p.daemon.client; print(*[m for m in sys.modules if m.startswith(('p2p.session', 'aiohttp'))])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
