"""Uploads: every block right and in the order asked, and no more memory held for a peer than some times its due."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.disk.piece_cache import UNIT, PieceCache
from p2p.ids import BLOCK_SIZE, Block
from p2p.session.scope import Scope
from p2p.session.uploads import PINNED_TIMES, Uploads
from p2p.simulation.virtual_loop import run

PIECES = 6
PIECE = 3 * UNIT // 2
CONTENT = random.Random(1).randbytes(PIECE + 7 * PIECES)
"""Piece n begins at 7 n."""


class Queue:
    """What of a connection machine uploads see: it holds all it is given."""

    def __init__(self):
        self.sent = []
        self.pending = 0

    def send_block(self, block, view):
        assert len(view) == block.length
        self.sent.append((block, view))
        self.pending += len(view)


class Asker:
    """A peer that asked for `blocks` and does not read."""

    key = 1

    def __init__(self, blocks):
        self.wire = Queue()
        self.uploads = dict.fromkeys(blocks)
        self.refill = None

    def flush(self):
        self.refill()


def serve(blocks, *, queued=1 << 30, budget=64 << 20):
    """The queue of a peer that asked for `blocks`, once nothing more moves, and how often content was read."""
    asker = Asker(blocks)
    reads = 0

    async def read(piece, begin, length):
        nonlocal reads
        reads += 1
        await asyncio.sleep(0.01)
        return CONTENT[7 * piece + begin :][:length]

    async def main():
        async with Scope() as scope:
            uploads = Uploads(
                torrent=b"t",
                cache=PieceCache(budget),
                read=read,
                piece_size=lambda piece: PIECE,
                scope=scope,
                on_error=None,
            )
            asker.refill = lambda: uploads.refill(asker, queued)
            asker.flush()
            await asyncio.sleep(60)

    run(main(), until=100.0)
    return asker.wire, reads


def pinned(queue):
    """Bytes of memory that what is queued keeps alive."""
    held = {}
    for _, view in queue.sent:
        held[id(memoryview(view).obj)] = len(memoryview(view).obj)
    return sum(held.values())


blocks = st.builds(
    lambda piece, begin, length: Block(piece, min(begin, PIECE - length), length),
    st.integers(0, PIECES - 1),
    st.integers(0, PIECE // BLOCK_SIZE).map(lambda number: number * BLOCK_SIZE) | st.integers(0, PIECE),
    st.just(BLOCK_SIZE) | st.integers(1, BLOCK_SIZE),
)
runs = st.builds(
    lambda piece, first, count: [
        Block(piece, number * BLOCK_SIZE, BLOCK_SIZE) for number in range(first, first + count)
    ],
    st.integers(0, PIECES - 1),
    st.integers(0, PIECE // BLOCK_SIZE - 40),
    st.integers(1, 40),
)
asked = st.lists(blocks.map(lambda block: [block]) | runs, min_size=1, max_size=12).map(
    lambda parts: list(dict.fromkeys(block for part in parts for block in part))
)


@settings(max_examples=60)
@given(asked, st.sampled_from([0, UNIT, 64 << 20]))
def test_blocks_are_served_right_in_order_and_hold_little(asked, budget):
    queue, _ = serve(asked, budget=budget)
    assert [block for block, _ in queue.sent] == asked
    for block, view in queue.sent:
        assert view == CONTENT[7 * block.piece + block.begin :][: block.length]
    # A span that fell out of the cache in the middle of a run is read anew, and held twice.
    assert pinned(queue) <= PINNED_TIMES * queue.pending + UNIT


def test_one_block_of_each_span_holds_no_spans():
    queue, reads = serve([Block(piece, begin, BLOCK_SIZE) for piece in range(PIECES) for begin in (0, UNIT)])
    assert reads == 2 * PIECES
    assert pinned(queue) == queue.pending


def test_what_is_asked_in_a_row_is_sent_without_a_copy():
    queue, reads = serve([Block(0, begin, BLOCK_SIZE) for begin in range(0, UNIT, BLOCK_SIZE)])
    assert reads == 1
    assert {id(view.obj) for _, view in queue.sent} == {id(queue.sent[0][1].obj)}


def test_no_more_is_queued_than_is_wanted_now():
    queue, _ = serve([Block(0, begin, BLOCK_SIZE) for begin in range(0, UNIT, BLOCK_SIZE)], queued=5 * BLOCK_SIZE)
    assert queue.pending == 5 * BLOCK_SIZE
