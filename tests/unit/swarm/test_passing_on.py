from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.swarm.passing_on import HOARD, PassingOn


def give(passing: PassingOn, have: dict[int, int], peer: int, *pieces: int) -> None:
    for piece in pieces:
        passing.on_given(peer, 1 << piece)
        have[peer] |= 1 << piece


def test_who_passes_nothing_on_hoards() -> None:
    passing, have = PassingOn(), {1: 0, 2: 0}
    give(passing, have, 1, *range(HOARD))
    passing.look(have)
    assert not passing.hoarders
    give(passing, have, 1, HOARD)
    passing.look(have)
    assert passing.hoarders == {1}
    assert passing.kept_by_hoarders == have[1]


def test_a_hoarder_is_one_no_longer_when_others_have_its_pieces_of_it() -> None:
    passing, have = PassingOn(), {1: 0, 2: 0}
    give(passing, have, 1, *range(HOARD + 1))
    passing.look(have)
    assert passing.hoarders == {1}
    have[2] = have[1]
    passing.look(have)
    assert not passing.hoarders
    assert not passing.kept_by_hoarders


def test_what_the_seed_gave_again_proves_nothing() -> None:
    passing, have = PassingOn(), {1: 0, 2: 0, 3: 0}
    give(passing, have, 1, *range(HOARD + 1))
    passing.look(have)
    give(passing, have, 2, *range(HOARD + 1))
    have[3] = have[2]  # of the second, for all the seed knows
    passing.look(have)
    assert 1 in passing.hoarders


def test_who_is_gone_is_forgotten() -> None:
    passing, have = PassingOn(), {1: 0}
    give(passing, have, 1, *range(HOARD + 1))
    passing.look(have)
    passing.on_left(1)
    passing.look({})
    assert not passing.hoarders


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 15), st.booleans()), max_size=80))
def test_what_hoarders_keep_no_other_has(steps: list[tuple[int, int, bool]]) -> None:
    passing, have = PassingOn(), dict.fromkeys(range(6), 0)
    for peer, piece, by_us in steps:
        if by_us:
            give(passing, have, peer, piece)
        else:
            have[peer] |= 1 << piece
        passing.look(have)
        for other, mask in have.items():
            assert other in passing.hoarders or not mask & passing.kept_by_hoarders
            if other in passing.hoarders:
                assert mask.bit_count() > HOARD
