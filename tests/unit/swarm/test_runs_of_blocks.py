"""Blocks told of as a run mean what they mean one by one, to the picker and to the request queue."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.ids import BLOCK_SIZE, Block
from p2p.swarm.piece_picker import PiecePicker
from p2p.swarm.request_queue import RequestQueue

BLOCKS = 6


def picker_asking(count):
    """A picker of two pieces that asked `count` blocks of peer 0, and what it asked."""
    picker = PiecePicker(2, lambda _: BLOCKS * BLOCK_SIZE, rng=random.Random(1))
    for peer in (0, 1):
        picker.on_peer_joined(peer)
        picker.on_peer_have_all(peer)
    return picker, picker.pick(0, count, now=0.0)


def run_of(piece, first, count):
    return [Block(piece, index * BLOCK_SIZE, BLOCK_SIZE) for index in range(first, first + count)]


@given(st.integers(0, BLOCKS - 1).flatmap(lambda first: st.tuples(st.just(first), st.integers(1, BLOCKS - first))))
def test_a_run_that_was_asked_is_its_blocks(span):
    first, count = span
    at_once, blocks = picker_asking(BLOCKS)
    singly, same = picker_asking(BLOCKS)
    assert blocks == same
    piece = blocks[0].piece
    complete = at_once.on_run_received(0, piece, first * BLOCK_SIZE, count)
    outcomes = [singly.on_block_received(0, block) for block in run_of(piece, first, count)]
    assert complete is outcomes[-1].piece_complete is (count == BLOCKS)
    for picker in (at_once, singly):
        picker.check_invariants()
        if complete:
            picker.on_piece_verified(piece)
    assert at_once.pick(0, 20, now=1.0) == singly.pick(0, 20, now=1.0)
    assert at_once.pick(1, 20, now=1.0) == singly.pick(1, 20, now=1.0)
    for picker in (at_once, singly):
        picker.check_invariants()


@pytest.mark.parametrize(
    ("peer", "first", "count", "begin"),
    [(1, 0, 2, 0), (0, 3, 2, 0), (0, 4, 3, 0), (0, 0, 2, 1), (0, 5, 2, 0)],
    ids=["of another peer", "asked in part", "not asked", "at an odd place", "past the end"],
)
def test_a_run_that_was_not_asked_so_changes_nothing(peer, first, count, begin):
    picker, blocks = picker_asking(4)
    assert picker.on_run_received(peer, blocks[0].piece, first * BLOCK_SIZE + begin, count) is None
    picker.check_invariants()
    other, _ = picker_asking(4)
    assert picker.pick(1, 20, now=1.0) == other.pick(1, 20, now=1.0)


def test_a_run_in_endgame_is_told_block_by_block():
    picker, blocks = picker_asking(2 * BLOCKS)
    twice = picker.pick(1, 3, now=1.0)
    assert set(twice) <= set(blocks)
    piece = twice[0].piece
    assert picker.on_run_received(0, piece, 0, BLOCKS) is None


@given(st.integers(1, 40), st.floats(0.01, 30.0))
def test_the_queue_grows_by_a_run_as_by_its_blocks(count, seconds):
    blocks = run_of(0, 0, count)
    at_once, singly = RequestQueue(limit=60), RequestQueue(limit=60)
    for queue in (at_once, singly):
        queue.on_requested(blocks, 0.0)
    at_once.on_blocks(blocks, count, count * BLOCK_SIZE, seconds)
    for block in blocks:
        singly.on_block(block, seconds)
    for queue in (at_once, singly):
        assert queue.outstanding == 0
    assert at_once.room(seconds) == pytest.approx(singly.room(seconds), abs=1)
    assert at_once.depth == pytest.approx(singly.depth, abs=1)


def test_a_run_that_was_not_asked_is_our_bug():
    queue = RequestQueue()
    queue.on_requested(run_of(0, 0, 2), 0.0)
    with pytest.raises(KeyError):
        queue.on_blocks(run_of(0, 0, 3), 3, 3 * BLOCK_SIZE, 1.0)
