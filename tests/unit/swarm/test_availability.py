"""Upright counting against a plain list of counters; and the draw of pieces out of a mask."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.swarm.availability import Availability
from p2p.swarm.bitfield import pieces_of
from p2p.swarm.draw import first_pieces, random_pieces

SIZE = 41
masks = st.integers(0, (1 << SIZE) - 1)


@given(st.lists(masks, max_size=40), st.lists(st.integers(0, 39)), st.integers(0, 3), masks)
def test_counts_after_peers_came_and_went(came, gone, seeds, choice):
    availability = Availability(SIZE)
    counts = [seeds] * SIZE
    for _ in range(seeds):
        availability.add_seed()
    for mask in came:
        availability.add(mask)
    left = list(came)
    for at in gone:
        if at < len(left):
            availability.remove(left.pop(at))
    for mask in left:
        for piece in pieces_of(mask, SIZE):
            counts[piece] += 1
    assert list(availability.counts()) == counts
    assert [availability.of(piece) for piece in range(SIZE)] == counts
    assert pieces_of(availability.anywhere(), SIZE) == [piece for piece in range(SIZE) if counts[piece]]
    among = [count - seeds for count in counts]
    assert pieces_of(availability.among_leechers(), SIZE) == [piece for piece in range(SIZE) if among[piece]]
    assert pieces_of(availability.held_once(), SIZE) == [piece for piece in range(SIZE) if among[piece] == 1]
    chosen = pieces_of(choice, SIZE)
    least = min((counts[piece] for piece in chosen), default=0)
    assert pieces_of(availability.rarest(choice), SIZE) == [piece for piece in chosen if counts[piece] == least]


@given(st.lists(masks, max_size=9), st.integers(0, 2), masks)
def test_distributed_copies(came, seeds, own):
    availability = Availability(SIZE)
    for mask in came:
        availability.add(mask)
    for _ in range(seeds):
        availability.add_seed()
    counts = Counter(dict.fromkeys(range(SIZE), seeds))
    for mask in [*came, own]:
        counts.update(pieces_of(mask, SIZE))
    least = min(counts.values())
    expected = least + sum(count > least for count in counts.values()) / SIZE
    assert abs(availability.copies(own) - expected) < 1e-9
    assert list(availability.counts()) == [counts[i] - bool(own >> (SIZE - 1 - i) & 1) for i in range(SIZE)]


def test_more_peers_than_a_byte_counts():
    availability = Availability(9)
    for _ in range(1_000):
        availability.add(0b101010101)
    availability.add_seed()
    assert list(availability.counts()) == [1_001, 1] * 4 + [1_001]
    for _ in range(1_000):
        availability.remove(0b101010101)
    availability.remove_seed()
    assert list(availability.counts()) == [0] * 9
    assert availability.seeds == 0


def test_nothing_to_count():
    availability = Availability(0)
    assert list(availability.counts()) == []
    assert availability.copies(0) == 0.0


@given(masks, st.integers(0, 50), st.integers())
def test_drawn_pieces_are_different_and_of_the_mask(mask, count, seed):
    pieces = pieces_of(mask, SIZE)
    assert first_pieces(mask, SIZE, count) == pieces[:count]
    drawn = random_pieces(mask, SIZE, count, random.Random(seed))
    assert len(drawn) == len(set(drawn)) == min(count, len(pieces))
    assert set(drawn) <= set(pieces)
    assert drawn == random_pieces(mask, SIZE, count, random.Random(seed))


@given(st.sets(st.integers(0, SIZE - 1), min_size=2, max_size=10), st.integers())
@settings(max_examples=20)
def test_every_piece_is_as_likely_as_any_other(pieces, seed):
    mask = sum(1 << (SIZE - 1 - piece) for piece in pieces)
    rng = random.Random(seed)
    draws = 200 * len(pieces)
    seen = Counter(random_pieces(mask, SIZE, 1, rng)[0] for _ in range(draws))
    # 200 expected with a deviation of at most 14: seven deviations off would be a wrong draw, not bad luck.
    assert all(100 < seen[piece] < 300 for piece in pieces)
