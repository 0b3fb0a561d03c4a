"""The rules of the picker, one story each. What must hold in any history is in the machine test beside this file."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import RemoteProtocolError
from p2p.ids import BLOCK_SIZE, Block
from p2p.swarm.bitfield import Bitfield
from p2p.swarm.piece_picker import RANDOM_FIRST, STALE_AFTER, PickMode, PiecePicker

BLOCKS = 8
PIECE = BLOCKS * BLOCK_SIZE


def picker_of(pieces, peers=0, *, had=0, seed=1):
    """A picker whose first `had` pieces are had and whose `peers` have everything."""
    picker = PiecePicker(pieces, lambda _: PIECE, rng=random.Random(seed))
    for piece in range(had):
        picker.on_piece_verified(piece)
    for peer in range(peers):
        picker.on_peer_joined(peer)
        picker.on_peer_have_all(peer)
    return picker


def join(picker, peer, pieces, size):
    field = Bitfield(size)
    for piece in pieces:
        field.add(piece)
    picker.on_peer_joined(peer)
    picker.on_peer_bitfield(peer, field)


def pieces_in(blocks):
    return list(dict.fromkeys(block.piece for block in blocks))


def receive_all(picker, peer, blocks):
    """Deliver blocks; whole pieces turn out good."""
    for block in blocks:
        if picker.on_block_received(peer, block).piece_complete:
            picker.on_piece_verified(block.piece)


def test_blocks_of_a_piece_come_in_order_with_the_short_last_one():
    picker = PiecePicker(1, lambda _: 2 * BLOCK_SIZE + 5, rng=random.Random(0))
    picker.on_peer_joined(0)
    picker.on_peer_have_all(0)
    assert picker.pick(0, 10) == [
        Block(0, 0, BLOCK_SIZE),
        Block(0, BLOCK_SIZE, BLOCK_SIZE),
        Block(0, 2 * BLOCK_SIZE, 5),
    ]


def test_the_rarest_piece_goes_first():
    picker = picker_of(20, had=RANDOM_FIRST)
    join(picker, 0, range(20), 20)
    for peer in range(1, 4):
        join(picker, peer, [piece for piece in range(20) if piece != 13], 20)
    assert picker.availability(13) == 1
    assert pieces_in(picker.pick(0, 1)) == [13]


def test_the_first_pieces_are_not_the_rarest_ones():
    first = Counter()
    for seed in range(60):
        picker = picker_of(20, seed=seed)
        join(picker, 0, range(20), 20)
        join(picker, 1, range(1, 20), 20)
        first.update(pieces_in(picker.pick(0, 1)))
    assert len(first) > 10


@pytest.mark.parametrize("rarest", range(20, 30))
def test_a_have_message_counts_from_the_next_pick_on(rarest):
    picker = picker_of(30, 1, had=RANDOM_FIRST)
    picker.on_peer_joined(1)
    started = pieces_in(picker.pick(0, 5 * BLOCKS))
    for piece in range(30):
        if piece != rarest:
            picker.on_peer_have(1, piece)
    assert rarest in started or pieces_in(picker.pick(0, BLOCKS)) == [rarest]


@pytest.mark.parametrize("rarest", range(20, 30))
def test_rarity_counts_once_the_first_pieces_are_had(rarest):
    picker = picker_of(30, had=RANDOM_FIRST - 1)
    join(picker, 0, range(30), 30)
    join(picker, 1, [piece for piece in range(30) if piece != rarest], 30)
    blocks = picker.pick(0, 5 * BLOCKS)
    receive_all(picker, 0, blocks[:BLOCKS])
    assert rarest in pieces_in(blocks) or pieces_in(picker.pick(0, BLOCKS)) == [rarest]


def test_equals_are_drawn_by_chance():
    started = Counter()
    for seed in range(200):
        started.update(pieces_in(picker_of(12, 1, had=RANDOM_FIRST, seed=seed).pick(0, 1)))
    assert set(started) == set(range(RANDOM_FIRST, 12))


def test_priority_comes_before_rarity_and_zero_is_never_asked():
    picker = picker_of(10, 2, had=RANDOM_FIRST)
    join(picker, 7, [9], 10)
    picker.set_priority(9, 6)
    picker.set_priority(5, 0)
    assert pieces_in(picker.pick(0, BLOCKS)) == [9]
    assert sorted(pieces_in(picker.pick(0, 1_000))) == [4, 6, 7, 8]
    assert picker.wanted_left == 5


def test_in_order():
    picker = picker_of(10, 2)
    picker.mode = PickMode.SEQUENTIAL
    picker.set_priority(6, 7)
    assert pieces_in(picker.pick(0, 3 * BLOCKS)) == [6, 0, 1]
    assert pieces_in(picker.pick(1, BLOCKS + 1)) == [2, 3]
    assert pieces_in(picker.pick(0, BLOCKS)) == [3, 4]


def test_a_peer_goes_on_with_its_own_piece():
    picker = picker_of(10, 3)
    own = {peer: picker.pick(peer, BLOCKS) for peer in range(3)}
    assert len({tuple(pieces_in(blocks)) for blocks in own.values()}) == 3
    for peer, blocks in own.items():
        for block in blocks[2:]:
            picker.on_request_dropped(peer, block)
    for peer, blocks in own.items():
        assert pieces_in(picker.pick(peer, 3)) == pieces_in(blocks)


def test_a_slow_peer_keeps_its_piece_between_single_requests():
    picker = picker_of(10, 1)
    block = picker.pick(0, 1)[0]
    for _ in range(BLOCKS - 1):
        picker.on_block_received(0, block)
        following = picker.pick(0, 1)[0]
        assert following.piece == block.piece
        block = following


def test_slow_peers_share_a_piece():
    picker = picker_of(10, 4)
    asked = [picker.pick(peer, 2) for peer in range(4)]
    assert len({block for blocks in asked for block in blocks}) == BLOCKS
    assert len({block.piece for blocks in asked for block in blocks}) == 1


def test_a_fast_peer_takes_a_whole_piece_of_its_own():
    picker = picker_of(10, 2)
    slow = picker.pick(0, 2)
    fast = picker.pick(1, BLOCKS)
    assert len(pieces_in(fast)) == 1
    assert pieces_in(fast) != pieces_in(slow)


def test_a_slow_peer_cannot_sit_on_a_piece():
    picker = picker_of(10, 2)
    slow = picker.pick(0, 2, now=100.0)
    fast = picker.pick(1, BLOCKS, now=100.0 + STALE_AFTER)
    assert fast[0].piece == slow[0].piece
    assert len(fast) == BLOCKS


def test_an_abandoned_piece_is_finished_first():
    picker = picker_of(10, 3)
    begun = picker.pick(0, 5)
    picker.on_block_received(0, begun[0])
    picker.on_peer_left(0)
    picked = picker.pick(1, BLOCKS)
    assert pieces_in(picked)[0] == begun[0].piece
    assert begun[0] not in picked


def test_the_number_of_open_pieces_stays_near_that_of_the_peers():
    size, peers = 400, 20
    picker = picker_of(size, peers)
    rng = random.Random(5)
    asked = {peer: [] for peer in range(peers)}
    begun = set()
    most = 0
    for _ in range(2_500):
        peer = rng.randrange(peers)
        for block in picker.pick(peer, rng.choice([1, 3, BLOCKS]) if len(asked[peer]) < 12 else 0):
            asked[peer].append(block)
            begun.add(block.piece)
        if asked[peer]:
            block = asked[peer].pop(0)
            if picker.on_block_received(peer, block).piece_complete:
                picker.on_piece_verified(block.piece)
                begun.discard(block.piece)
        most = max(most, len(begun))
    # Up to twenty blocks are under way to each peer: two and a half pieces even where nothing is shared.
    assert most <= 3 * peers


def test_dropped_blocks_are_asked_elsewhere_first():
    picker = picker_of(10, 2)
    blocks = picker.pick(0, 4)
    picker.on_block_received(0, blocks[0])
    for block in blocks[1:]:
        picker.on_request_dropped(0, block)
    assert set(picker.pick(1, 3)) == set(blocks[1:])


def test_a_piece_with_nothing_received_is_fresh_again_once_nobody_is_asked():
    picker = picker_of(1, 1)
    blocks = picker.pick(0, 3)
    for block in blocks:
        picker.on_request_dropped(0, block)
    picker.check_invariants()
    join(picker, 5, [0], 1)
    assert len(picker.pick(5, 100)) == BLOCKS


def test_endgame_asks_few_others_and_tells_whom_to_cancel():
    picker = picker_of(1, 5)
    first = picker.pick(0, BLOCKS)
    assert picker.endgame
    again = [picker.pick(peer, BLOCKS) for peer in range(1, 5)]
    assert [len(blocks) for blocks in again] == [BLOCKS, BLOCKS, 0, 0]
    assert picker.pick(0, BLOCKS) == []
    outcome = picker.on_block_received(1, first[0])
    assert outcome == (True, False, (0, 2))
    assert picker.on_block_received(0, first[0]) == (False, False, ())
    receive_all(picker, 2, first)
    assert picker.have.complete
    assert not picker.endgame
    picker.check_invariants()


def test_no_endgame_while_anything_is_left_to_ask():
    picker = picker_of(2, 2)
    picker.pick(0, BLOCKS)
    assert not picker.endgame
    picker.pick(0, BLOCKS)
    assert picker.endgame


def test_a_piece_that_nobody_has_does_not_hold_up_the_endgame():
    picker = picker_of(3)
    join(picker, 0, [0, 1], 3)
    join(picker, 1, [0], 3)
    picker.pick(0, 2 * BLOCKS)
    assert picker.endgame
    assert pieces_in(picker.pick(1, BLOCKS)) == [0]


def test_a_failed_piece_is_asked_anew():
    picker = picker_of(1, 2)
    blocks = picker.pick(0, BLOCKS)
    outcomes = [picker.on_block_received(0, block) for block in blocks]
    assert [outcome.piece_complete for outcome in outcomes] == [False] * (BLOCKS - 1) + [True]
    assert picker.pick(1, BLOCKS) == []
    picker.on_piece_failed(0)
    assert picker.pick(1, BLOCKS) == blocks
    assert picker.wanted_left == 1


def test_a_lost_piece_is_wanted_again():
    picker = picker_of(2, 1, had=2)
    assert not picker.interesting(0)
    picker.on_piece_lost(1)
    assert picker.interesting(0)
    assert pieces_in(picker.pick(0, 100)) == [1]


def test_a_late_block_opens_its_piece():
    picker = picker_of(4, 1)
    late = Block(2, BLOCK_SIZE, BLOCK_SIZE)
    assert picker.on_block_received(0, late) == (True, False, ())
    picked = picker.pick(0, BLOCKS - 1)
    assert pieces_in(picked) == [2]
    assert late not in picked


def test_allowed_pieces_limit_the_choice():
    picker = picker_of(10, 1, had=2)
    picked = picker.pick(0, 100, only=[1, 7, 7, 3, 12, -1])
    assert pieces_in(picked) == [7, 3]
    assert len(picked) == 2 * BLOCKS


def test_a_suggested_piece_is_preferred_within_its_priority():
    picker = picker_of(30, 1, had=RANDOM_FIRST)
    picker.on_suggested(0, 17)
    picker.on_suggested(0, 3)
    picker.set_priority(8, 5)
    assert pieces_in(picker.pick(0, 2 * BLOCKS)) == [8, 17]


def test_a_check_of_the_whole_content_at_once():
    picker = picker_of(100, 1)
    picker.pick(0, 3 * BLOCKS)
    good = Bitfield(100)
    for piece in range(0, 100, 2):
        good.add(piece)
    picker.on_pieces_verified(good)
    assert list(picker.have) == list(good)
    assert picker.wanted_left == 50
    picker.check_invariants()
    assert all(block.piece % 2 for block in picker.pick(0, 1_000))


def test_views():
    picker = picker_of(4, 1, had=1)
    join(picker, 1, [0, 1], 4)
    assert list(picker.availability_map()) == [2, 2, 1, 1]
    assert picker.distributed_copies() == pytest.approx(1.5)
    assert list(picker.peer_bitfield(1)) == [0, 1]
    assert picker.peer_bitfield(0).complete


def test_foreign_indices_are_refused():
    picker = picker_of(4, 1)
    for piece in (-1, 4, 1 << 31):
        with pytest.raises(RemoteProtocolError):
            picker.on_peer_have(0, piece)
        with pytest.raises(RemoteProtocolError):
            picker.on_suggested(0, piece)


def test_calls_that_are_bugs():
    picker = picker_of(4, 1)
    with pytest.raises(ValueError, match="in use"):
        picker.on_peer_joined(0)
    with pytest.raises(ValueError, match="bitfield of 5"):
        picker.on_peer_bitfield(0, Bitfield(5))
    with pytest.raises(ValueError, match="bitfield of 5"):
        picker.on_pieces_verified(Bitfield(5))
    with pytest.raises(ValueError, match="outside"):
        picker.set_priority(0, 8)
    with pytest.raises(ValueError, match="outside"):
        picker.set_priorities([4, 4, 4, 9])
    with pytest.raises(ValueError, match="3 priorities"):
        picker.set_priorities([4, 4, 4])
    with pytest.raises(ValueError, match="at least one"):
        PiecePicker(0, lambda _: 0, rng=random.Random())
    with pytest.raises(KeyError):
        picker.pick(9, 1)
    picker.check_invariants()


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=15, deadline=None)
def test_any_swarm_completes_the_same_way_for_the_same_seed(seed):
    def download():
        rng = random.Random(seed)
        size = rng.randrange(1, 60)
        picker = PiecePicker(size, lambda piece: PIECE - 7 * piece, rng=rng)
        picker.on_peer_joined(0)
        picker.on_peer_have_all(0)
        for peer in range(1, rng.randrange(2, 8)):
            join(picker, peer, [piece for piece in range(size) if rng.random() < 0.5], size)
        asked: list[tuple[int, Block]] = []
        trace = []
        while picker.wanted_left:
            peer = rng.choice([0, 0, 1])
            asked += [(peer, block) for block in picker.pick(peer, rng.randrange(1, 30))]
            for _ in range(rng.randrange(20)):
                if not asked:
                    break
                peer, block = asked.pop(rng.randrange(len(asked)))
                trace.append((peer, block))
                if rng.random() < 0.1:
                    picker.on_request_dropped(peer, block)
                    continue
                outcome = picker.on_block_received(peer, block)
                for other in outcome.cancel_at:
                    asked.remove((other, block))
                if outcome.piece_complete and rng.random() < 0.1:
                    picker.on_piece_failed(block.piece)
                elif outcome.piece_complete:
                    picker.on_piece_verified(block.piece)
        picker.check_invariants()
        assert not asked
        return trace

    assert download() == download()


def test_a_seed_among_leechers_is_asked_for_what_only_seeds_have():
    picker = picker_of(20, 1, had=RANDOM_FIRST)
    spread = range(10)
    join(picker, 1, spread, 20)
    (begun,) = pieces_in(picker.pick(1, 1))
    assert begun in spread
    # Neither what another began, nor a fresh piece that a leecher has: whether a whole piece fits in the queue or not.
    for count in (1, PIECE // BLOCK_SIZE):
        assert not set(pieces_in(picker.pick(0, count))) & {begun, *spread}
    left = [piece for piece in range(10, 20) if not picker.have[piece]]
    receive_all(picker, 0, [block for _ in left for block in picker.pick(0, PIECE // BLOCK_SIZE)])
    # With those done, it helps with what is begun.
    assert set(pieces_in(picker.pick(0, 3 * PIECE // BLOCK_SIZE))) & set(spread)


def test_among_seeds_alone_pieces_that_others_began_are_finished():
    picker = picker_of(20, 3, had=RANDOM_FIRST)
    (begun,) = pieces_in(picker.pick(0, 1))
    assert pieces_in(picker.pick(1, 1)) == [begun]
