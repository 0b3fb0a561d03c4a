"""Blocks that follow each other land back to back, and whatever comes between them is read as if they had not."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import RemoteProtocolError
from p2p.wire.arena import ArenaPool
from p2p.wire.connection import Connection
from p2p.wire.events import BlockReceived, BlocksReceived, Event, HaveReceived

if TYPE_CHECKING:
    from collections.abc import Callable

    Fill = Callable[[list[memoryview], bytes], int]

FULL = 16_384
PIECES, PIECE = 20, 8 * FULL


def message(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def block(piece: int, begin: int, size: int = FULL) -> bytes:
    """A `piece` message whose content tells where it belongs."""
    return message(
        7, struct.pack(">II", piece, begin) + struct.pack(">HI", piece, begin) * (size // 6) + bytes(size % 6)
    )


def connection_over(arenas: ArenaPool) -> Connection:
    return Connection(
        piece_count=PIECES,
        piece_size=lambda _: PIECE,
        fast=True,
        extension=True,
        arenas=arenas,
        max_requests=10,
        now=0.0,
    )


def read(connection: Connection, fill: Fill, data: bytes, cuts: list[int]) -> list[Event]:
    events: list[Event] = []
    turn = 0
    while data:
        taken = fill(connection.receive_views(), data[: cuts[turn % len(cuts)]])
        events += connection.receive_data(taken, 0.0)
        data, turn = data[taken:], turn + 1
    return events


def content(event: BlockReceived) -> tuple[int, int, bytes]:
    assert event.view == event.arena.view[event.at : event.at + event.length]
    return event.piece, event.begin, bytes(event.view)


def train(piece: int, blocks: int, first: int = 0) -> bytes:
    return b"".join(block(piece, begin) for begin in range(first, first + blocks * FULL, FULL))


def test_a_whole_piece_lands_in_one_run(filled: Fill) -> None:
    arenas = ArenaPool()
    connection = connection_over(arenas)
    (first,) = read(connection, filled, block(0, 0), [1 << 20])
    (run,) = read(connection, filled, train(1, 8), [1 << 20])
    assert isinstance(run, BlocksReceived)
    assert (run.piece, run.begin, run.blocks) == (1, 0, 8)
    assert bytes(run.view) == b"".join(content(single)[2] for single in run.each())
    assert [content(single)[:2] for single in run.each()] == [(1, begin) for begin in range(0, PIECE, FULL)]
    first.arena.unpin()
    run.arena.unpin(8)
    assert arenas.in_use == 0


def test_a_run_ends_with_its_piece_and_where_a_block_is_left_out(filled: Fill) -> None:
    connection = connection_over(ArenaPool())
    read(connection, filled, block(0, 0), [1 << 20])
    data = train(1, 2, 6 * FULL) + train(2, 2) + train(2, 2, 4 * FULL)
    runs = [(run.piece, run.begin, run.blocks) for run in read(connection, filled, data, [1 << 20])]
    assert runs == [(1, 6 * FULL, 2), (2, 0, 2), (2, 4 * FULL, 2)]


def test_what_comes_between_blocks_is_read_in_its_place(
    filled: Fill, singled: Callable[[list[Event]], list[Event]]
) -> None:
    arenas = ArenaPool()
    connection = connection_over(arenas)
    data = train(0, 3) + message(4, struct.pack(">I", 9)) + train(0, 3, 3 * FULL) + bytes(4) + block(5, 100, 7_000)
    events = singled(read(connection, filled, block(3, 0) + data, [len(block(3, 0)), 1 << 20]))
    assert [type(event) for event in events] == [BlockReceived] * 4 + [HaveReceived] + [BlockReceived] * 4
    for event in events:
        if isinstance(event, BlockReceived):
            assert content(event)[2] == block(event.piece, event.begin, event.length)[13:]
            event.arena.unpin()
    assert arenas.in_use == 0


@pytest.mark.parametrize("wrong", [block(PIECES, 0), block(1, PIECE - 1), message(7, bytes(8 + FULL + 1))])
def test_a_block_outside_the_torrent_is_refused_in_a_train_too(filled: Fill, wrong: bytes) -> None:
    arenas = ArenaPool()
    connection = connection_over(arenas)
    (first,) = read(connection, filled, block(0, 0), [1 << 20])
    with pytest.raises(RemoteProtocolError):
        read(connection, filled, train(0, 2, FULL) + wrong, [1 << 20])
    connection.close()
    first.arena.unpin()
    assert arenas.in_use == 0


bits = st.one_of(
    st.builds(train, st.integers(0, PIECES - 1), st.integers(1, 6), st.integers(0, 2).map(lambda index: index * FULL)),
    st.builds(block, st.integers(0, PIECES - 1), st.integers(0, FULL), st.sampled_from([1, 5, 9_000, FULL - 1, FULL])),
    st.sampled_from([bytes(4), message(1), message(0), message(4, bytes(4)), message(20, b"\x09" + bytes(300))]),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(bits, max_size=8),
    st.lists(st.integers(1, 60) | st.integers(1, 300_000), min_size=1, max_size=6),
    st.sampled_from([65_536, 262_352]),
)
def test_any_cut_and_any_mixture_give_the_same_blocks(
    filled: Fill,
    singled: Callable[[list[Event]], list[Event]],
    messages: list[bytes],
    cuts: list[int],
    arena_size: int,
) -> None:
    data = b"".join(messages)
    outcomes = []
    for steps in ([1_500], [max(cuts)], cuts):
        arenas = ArenaPool(arena_size=arena_size)
        connection = connection_over(arenas)
        events = singled(read(connection, filled, data, steps))
        outcomes.append([content(event) if isinstance(event, BlockReceived) else event for event in events])
        for event in events:
            if isinstance(event, BlockReceived):
                event.arena.unpin()
        assert connection.payload_received == sum(
            len(one[2]) for one in outcomes[-1] if isinstance(one, tuple) and len(one) == 3
        )
        connection.close()
        assert arenas.in_use == 0
    assert outcomes[0] == outcomes[1] == outcomes[2]


@settings(deadline=None)
@given(
    st.lists(bits, max_size=8),
    st.lists(st.integers(1, 40) | st.sampled_from([2_048, FULL, FULL + 13, 70_000, 1 << 30]), min_size=1, max_size=6),
    st.integers(0, 60),
)
def test_a_limit_below_a_header_or_a_block_changes_nothing_and_closing_amid_a_train_loses_no_pin(
    filled: Fill, singled: Callable[[list[Event]], list[Event]], messages: list[bytes], limits: list[int], turns: int
) -> None:
    stream = block(0, 0) + b"".join(messages)
    whole = singled(read(connection_over(ArenaPool()), filled, stream, [1_500]))
    arenas = ArenaPool(arena_size=65_536)
    connection = connection_over(arenas)
    events: list[Event] = []
    data, turn = stream, 0
    while data and (turn < turns or limits[turn % len(limits)] > FULL):
        limit = limits[turn % len(limits)]
        views = connection.receive_views(limit)
        assert 0 < sum(map(len, views)) <= limit
        taken = filled(views, data)
        events += singled(connection.receive_data(taken, 0.0))
        data, turn = data[taken:], turn + 1
    connection.receive_views(limits[0])
    connection.close()
    told = [content(event) if isinstance(event, BlockReceived) else event for event in events]
    assert told == [content(event) if isinstance(event, BlockReceived) else event for event in whole[: len(told)]]
    assert data or len(told) == len(whole)
    for event in events:
        if isinstance(event, BlockReceived):
            event.arena.unpin()
    assert arenas.in_use == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 7), st.integers(0, 40_000)), min_size=1, max_size=30))
def test_blocks_that_are_kept_are_not_written_over(filled: Fill, portions: list[tuple[int, int]]) -> None:
    """However the reads fall, what one event shows stays until its pins are returned."""
    arenas = ArenaPool(arena_size=65_536)
    connection = connection_over(arenas)
    kept: list[tuple[Event, list[bytes]]] = []
    stream = b"".join(train(index % PIECES, count) for index, (count, _) in enumerate(portions))
    for event in read(connection, filled, stream, [1 + cut for _, cut in portions]):
        assert isinstance(event, (BlockReceived, BlocksReceived))
        kept.append((event, [bytes(event.view)]))
    for event, (before,) in kept:
        assert isinstance(event, (BlockReceived, BlocksReceived))
        assert bytes(event.view) == before
        assert before[:6] == struct.pack(">HI", event.piece, event.begin)
    spans = sorted((id(event.arena), event.at, event.at + len(event.view)) for event, _ in kept)  # type: ignore[union-attr]
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(spans))
