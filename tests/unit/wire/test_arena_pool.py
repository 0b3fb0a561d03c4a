"""Arenas: pinned while somebody looks, reused hottest first, never refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import LocalProtocolError
from p2p.wire.arena import Arena, ArenaPool


def test_the_last_arena_returned_is_the_first_taken() -> None:
    pool = ArenaPool()
    first, second = pool.take(), pool.take()
    first.unpin()
    second.unpin()
    assert pool.take() is second
    assert pool.take() is first


def test_an_arena_stays_out_until_its_last_pin_is_gone() -> None:
    pool = ArenaPool()
    arena = pool.take()
    arena.pin(2)
    arena.unpin()
    arena.unpin()
    assert pool.in_use == pool.arena_size
    assert pool.take() is not arena
    arena.unpin()
    assert pool.in_use == pool.arena_size
    assert pool.take() is arena


def test_beyond_its_limit_the_pool_says_so_and_goes_on() -> None:
    pool = ArenaPool(arena_size=65_536, limit=131_072)
    arenas = [pool.take() for _ in range(2)]
    assert not pool.pressed
    arenas.append(pool.take())
    assert pool.pressed
    arenas.pop().unpin()
    assert not pool.pressed


def test_idle_arenas_are_kept_up_to_a_bound() -> None:
    pool = ArenaPool(arena_size=65_536, idle_limit=131_072)
    arenas = [pool.take() for _ in range(5)]
    for arena in arenas:
        arena.unpin()
    again = [pool.take() for _ in range(5)]
    assert sum(any(arena is known for known in arenas) for arena in again) == 2


def test_one_unpin_too_many_is_our_bug() -> None:
    arena = ArenaPool().take()
    arena.unpin()
    with pytest.raises(LocalProtocolError):
        arena.unpin()


def test_an_arena_too_small_for_a_message_and_a_read_is_refused() -> None:
    with pytest.raises(ValueError):
        ArenaPool(arena_size=65_535)


def test_the_view_is_the_buffer() -> None:
    arena = ArenaPool().take()
    arena.view[3:6] = b"abc"
    assert arena.buffer[3:6] == b"abc"


@given(st.lists(st.sampled_from(["take", "pin", "unpin"]), max_size=60))
def test_bytes_in_use_are_those_of_pinned_arenas(steps: list[str]) -> None:
    pool = ArenaPool(arena_size=65_536)
    pinned: list[Arena] = []
    for step in steps:
        if step == "take":
            pinned.append(pool.take())
        elif step == "pin" and pinned:
            pinned[0].pin()
            pinned.append(pinned[0])
        elif step == "unpin" and pinned:
            pinned.pop().unpin()
        distinct = {id(arena) for arena in pinned}
        assert pool.in_use == len(distinct) * 65_536
        assert all(arena.pins == sum(one is arena for one in pinned) for arena in pinned)
