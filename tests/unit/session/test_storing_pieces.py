"""Pieces on their way to disk: what a full disk and a bad piece do, and whose buffers are given back when."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from p2p.errors import DiskFullError, StorageError
from p2p.ids import Address
from p2p.session.scope import Scope
from p2p.session.storing import DISK_FULL_RETRY, Storing
from p2p.simulation.virtual_loop import run
from p2p.wire.arena import ArenaPool
from p2p.wire.events import BlockReceived

SIZE = 16_384
SENDER = SimpleNamespace(address=Address("10.0.0.9", 6881), key=1)


class ScriptedStore:
    """Answers each store of a piece with the next of its outcomes; an error is raised."""

    piece_length = SIZE

    def __init__(self, outcomes):
        self.outcomes = outcomes

    def piece_size(self, piece):
        return SIZE

    async def store(self, piece, views):
        assert sum(map(len, views)) == SIZE
        await asyncio.sleep(0.1)
        outcome = self.outcomes[piece].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Bench:
    """A `Storing` over a scripted store; notes what it is told of."""

    def __init__(self, scope, outcomes):
        self.arenas = ArenaPool()
        self.stored = []
        self.errors = []
        self.storing = Storing(
            store=ScriptedStore(outcomes),
            arenas=self.arenas,
            scope=scope,
            on_stored=self.on_stored,
            on_error=self.errors.append,
        )

    def on_stored(self, piece, arrival, good):
        self.stored.append((piece, good))

    def bring(self, piece):
        """One whole piece, which came as one block."""
        arena = self.arenas.take()
        self.storing.add(BlockReceived(piece, 0, SIZE, arena.view[:SIZE], arena, 0), SENDER)
        self.storing.on_whole(piece)


def play(scenario, **outcomes):
    async def main():
        async with Scope() as scope:
            await scenario(Bench(scope, {int(name[1:]): list(results) for name, results in outcomes.items()}))

    run(main(), until=3_600.0)


def test_a_bad_piece_says_nothing_of_a_full_disk():
    async def scenario(bench):
        bench.bring(0)
        await asyncio.sleep(1)
        assert bench.storing.disk_full == "no room"
        bench.bring(1)
        await asyncio.sleep(1)
        assert bench.stored == [(1, False)]
        assert bench.storing.disk_full == "no room"
        await asyncio.sleep(DISK_FULL_RETRY)
        assert bench.stored == [(1, False), (0, True)]
        assert bench.storing.disk_full is None
        assert bench.arenas.in_use == 0

    play(scenario, p0=[DiskFullError("no room"), True], p1=[False])


def test_what_a_failed_store_held_is_given_back_at_the_end():
    async def scenario(bench):
        bench.bring(0)
        await bench.storing.drain()
        assert [str(error) for error in bench.errors] == ["broken"]
        assert bench.storing.backlog == 0
        bench.storing.close()
        assert bench.arenas.in_use == 0

    play(scenario, p0=[StorageError("broken")])


def test_a_piece_that_is_whole_as_the_torrent_ends_is_not_begun():
    arenas = []

    async def main():
        async with Scope() as scope:
            bench = Bench(scope, {})
            arenas.append(bench.arenas)
        bench.bring(0)
        bench.storing.close()

    run(main(), until=3_600.0)
    assert arenas[0].in_use == 0


def test_a_bug_in_who_hears_of_a_piece_leaves_no_buffer_behind():
    arenas = []

    async def scenario(bench):
        arenas.append(bench.arenas)

        def on_stored(piece, arrival, good):
            raise ZeroDivisionError("a bug")

        bench.storing._on_stored = on_stored
        bench.bring(0)
        await asyncio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        play(scenario, p0=[True])
    assert arenas[0].in_use == 0
