"""What a seed suggests: to each peer another piece, none that leechers have, and nothing once they have everything."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.swarm.spread import Spread

SIZE = 12


def mask_of(pieces):
    return sum(1 << (SIZE - 1 - piece) for piece in pieces)


def test_every_peer_is_told_another_piece():
    spread, rng = Spread(SIZE), random.Random(1)
    told = [spread.suggest(peer, 0, rng) for peer in range(SIZE)]
    assert sorted(told) == list(range(SIZE))
    assert spread.suggest(SIZE, 0, rng) is None


def test_nobody_is_told_of_what_leechers_have_or_others_ask_for():
    spread, rng = Spread(SIZE), random.Random(2)
    assert spread.on_request(0, 3)
    told = {spread.suggest(peer, mask_of([0, 1, 2]), rng) for peer in range(1, SIZE - 3)}
    assert told == set(range(4, SIZE))
    assert spread.suggest(50, mask_of([0, 1, 2]), rng) is None


def test_a_peer_is_told_of_the_next_piece_when_it_begins_with_one():
    spread, rng = Spread(SIZE), random.Random(3)
    first = spread.suggest(0, 0, rng)
    assert spread.suggest(0, 0, rng) is None  # it has not asked for that yet
    assert spread.on_request(0, first)
    second = spread.suggest(0, 0, rng)
    assert second not in {None, first}
    assert not spread.on_request(0, first)  # the next block of the same piece


def test_what_one_that_left_was_at_is_for_others():
    spread, rng = Spread(SIZE), random.Random(4)
    everything_but = [piece for piece in range(SIZE) if piece != 5]
    assert spread.suggest(0, mask_of(everything_but), rng) == 5
    assert spread.suggest(1, mask_of(everything_but), rng) is None
    spread.on_left(0)
    assert spread.suggest(1, mask_of(everything_but), rng) == 5


def test_nothing_is_suggested_once_leechers_have_everything():
    spread, rng = Spread(SIZE), random.Random(5)
    assert spread.suggest(0, mask_of(range(SIZE)), rng) is None


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, SIZE - 1)), max_size=60), st.integers())
def test_no_two_peers_are_told_of_one_piece_at_once(steps, seed):
    spread, rng = Spread(SIZE), random.Random(seed)
    has = set()
    told = {}
    for step, peer, piece in steps:
        match step:
            case 0:
                found = spread.suggest(peer, mask_of(has), rng)
                if found is not None:
                    assert found not in has
                    assert found not in {other for key, other in told.items() if key != peer}
                    told[peer] = found
            case 1 if peer in told:
                spread.on_request(peer, told[peer])
            case 2:
                has.add(piece)
                told = {key: other for key, other in told.items() if other != piece}
            case 3:
                spread.on_left(peer)
                told.pop(peer, None)
            case _:
                continue
