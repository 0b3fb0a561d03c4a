"""Slots in the beginning: as many as there are pieces to give, one more a second, and soon any number."""

from __future__ import annotations

from p2p.swarm.opening import ENOUGH, Opening


def test_slots_open_with_what_there_is_to_give():
    opening = Opening()
    assert [opening.most(pieces, 5.0) for pieces in (0, 1, 2, 3, 9)] == [0, 0, 1, 2, 8]


def test_time_opens_slots_as_well():
    opening = Opening()
    assert [opening.most(1, 100.0 + seconds) for seconds in (0.0, 0.9, 1.0, 2.5, 7.0)] == [0, 0, 1, 2, 7]
    assert opening.running


def test_it_ends_and_holds_nothing_back_from_then_on():
    opening = Opening()
    opening.most(0, 10.0)
    assert opening.most(0, 10.0 + ENOUGH) is None
    assert not opening.running
    assert opening.most(0, 10.0 + ENOUGH) is None
