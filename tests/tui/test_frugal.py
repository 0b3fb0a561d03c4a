"""How often a daemon is asked while nothing moves, and how soon what moves again is seen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest

from p2p.daemon.client import Changes, Mark, ServerInfo
from tui import feed as feed_module
from tui import pace as pace_module
from tui.facts import VerbDone
from tui.feed import Feed
from tui.pace import Pace

USUAL, MOST = 0.01, 0.16
"""Seconds between questions, in place of 2 and 8."""


class Idle:
    """A daemon in which nothing happens. It counts what it is asked."""

    def __init__(self, info, rate=0):
        self.asked = []
        self.rate = rate
        self._info = info
        self.own = SimpleNamespace(disk=self._nothing, dht=self._nothing)

    async def _nothing(self):
        self.asked.append("around")

    async def info(self):
        return self._info

    async def settings(self):
        return {}

    async def free_space(self, _):
        self.asked.append("around")

    async def statistics(self):
        self.asked.append("statistics")
        return SimpleNamespace(download_speed=self.rate, upload_speed=0)

    async def changes(self, _):
        self.asked.append("changes")
        return Changes(torrents=(), removed=(), full=False, mark=Mark(revision=1, generation=1, asked=0.0, whole=0.0))


@asynccontextmanager
async def fed(client, *works):
    """A feed that is connected to it, with that of it running."""
    told = []
    feed = Feed(asyncio.Event().wait, told.append)
    feed.told = told
    feed._client = client
    feed._connected.set()
    tasks = [asyncio.create_task(work(feed)) for work in works]
    try:
        yield feed
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(feed_module, "FOREIGN_INTERVAL", USUAL)
    monkeypatch.setattr(feed_module, "SESSION_INTERVAL", USUAL)
    monkeypatch.setattr(pace_module, "CALM", MOST)


async def gone_by(client, seconds):
    """What it was asked in that time, once it is calm."""
    await asyncio.sleep(3 * MOST)
    before = len(client.asked)
    await asyncio.sleep(seconds)
    return client.asked[before:]


@pytest.mark.parametrize("version", ["", "1.0"])
async def test_nothing_that_moves_is_asked_for_less_and_less(version):
    """By kind; `around` is two questions at most, at every fifth look. A machine that is slow asks less."""
    client = Idle(ServerInfo(starling=version))
    works = [Feed.watch_session] if version else [Feed.watch_session, lambda feed: feed._poll(client)]
    async with asyncio.timeout(20), fed(client, *works):
        asked = await gone_by(client, 5 * MOST)
    assert 1 <= asked.count("statistics") <= 7
    assert asked.count("around") <= 2 * 2
    assert asked.count("changes") <= (0 if version else 7)


async def test_what_moves_is_looked_at_all_the_time():
    client = Idle(ServerInfo(starling="1.0"), rate=1)
    async with asyncio.timeout(20), fed(client, Feed.watch_session):
        while client.asked.count("statistics") < 20:  # calm, that would be three seconds
            await asyncio.sleep(USUAL)


@pytest.mark.parametrize("wakes", ["a verb", "the daemon"])
async def test_calm_ends_at_once(wakes, monkeypatch):
    monkeypatch.setattr(Pace, "pause", lambda pace, usual: 3_600.0 if pace._still else usual)
    client = Idle(ServerInfo())
    async with asyncio.timeout(20), fed(client, Feed.watch_session, lambda feed: feed._poll(client)) as feed:
        while not {"changes", "statistics"} <= set(client.asked):  # once, and then not for an hour
            await asyncio.sleep(USUAL)
        kind = "changes" if wakes == "a verb" else "statistics"
        before = client.asked.count(kind)
        if wakes == "a verb":
            await feed.do("stop apple", lambda _: asyncio.sleep(0))
            assert [type(fact) for fact in feed.told][-1] is VerbDone
            before += 1  # that of the verb itself
        else:
            feed._moved.set()
        while client.asked.count(kind) <= before:
            await asyncio.sleep(USUAL)


def test_pauses_double_up_to_a_bound():
    pace = Pace()
    pauses = []
    for _ in range(100):
        pauses.append(pace.pause(USUAL))
        pace.on_still()
    assert pauses[:5] == pytest.approx([USUAL, 2 * USUAL, 4 * USUAL, 8 * USUAL, MOST])
    assert set(pauses[4:]) == {MOST}
    assert pace.pause(3_600.0) == 3_600.0
    pace.on_move()
    assert pace.pause(USUAL) == USUAL
