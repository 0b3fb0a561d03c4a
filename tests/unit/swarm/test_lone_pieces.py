"""A piece that failed with several senders is sent by one at a time, so that the liar has no one to hide behind."""

from __future__ import annotations

import random

import pytest

from p2p.ids import BLOCK_SIZE
from p2p.swarm.bitfield import Bitfield
from p2p.swarm.piece_picker import PiecePicker

BLOCKS = 8


def picker_of(pieces, peers):
    picker = PiecePicker(pieces, lambda _: BLOCKS * BLOCK_SIZE, rng=random.Random(1))
    for peer in range(peers):
        picker.on_peer_joined(peer)
        picker.on_peer_have_all(peer)
    return picker


@pytest.fixture
def failed():
    """One piece, sent by peers 0 and 1, that failed; peer 2 has sent nothing."""
    picker = picker_of(1, 3)
    for turn in range(BLOCKS):
        (block,) = picker.pick(turn % 2, 1, now=100.0 * turn)
        picker.on_block_received(turn % 2, block)
    picker.on_piece_failed(0)
    picker.on_sender_sought(0)
    return picker


def test_whoever_begins_goes_on_alone(failed):
    first = failed.pick(1, 2, now=1_000.0)
    assert len(first) == 2
    for now in (1_000.0, 2_000.0):
        assert failed.pick(0, 8, now=now) == failed.pick(2, 8, now=now) == []
        failed.check_invariants()
    rest = failed.pick(1, 8, now=2_000.0)
    assert len(rest) == BLOCKS - 2
    assert failed.pick(0, 8, now=3_000.0) == []
    outcomes = [failed.on_block_received(1, block) for block in first + rest]
    assert outcomes[-1].piece_complete
    failed.on_piece_verified(0)
    assert failed.have == Bitfield.from_bytes(b"\x80", 1)
    failed.check_invariants()


@pytest.mark.parametrize("end", ["leaves", "drops"])
def test_when_the_sender_gives_up_another_begins_anew(failed, end):
    asked = failed.pick(1, 4, now=1_000.0)
    failed.on_block_received(1, asked[0])
    if end == "leaves":
        failed.on_peer_left(1)
    else:
        for block in asked[1:]:
            failed.on_request_dropped(1, block)
    failed.check_invariants()
    assert len(failed.pick(2, 8, now=1_001.0)) == BLOCKS
    assert failed.pick(0, 8, now=1_001.0) == []
    failed.check_invariants()


def test_blocks_that_come_late_from_others_do_not_mix_in(failed):
    (block,) = failed.pick(1, 1, now=1_000.0)
    assert not failed.on_block_received(0, block).new
    failed.on_request_dropped(1, block)
    assert not failed.on_block_received(0, block).new
    assert len(failed.pick(0, 8, now=1_000.0)) == BLOCKS
    failed.check_invariants()


def test_a_piece_that_verified_is_shared_again_if_it_is_ever_lost(failed):
    for block in failed.pick(1, 8, now=1_000.0):
        failed.on_block_received(1, block)
    failed.on_piece_verified(0)
    failed.on_piece_lost(0)
    failed.pick(1, 1, now=2_000.0)
    assert failed.pick(2, 1, now=3_000.0)
    failed.check_invariants()


def test_other_pieces_are_shared_as_ever():
    picker = picker_of(2, 2)
    picker.on_sender_sought(0)
    senders = {0: set(), 1: set()}
    for turn in range(4 * BLOCKS):
        for block in picker.pick(turn % 2, 1, now=100.0 * turn):
            senders[block.piece].add(turn % 2)
    assert len(senders[0]) == 1
    assert len(senders[1]) == 2
    picker.check_invariants()


def test_who_stalls_cannot_hold_the_last_piece_for_ever(failed):
    """The same peer may be the first to be asked again, and again say nothing: then the others are asked too."""
    for _ in range(2):
        (block,) = failed.pick(2, 1, now=1_000.0)
        assert failed.pick(0, 8, now=1_000.0) == []
        failed.on_request_dropped(2, block)
    (block,) = failed.pick(2, 1, now=2_000.0)
    assert len(failed.pick(0, BLOCKS, now=2_000.0)) == BLOCKS - 1
    assert failed.pick(1, 1, now=2_000.0) != []
    failed.check_invariants()
