"""What every scenario shares: a world in virtual time from the run's seed, and a look at what it leaves behind."""

from __future__ import annotations

import asyncio
import shlex
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from p2p.simulation.sim_stream import SimStream
from p2p.simulation.virtual_loop import run
from p2p.simulation.world import SINGLE_FILE, SimWorld

sys.path.insert(0, str(Path(__file__).parent))


def replay_command(node, seed):
    """What runs a scenario again exactly as it ran: all chance in it comes from the seed."""
    return f"make sim SEED={seed} ONLY={shlex.quote(node.removeprefix('tests/simulation/'))}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A scenario that fails says how it is played again."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and "seed" in getattr(item, "funcargs", {}):
        report.sections.append(("play this again", replay_command(item.nodeid, item.funcargs["seed"])))


UNDER_WAY = 10.0
"""Seconds that what was sent last may need on the slowest link of a scenario."""


@pytest.fixture
def play(seed, monkeypatch):
    """Plays `scenario(world)` in a world of one file and no tracker unless told otherwise.

    Afterwards, in every scenario, nothing may be left: no task, no timer, no open stream, no buffer in use.
    """
    streams = []
    begin = SimStream.__init__

    def remember(stream, *arguments):
        begin(stream, *arguments)
        streams.append(stream)

    monkeypatch.setattr(SimStream, "__init__", remember)

    def play(scenario, *, size=1 << 20, files=None, piece_length=64 << 10, announce=None, until=3_600.0, seed=seed):
        async def main():
            loop = asyncio.get_running_loop()
            async with AsyncExitStack() as stack:
                world = SimWorld.make(
                    seed, stack, files=files or [(SINGLE_FILE, size)], piece_length=piece_length, announce=announce
                )
                result = await scenario(world)
            assert loop.pending_tasks() == [asyncio.current_task()]
            for peer in world.peers:
                assert peer.session._open.arenas.in_use == 0, peer.name
                assert peer.session._open.slots.connections == 0, peer.name
                assert peer.session._open.slots.connecting == 0, peer.name
            assert [stream for stream in streams if not stream._closed] == []
            # Nothing waits any more but what is on its way through the network, which soon arrives.
            assert loop.pending_timers() == []
            quiet = loop.time() + UNDER_WAY
            while (last := loop.last_action_time()) is not None:
                assert loop.time() < quiet
                await asyncio.sleep(max(0.0, last - loop.time()))
            return result

        try:
            return run(main(), until=until)
        finally:
            streams.clear()

    return play
