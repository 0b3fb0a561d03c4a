"""Checks take turns on a disk, run side by side on several, and leave the queue when they are stopped."""

from __future__ import annotations

import asyncio
import random

import pytest

from p2p.session import checks, run_opening
from p2p.session.checks import SMALL, CheckStoppedError, CheckTurns
from p2p.session.session import Session
from p2p.session.settings import Settings
from p2p.session.snapshot import TorrentState
from p2p.simulation.world import make_content

BIG = SMALL + 1


class Checks:
    """Checks that end when they are told, and what there is to see of them."""

    def __init__(self):
        self.turns = CheckTurns()
        self.at_work, self.waiting, self.tasks = [], [], {}
        self._ends, self.stops = {}, {}

    def begin(self, name, device, size=BIG):
        self._ends[name], self.stops[name] = asyncio.Event(), asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(name, device, size))

    async def _run(self, name, device, size):
        async with self.turns.turn(device, size, self.stops[name], lambda: self.waiting.append(name)):
            self.at_work.append(name)
            await self._ends[name].wait()
            self.at_work.remove(name)

    async def end(self, name):
        self._ends[name].set()
        await self.tasks[name]
        await self.turn()

    async def turn(self):
        for _ in range(5):
            await asyncio.sleep(0)


async def test_one_at_a_time_on_a_disk_and_several_on_several():
    checks = Checks()
    for name, device in (("a", 1), ("b", 1), ("c", 2), ("d", 1)):
        checks.begin(name, device)
    checks.begin("small", 1, SMALL)
    await checks.turn()
    assert checks.at_work == ["a", "c", "small"]
    assert checks.waiting == ["b", "d"]
    await checks.end("a")
    assert checks.at_work == ["c", "small", "b"]
    for name in ("b", "c", "d", "small"):
        await checks.end(name)
    assert checks.at_work == []


async def test_who_is_stopped_or_cancelled_leaves_the_queue():
    checks = Checks()
    for name in ("a", "stopped", "cancelled", "last"):
        checks.begin(name, 1)
    await checks.turn()
    checks.stops["stopped"].set()
    with pytest.raises(CheckStoppedError):
        await checks.tasks["stopped"]
    checks.tasks["cancelled"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await checks.tasks["cancelled"]
    await checks.end("a")
    assert checks.at_work == ["last"]
    await checks.end("last")
    checks.begin("again", 1)
    await checks.turn()
    assert checks.at_work == ["again"]
    await checks.end("again")


async def test_a_torrent_says_that_it_waits_and_can_be_stopped_meanwhile(tmp_path, monkeypatch):
    metainfo, pieces = make_content(random.Random(1), [(("x",), 100_000)], 16_384, announce=None)
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "x").write_bytes(b"".join(pieces[index] for index in range(len(pieces))))
    quiet = {"bind": ("127.0.0.1",), "dht": False, "local_discovery": False, "trackers": False}
    monkeypatch.setattr(checks, "SMALL", 0)
    monkeypatch.setattr(run_opening, "SMALL", 0)
    async with asyncio.timeout(20), Session(Settings(download_dir=tmp_path, **quiet)) as session:
        device = tmp_path.stat().st_dev
        async with session._open.checks.turn(device, 1, asyncio.Event(), lambda: None):
            torrent = await session.add(metainfo)
            while torrent.state is not TorrentState.CHECK_QUEUED:
                await asyncio.sleep(0.01)
            await torrent.stop()
            assert torrent.state is TorrentState.STOPPED
            torrent.start()
            while torrent.state is not TorrentState.CHECK_QUEUED:
                await asyncio.sleep(0.01)
        while torrent.state is not TorrentState.SEEDING:
            await asyncio.sleep(0.01)
