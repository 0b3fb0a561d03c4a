"""What the feed asks of a daemon, and how often; what it tells of verbs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from own_daemon import own_daemon
from stage import app_before, played, until

from p2p.daemon.client import Changes, Mark, Part, Server, TorrentDetails, TorrentRow, UnreachableError
from tui import feed as feed_module
from tui.facts import DetailsArrived, ListArrived, VerbDone, VerbFailed
from tui.feed import Access, Feed

NAME = "a" * 40
TAKES = 0.02
"""Seconds for an answer."""


def whole(*rows):
    """A list, as a daemon tells all of it."""
    return Changes(torrents=rows, removed=(), full=True, mark=Mark(revision=1, generation=1, asked=0.0, whole=0.0))


async def nowhere():
    await asyncio.Event().wait()


class Going:
    """A daemon that does what it is told, and is gone then."""

    async def changes(self, _):
        raise UnreachableError("gone")


class Slow:
    """A daemon that has much to tell."""

    def __init__(self):
        self.asked = []

    async def details(self, name, *_):
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(TAKES)
        self.asked.append((began, loop.time()))
        return TorrentDetails(hash_string=name, name="much")


def before(client):
    """A feed that is connected, and what it tells."""
    told = []
    feed = Feed(nowhere, told.append)
    feed._client = client
    feed._connected.set()
    return feed, told


@asynccontextmanager
async def running(work):
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("is_looked_at", [True, False])
async def test_what_is_done_is_not_told_to_have_failed(is_looked_at):
    """Whether the daemon is gone after it, or another one is looked at by then."""
    feed, told = before(Going())
    done = []

    async def act(client):
        done.append(client)
        if not is_looked_at:
            feed._client = None

    await feed.do("stop apple", act)
    assert len(done) == 1
    assert [type(fact) for fact in told] == [VerbDone]


async def test_what_fails_is_told_alone():
    async def act(_):
        raise UnreachableError("gone")

    feed, told = before(Going())
    await feed.do("stop apple", act)
    assert [type(fact) for fact in told] == [VerbFailed]


async def test_who_has_much_to_tell_is_asked_less_often(monkeypatch):
    monkeypatch.setattr(feed_module, "DETAILS_INTERVAL", 0.0)
    client = Slow()
    feed, told = before(client)
    async with asyncio.timeout(20), running(feed.watch_details()):
        feed.open(NAME, Part.FILES)
        while len(client.asked) < 4:
            await asyncio.sleep(TAKES / 10)
    assert len([fact for fact in told if isinstance(fact, DetailsArrived)]) >= 3
    for (began, ended), (again, _) in zip(client.asked, client.asked[1:], strict=False):
        assert again - ended >= 3 * (ended - began)


async def test_a_list_that_comes_after_another_daemon_was_turned_to_is_of_nobody():
    held = asyncio.Event()

    class Held:
        async def changes(self, _):
            await held.wait()
            return whole()

    feed, told = before(Held())
    asked = asyncio.create_task(feed._refresh(feed._client))
    await asyncio.sleep(0)
    feed.turn_away()
    assert feed._client is None
    held.set()
    await asked
    assert (told, feed._mark) == ([], None)


async def test_a_list_that_was_told_before_another_server_was_gone_to_is_not_shown_for_its_own(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        app = app_before(daemon.url)
        async with played(app) as pilot:
            await until(pilot, lambda: app.feed._client is not None)
            row = TorrentRow(id=1, hash_string=NAME, name="theirs")
            for turn, seen in ((app.feed.turn - 1, 0), (app.feed.turn, 1)):
                app.post_message(ListArrived(whole(row), turn))
                await pilot.pause()
                assert len(app.rows) == seen


async def test_the_end_of_one_connection_is_not_that_of_the_next(tmp_path):
    """Whoever is left can take longer to hang up than the next one to answer."""
    async with own_daemon(tmp_path) as daemon:
        told = []

        async def find():
            return Access(Server.parse(daemon.url))

        feed = Feed(find, told.append)
        async with asyncio.timeout(20):
            async with running(feed.follow()):
                await feed._connected.wait()
                feed.turn_away()
                feed._client = after = object()
                feed._connected.set()
            assert feed._client is after
            assert feed._connected.is_set()
