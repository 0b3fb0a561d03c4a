"""Progress goes on record now and then; where there is no room for it, it waits."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import DiskFullError, StorageError
from p2p.session.record_keeping import RecordKeeping
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
            checkpoint=self.checkpoint, interval=INTERVAL, stop=stop or asyncio.Event(), on_error=self.heard.append
        )


def test_a_record_is_made_every_interval():
    async def scenario():
        disk = Disk()
        task = asyncio.create_task(disk.keeping().run())
        await asyncio.sleep(3.5 * INTERVAL)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert disk.made == [INTERVAL, 2 * INTERVAL, 3 * INTERVAL]

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
        await disk.keeping().run()
        assert disk.heard == [broken]
        assert disk.made == []

    run(scenario())
