"""What is told as it happens: to listeners in process, and over HTTP to the client."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import aiohttp
import pytest
from fake_library import FakeLibrary, FakeTorrent

from p2p.daemon import events as events_module
from p2p.daemon.access import Login, hash_password
from p2p.daemon.client import Client
from p2p.daemon.client_address import Server
from p2p.daemon.client_errors import LoginRefusedError, UnreachableError, UnsupportedError
from p2p.daemon.client_events import (
    Hello,
    Resync,
    SettingsChanged,
    TorrentCompleted,
    TorrentsAdded,
    TorrentsChanged,
    TorrentsRemoved,
)
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.events import EventFeed
from p2p.daemon.http_server import HttpServer, HttpSettings, token_of
from p2p.daemon.log_ring import LogRing
from p2p.daemon.own_facts import LogLine
from p2p.daemon.pages import Pages
from p2p.daemon.rpc_errors import RpcError
from p2p.errors import NetworkError
from p2p.session.event_bus import Event, EventBus, EventKind

TOKEN = token_of(b"random")


class Daemon:
    """A feed that runs, and what it is fed with."""

    def __init__(self):
        self.library = FakeLibrary()
        self.bus = EventBus()
        self.ring = LogRing()
        self.feed = EventFeed(self.library, self.bus, self.ring, interval=0.001)

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.feed.run())
        with self.ring:
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.wait([task])

    @asynccontextmanager
    async def served(self, **settings):
        dispatcher = Dispatcher(self.library, session_id=TOKEN, version="1")
        pages = Pages(streams={"/events": self.feed.listen})
        server = HttpServer(
            HttpSettings(port=0, **settings), dispatcher.dispatch, token=TOKEN, secret=b"other", pages=pages
        )
        async with self.running(), server:
            yield server


async def told(listener, *names):
    """The facts of events, in order, until each of `names` was told once."""
    found, wanted = [], list(names)
    async for batch in listener:
        for event in batch.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
            if lines:
                found.append((lines["event"], json.loads(lines["data"])))
                if lines["event"] in wanted:
                    wanted.remove(lines["event"])
        if not wanted:
            return found
    return found


async def test_changes_are_told_once_for_all():
    async with Daemon().running() as daemon:
        with daemon.feed.listen({}) as first, daemon.feed.listen({}) as second:
            assert await told(first, "hello") == [("hello", {"revision": 1000})]
            daemon.library.kept[4] = FakeTorrent(4)
            daemon.library.log.on_change(4, 0.0)
            daemon.library.log.on_change(2, 0.0)
            daemon.library.log.on_removed(1, 0.0)
            news = await told(first, "removed", "added", "changed")
            assert news == [
                ("removed", {"ids": [1], "revision": 1003}),
                ("added", {"ids": [4], "revision": 1003}),
                ("changed", {"ids": [2], "revision": 1003}),
            ]
            assert (await told(second, "changed"))[1:] == news
            daemon.library.log.on_change(4, 0.0)
            assert await told(first, "changed") == [("changed", {"ids": [4], "revision": 1004})]
        assert daemon.feed.listeners == 0


async def test_what_was_missed_is_told_first():
    async with Daemon().running() as daemon:
        daemon.library.log.on_change(3, 0.0)
        daemon.library.log.on_change(2, 0.0)
        for query in ({"since": "1001"}, {"last_event_id": "1001"}):
            with daemon.feed.listen(query) as listener:
                assert await told(listener, "hello", "changed") == [
                    ("hello", {"revision": 1002}),
                    ("changed", {"ids": [2], "revision": 1002}),
                ]
        with daemon.feed.listen({"since": "7"}) as listener:
            assert (await told(listener, "resync"))[-1] == ("resync", {"revision": 1002})


@pytest.mark.parametrize("query", [{"since": "x"}, {"since": "-1"}, {"since": "9" * 30}, {"log": "loud"}])
async def test_queries_that_cannot_be_are_refused(query):
    daemon = Daemon()
    with pytest.raises(RpcError), daemon.feed.listen(query):
        pass
    assert daemon.feed.listeners == 0


async def test_engine_settings_and_log_are_told():
    async with Daemon().running() as daemon:
        log = logging.getLogger("p2p.somewhere")
        log.warning("nobody listens yet")
        with daemon.feed.listen({"log": "warning"}) as listener, daemon.feed.listen({}) as other:
            await told(listener, "hello")
            await asyncio.sleep(0)  # the feed subscribes to the engine in its own turn
            hash_string = daemon.library.kept[2].hash_string
            daemon.bus.publish(Event(EventKind.COMPLETE, 5.0, hash_string))
            daemon.bus.publish(Event(EventKind.PROGRESS, 5.0, hash_string))
            daemon.bus.publish(Event(EventKind.COMPLETE, 5.0, "ff" * 20))
            daemon.library.values["speed_limit_down"] = 7
            daemon.library.values["download_dir_free_space"] = 7
            log.info("too little")
            log.warning("line\nbreak %s", "x")
            news = await told(listener, "completed", "settings", "log")
            assert ("completed", {"id": 2, "hash_string": hash_string, "time": 5.0}) in news
            assert ("settings", {"changed": {"speed_limit_down": 7}}) in news
            (line,) = [facts for name, facts in news if name == "log"]
            assert (line["level"], line["logger"], line["text"]) == ("warning", "p2p.somewhere", "line\\nbreak x")
            assert [name for name, _ in news].count("completed") == 1
            assert "log" not in [name for name, _ in await told(other, "hello", "settings")]


async def test_a_listener_that_does_not_keep_up_is_let_go(monkeypatch):
    monkeypatch.setattr(events_module, "MAX_WAITING", 500)
    async with Daemon().running() as daemon:
        with daemon.feed.listen({}) as slow, daemon.feed.listen({}) as quick:
            await told(quick, "hello")
            while not slow.overrun:
                daemon.library.log.on_change(1, 0.0)
                assert await told(quick, "changed")
            events = [name for name, _ in await told(slow, "never")]  # ends by itself
            assert events == ["resync"]
            assert not quick.overrun


async def test_a_bug_ends_the_streams_and_nothing_else(monkeypatch, caplog):
    async with Daemon().running() as daemon:
        with daemon.feed.listen({}) as listener:
            await told(listener, "hello")
            daemon.library.settings = lambda: 1 // 0
            assert [name for name, _ in await told(listener, "never")] == ["resync"]
        del daemon.library.settings
        with daemon.feed.listen({}) as listener:
            assert [name for name, _ in await told(listener, "hello")] == ["hello"]
    assert "ended by a bug" in caplog.text


async def test_silence_is_broken_by_a_sign_of_life(monkeypatch):
    monkeypatch.setattr(events_module, "HEARTBEAT", 0.001)
    async with Daemon().running() as daemon:
        with daemon.feed.listen({}) as listener:
            batches = [batch async for batch, _ in _zip(listener, range(2))]
            assert batches[0].startswith(b"id: 1000\nevent: hello\n")
            assert batches[1] == b":\n\n"


async def _zip(stream, numbers):
    for number in numbers:
        async for each in stream:
            yield each, number
            break


async def test_the_client_follows_a_daemon():
    daemon = Daemon()
    async with daemon.served() as server, Client(Server.parse(f"127.0.0.1:{server.port}")) as client:
        before = await client.changes()
        daemon.library.log.on_change(3, 0.0)
        async with client.events(log="info", since=before.mark) as events:
            assert await anext(events) == Hello(1001)
            assert await anext(events) == TorrentsChanged((3,), 1001)
            daemon.library.kept[9] = FakeTorrent(9)
            daemon.library.log.on_change(9, 0.0)
            assert await anext(events) == TorrentsAdded((9,), 1002)
            daemon.library.log.on_removed(9, 0.0)
            assert await anext(events) == TorrentsRemoved((9,), 1003)
            daemon.bus.publish(Event(EventKind.COMPLETE, 5.0, daemon.library.kept[1].hash_string))
            assert await anext(events) == TorrentCompleted(1, daemon.library.kept[1].hash_string, 5.0)
            daemon.library.values["speed_limit_up"] = 3
            assert await anext(events) == SettingsChanged({"speed_limit_up": 3})
            logging.getLogger("p2p.x").warning("hello")
            line = await anext(events)
            assert isinstance(line, LogLine)
            assert (line.level, line.text) == ("warning", "hello")
        async with client.events(since=before.mark) as events:
            assert isinstance(await anext(events), Hello)
        daemon.library.log._forgotten = 2000
        async with client.events(since=before.mark) as events:
            assert [type(await anext(events)) for _ in range(2)] == [Hello, Resync]


async def test_the_end_of_the_daemon_ends_its_streams():
    daemon = Daemon()
    async with Client(Server.parse("127.0.0.1:1")) as client:
        async with daemon.served() as server:
            client.transport.server = Server.parse(f"127.0.0.1:{server.port}")
            context = client.events()
            events = await context.__aenter__()
            await anext(events)
        with pytest.raises(NetworkError) as ended:
            await anext(events)
        with pytest.raises(UnreachableError):
            await context.__aexit__(ended.type, ended.value, None)


async def test_another_servers_events_are_refused_by_name():
    daemon = Daemon()
    dispatcher = Dispatcher(daemon.library, session_id=TOKEN, version="")
    async with (
        HttpServer(HttpSettings(port=0), dispatcher.dispatch, token=TOKEN, secret=b"x") as server,
        Client(Server.parse(f"127.0.0.1:{server.port}")) as client,
    ):
        with pytest.raises(UnsupportedError):
            async with client.events():
                pass


async def test_streams_ask_for_the_password_and_refuse_pages_of_strangers():
    login = Login("me", hash_password("secret", b"s" * 16))
    daemon = Daemon()
    async with daemon.served(login=login) as server, Client(Server.parse(f"127.0.0.1:{server.port}")) as client:
        with pytest.raises(LoginRefusedError):
            async with client.events():
                pass
    async with daemon.served() as server, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{server.port}/events"

        async def status(**headers):
            async with http.get(url, headers=headers) as response:
                return response.status

        assert await status(Origin="http://evil.example") == 403
        assert await status(**{"Sec-Fetch-Site": "cross-site"}) == 403
        assert await status(Host="evil.example") == 421
        assert await status(Origin=f"http://127.0.0.1:{server.port}") == 200
        async with http.get(url, headers={"Last-Event-ID": "1"}) as response:
            events = [await response.content.readuntil(b"\n\n") for _ in range(2)]
            assert [b"event: hello" in events[0], b"event: resync" in events[1]] == [True, True]
        async with http.get(url, params={"log": "loud"}) as response:
            assert response.status == 400
        async with http.post(url) as response:
            assert response.status == 405


async def test_streams_are_bounded(monkeypatch):
    from p2p.daemon import http_server

    monkeypatch.setattr(http_server, "MAX_STREAMS", 1)
    daemon = Daemon()
    async with daemon.served() as server, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{server.port}/events"
        async with http.get(url) as first:
            assert first.status == 200
            async with http.get(url) as second:
                assert second.status == 503


async def test_who_does_not_read_is_cut_off(monkeypatch):
    from p2p.daemon import http_server

    monkeypatch.setattr(http_server, "WRITE_TIMEOUT", 0.05)
    daemon = Daemon()
    async with daemon.served() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)  # buffers nothing
        writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not daemon.feed.listeners:
            await asyncio.sleep(0.001)
        while daemon.feed.listeners:
            for number in range(20_000):
                daemon.library.log.on_change(number, 0.0)
            await asyncio.sleep(0.002)
        writer.transport.abort()
