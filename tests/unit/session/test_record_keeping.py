"""Progress goes on record now and then; where there is no room for it, it waits."""

from __future__ import annotations

import asyncio

from p2p.errors import DiskFullError, StorageError
from p2p.session.agenda import Agenda
from p2p.session.record_keeping import RecordKeeping
from p2p.session.scope import Scope
from p2p.simulation.virtual_loop import run

INTERVAL = 30.0


class Disk:
    """Notes when a checkpoint is made or fails, as `failures` say, call by call."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.made = []
        self.heard = []

    async def checkpoint(self):
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.made.append(asyncio.get_running_loop().time())

    def keeping(self, stop=None):
        return RecordKeeping(
            checkpoint=self.checkpoint,
            interval=INTERVAL,
            agenda=Agenda(),
            stop=stop or asyncio.Event(),
            on_error=self.heard.append,
        )


def test_what_changes_is_on_record_an_interval_later():
    async def scenario():
        loop = asyncio.get_running_loop()
        disk = Disk()
        async with Scope() as scope:
            keeping = disk.keeping()
            keeping.begin(scope)
            for moment in (100.0, 101.0, 129.0, 131.0, 400.0):
                await asyncio.sleep(moment - loop.time())
                keeping.on_progress(moment)
            await asyncio.sleep(1_000)
        assert disk.made == [130.0, 161.0, 430.0]

    run(scenario())


def test_nothing_is_done_while_nothing_changes_nor_after_the_end():
    async def scenario():
        disk = Disk()
        async with Scope() as scope:
            keeping = disk.keeping()
            keeping.on_progress(0.0)
            keeping.begin(scope)
            await asyncio.sleep(1_000)
            keeping.on_progress(1_000.0)
            keeping.end()
            await asyncio.sleep(1_000)
        assert disk.made == []

    run(scenario())


def test_without_room_it_is_tried_again_until_there_is():
    async def scenario():
        full = DiskFullError("no room left")
        disk = Disk(full, full)
        keeping = disk.keeping()
        putting = asyncio.create_task(keeping.put_on_record())
        await asyncio.sleep(1)
        assert keeping.waiting
        assert await putting
        assert not keeping.waiting
        assert disk.heard == [full, full]
        assert disk.made == [10.0]

    run(scenario())


def test_a_stop_ends_the_wait_for_room_at_once():
    async def scenario():
        stop = asyncio.Event()
        putting = asyncio.create_task(Disk(DiskFullError("no room left")).keeping(stop).put_on_record())
        await asyncio.sleep(1)
        stop.set()
        assert not await putting
        assert asyncio.get_running_loop().time() == 1.0

    run(scenario())


def test_any_other_failure_is_told_and_ends_it():
    async def scenario():
        broken = StorageError("input/output error")
        disk = Disk(broken)
        async with Scope() as scope:
            keeping = disk.keeping()
            keeping.begin(scope)
            for moment in (0.0, 500.0):
                keeping.on_progress(moment)
                await asyncio.sleep(500)
        assert disk.heard == [broken]
        assert disk.made == []

    run(scenario())
