"""The budget: about a second of the limit, in even shares, more only while the limit is not used up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2p.ids import BLOCK_SIZE
from p2p.swarm.ask_budget import LEAST, AskBudget
from p2p.swarm.request_queue import QUEUE_TIME

limits = st.floats(1, 1e9)


def ask_all(budget: AskBudget, limit: float, peers: int) -> list[int]:
    """What each of `peers` is asked for, when each takes what it may in turn."""
    asked = [0] * peers
    for peer in range(peers):
        asked[peer] = budget.room(limit, asked=asked, own=0)
    return asked


@given(limit=limits, peers=st.integers(1, 200))
def test_together_peers_hold_some_seconds_of_the_limit_in_even_shares(limit: float, peers: int) -> None:
    budget = AskBudget()
    budget.on_tick(limit, outstanding=0, peers=peers, slack=False)
    asked = ask_all(budget, limit, peers)
    most = max(LEAST, int(limit * QUEUE_TIME / BLOCK_SIZE))
    assert sum(asked) <= most
    assert sum(asked) > most - peers or sum(asked) == most
    busy = [count for count in asked if count]
    assert max(busy) == min(busy)
    assert len(busy) == min(peers, most)
    assert [budget.room(limit, asked=asked, own=own) for own in busy] == [0] * len(busy)
    assert budget.room(limit, asked=[*asked, most + 50], own=most + 50) == 0


def test_nothing_is_asked_at_a_limit_of_nothing() -> None:
    assert AskBudget().room(0, asked=[0], own=0) == 0


def test_it_grows_while_what_is_asked_does_not_fill_the_limit_and_shrinks_back() -> None:
    limit, budget = 100_000.0, AskBudget()
    base = budget.room(limit, asked=[0], own=0)
    for _ in range(5):
        budget.on_tick(limit, outstanding=budget.room(limit, asked=[0], own=0), peers=1, slack=True)
    assert budget.room(limit, asked=[0], own=0) > 5 * base
    for _ in range(120):
        budget.on_tick(limit, outstanding=10, peers=1, slack=False)
    assert budget.room(limit, asked=[0], own=0) == base


def test_it_does_not_grow_while_there_is_nobody_to_ask() -> None:
    limit, budget = 100_000.0, AskBudget()
    base = budget.room(limit, asked=[0], own=0)
    for _ in range(100):
        budget.on_tick(limit, outstanding=0, peers=0, slack=True)
    assert budget.room(limit, asked=[0], own=0) == base


def test_what_slow_peers_still_hold_is_not_taken_from_the_share_of_a_fast_one() -> None:
    budget, limit = AskBudget(), 8.0 * BLOCK_SIZE / QUEUE_TIME
    budget.on_tick(limit, outstanding=8, peers=4, slack=False)
    assert budget.room(limit, asked=[3, 3, 3, 0], own=0) == 2
    assert budget.room(limit, asked=[3, 3, 3, 1], own=1) == 1
    assert budget.room(limit, asked=[3, 3, 3, 1], own=3) == 0


def test_what_was_too_little_is_tried_again_seldom() -> None:
    limit, budget = 1_000_000.0, AskBudget()
    little = budget.room(limit, asked=[0], own=0)
    budget.on_tick(limit, outstanding=little, peers=1, slack=True)
    for _ in range(15):
        budget.on_tick(limit, outstanding=little, peers=1, slack=False)
    assert budget.room(limit, asked=[0], own=0) > little
