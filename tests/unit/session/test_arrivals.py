"""Pieces on their way in: their content in order, and every buffer given back once."""

from __future__ import annotations

import random
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from p2p.ids import BLOCK_SIZE
from p2p.session.arrivals import Arrivals
from p2p.wire.arena import ArenaPool
from p2p.wire.events import BlockReceived, BlocksReceived

BLOCKS = 12
SIZE = BLOCKS * BLOCK_SIZE - 5_000


def sender(host):
    return SimpleNamespace(address=SimpleNamespace(host=host))


def land(arenas, first, count, content, at):
    """Blocks from number `first` on, in an arena of their own from its byte `at` on."""
    arena = arenas.take()
    begin, end = first * BLOCK_SIZE, min((first + count) * BLOCK_SIZE, SIZE)
    arena.view[at : at + end - begin] = content[begin:end]
    arena.pin(count - 1)
    view = arena.view[at : at + end - begin]
    if count == 1:
        return BlockReceived(0, begin, end - begin, view, arena, at)
    return BlocksReceived(0, begin, count, view, arena, at)


runs = st.integers(0, BLOCKS - 1).flatmap(
    lambda first: st.tuples(st.just(first), st.integers(1, BLOCKS - first), st.integers(0, 60_000))
)


@given(st.lists(runs, max_size=8), st.permutations(range(BLOCKS)), st.booleans())
def test_the_content_is_in_order_whoever_sent_what_twice(some, order, pressed):
    arenas = ArenaPool(arena_size=262_352, limit=0 if pressed else 1 << 30)
    arrivals = Arrivals(lambda _: SIZE, arenas)
    content = random.Random(1).randbytes(SIZE)
    told = {}
    for turn, (first, count, at) in enumerate([*some, *((index, 1, 0) for index in order)]):
        count_full = min(count, BLOCKS - 1 - first) or 1  # a run has full blocks, the piece's last one is short
        arrivals.add(land(arenas, first, count_full, content, at), sender(f"host {turn}"))
        told.update((index, f"host {turn}") for index in range(first, first + count_full))
    arrival = arrivals.take(0)
    assert b"".join(arrival.views()) == content
    evidence = {
        block.begin // BLOCK_SIZE: (bytes(view), block.length, host) for block, view, host in arrival.evidence()
    }
    assert evidence == {
        index: (content[index * BLOCK_SIZE :][:BLOCK_SIZE], min(BLOCK_SIZE, SIZE - index * BLOCK_SIZE), told[index])
        for index in range(BLOCKS)
    }
    arrival.release()
    arrivals.drop_all()
    assert arenas.in_use == 0


def test_runs_that_landed_back_to_back_are_one_view():
    arenas = ArenaPool()
    arrivals = Arrivals(lambda _: 4 * BLOCK_SIZE, arenas)
    arena = arenas.take()
    arena.pin(4)
    view = arena.view
    for index in (1, 0):
        at = index * 2 * BLOCK_SIZE
        arrivals.add(BlocksReceived(0, at, 2, view[at : at + 2 * BLOCK_SIZE], arena, at), sender("host"))
    arrival = arrivals.take(0)
    assert [len(view) for view in arrival.views()] == [4 * BLOCK_SIZE]
    arrival.release()
    arena.unpin()
    assert arenas.in_use == 0
