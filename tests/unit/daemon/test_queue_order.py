"""The order of the queue: moves keep the positions whole, and tell whose is another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.daemon.ports import Step
from p2p.daemon.queue_order import QueueOrder

KEYS = st.permutations(range(8))
CHOSEN = st.sets(st.integers(0, 9))


def order_of(keys):
    order = QueueOrder()
    for key in keys:
        order.append(key)
    return order


def check(order, before, changed, chosen):
    after = list(order)
    assert sorted(after) == sorted(before)
    assert [order.position(key) for key in after] == list(range(len(after)))
    assert set(changed) == {key for key in before if before.index(key) != after.index(key)}
    for group in ([key for key in before if key in chosen], [key for key in before if key not in chosen]):
        assert [key for key in after if key in group] == group  # neither those moved nor the others change places


@given(KEYS, CHOSEN, st.sampled_from(Step))
def test_a_move_keeps_both_orders_and_tells_whose_position_is_another(keys, chosen, step):
    order = order_of(keys)
    check(order, list(keys), order.move(chosen, step), chosen)


@given(KEYS, CHOSEN, st.integers(0, 12))
def test_a_position_is_where_the_first_comes_to_stand(keys, chosen, position):
    order = order_of(keys)
    check(order, list(keys), order.place(chosen, position), chosen)
    moved = [key for key in keys if key in chosen]
    if moved:
        assert order.position(moved[0]) == min(position, len(keys) - len(moved))


@given(KEYS, CHOSEN)
def test_those_behind_a_torrent_that_goes_move_up(keys, chosen):
    order = order_of(keys)
    before = list(keys)
    changed = order.remove(chosen)
    after = [key for key in before if key not in chosen]
    assert list(order) == after
    assert set(changed) == {key for key in after if after.index(key) != before.index(key)}


@given(KEYS, st.lists(st.integers(0, 12)))
def test_an_order_that_was_kept_holds_for_who_is_there(keys, kept):
    order = order_of(keys)
    order.arrange(kept)
    named = [key for key in dict.fromkeys(kept) if key in keys]
    assert list(order) == named + [key for key in keys if key not in named]


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (Step.TOP, [2, 4, 5, 1, 3]),
        (Step.UP, [2, 1, 4, 5, 3]),
        (Step.DOWN, [1, 3, 2, 4, 5]),
        (Step.BOTTOM, [1, 3, 2, 4, 5]),
    ],
)
def test_several_torrents_move_as_one(step, after):
    order = order_of([1, 2, 3, 4, 5])
    order.move([5, 4, 2], step)
    assert list(order) == after


def test_who_stands_at_the_end_stays_there():
    order = order_of([1, 2, 3])
    assert order.move([1, 2], Step.UP) == ()
    assert order.move([3], Step.DOWN) == ()
    with pytest.raises(KeyError):
        order.position(9)
