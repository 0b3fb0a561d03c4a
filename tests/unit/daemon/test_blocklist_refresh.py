"""When a blocklist is fetched again, by a clock that may jump."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from p2p.daemon.blocklist_fetch import REFRESH, RETRY, BlocklistKeeper
from p2p.daemon.session_values import SessionValues, initial
from p2p.disk.inline_hasher import InlineHasher
from p2p.errors import TrackerError
from p2p.session.settings import Settings
from p2p.simulation import run

EPOCH = 1_700_000_000.0


class World:
    """A keeper in virtual time, the server it fetches from, and the wall clock."""

    def __init__(self):
        self.asked: list[float] = []
        self.answers = True
        self.jump = 0.0
        self.held = []
        self.values = SessionValues(initial(Settings(), "/c"))
        environment = SimpleNamespace(http=self, hasher=InlineHasher(), wall=self.wall)
        self.keeper = BlocklistKeeper(self.values, environment, self.held.append, None)

    def wall(self):
        return EPOCH + asyncio.get_running_loop().time() + self.jump

    async def get(self, url, *, timeout, max_body):
        self.asked.append(asyncio.get_running_loop().time())
        if not self.answers:
            raise TrackerError("HTTP 503")
        return b"192.0.2.1\n"


@pytest.fixture
def play():
    def play(scenario):
        async def main():
            world = World()
            task = asyncio.ensure_future(world.keeper.run())
            try:
                await scenario(world)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        return run(main(), until=20 * REFRESH)

    return play


def test_it_is_fetched_once_a_day_while_it_is_enabled(play):
    async def scenario(world):
        await asyncio.sleep(10)
        await world.values.set({"blocklist_url": "http://x.example/"})
        await asyncio.sleep(10)
        assert world.asked == []
        await world.values.set({"blocklist_enabled": True})
        await asyncio.sleep(3 * REFRESH + 1)
        assert [round(at) for at in world.asked] == [20 + round(REFRESH) * day for day in range(4)]
        await world.values.set({"blocklist_enabled": False})
        await asyncio.sleep(3 * REFRESH)
        assert len(world.asked) == 4
        assert len(world.held[-1]) == 0

    play(scenario)


def test_a_fetch_that_fails_is_tried_again_within_the_hour(play):
    async def scenario(world):
        world.answers = False
        await world.values.set({"blocklist_enabled": True, "blocklist_url": "http://x.example/"})
        await asyncio.sleep(3 * RETRY + 1)
        assert len(world.asked) == 4
        assert world.keeper.problem == "http://x.example/: HTTP 503"
        world.answers = True
        await asyncio.sleep(RETRY)
        assert world.keeper.problem == ""
        await asyncio.sleep(REFRESH / 2)
        assert len(world.asked) == 5

    play(scenario)


@pytest.mark.parametrize("jump", [-1e9, 1e9], ids=["back", "ahead"])
def test_a_clock_that_jumps_causes_one_fetch_at_most(play, jump):
    async def scenario(world):
        await world.values.set({"blocklist_enabled": True, "blocklist_url": "http://x.example/"})
        await asyncio.sleep(REFRESH / 2)
        world.jump = jump
        await asyncio.sleep(REFRESH)
        assert len(world.asked) == 2
        await asyncio.sleep(REFRESH)
        assert len(world.asked) == 3

    play(scenario)


def test_another_url_is_fetched_at_once(play):
    async def scenario(world):
        await world.values.set({"blocklist_enabled": True, "blocklist_url": "http://x.example/"})
        await asyncio.sleep(60)
        await world.values.set({"blocklist_url": "http://y.example/"})
        await asyncio.sleep(60)
        assert len(world.asked) == 2

    play(scenario)
