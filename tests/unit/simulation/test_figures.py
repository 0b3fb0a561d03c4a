"""The figures of reports, against values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.simulation.bound import fluid_bound
from p2p.simulation.figures import jain, median, percentile, spearman


def test_percentiles_and_medians():
    assert median([]) is percentile([], 0.95) is None
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([4.0, 1.0, 2.0, 3.0]) == 2.5
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.95) == 95.0
    assert percentile(values, 1.0) == 100.0
    assert percentile([7.0], 0.0) == 7.0


def test_jains_index():
    assert jain([]) is None
    assert jain([5.0, 5.0, 5.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_ranks_that_agree_disagree_and_tie():
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [30, 20, 10]) == pytest.approx(-1.0)
    assert spearman([1, 1, 2, 2], [1, 1, 2, 2]) == pytest.approx(1.0)
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert spearman([1, 1, 1], [1, 2, 3]) is None


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30))
def test_rank_correlation_stays_in_its_range_and_has_no_sides(pairs):
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found = spearman(one, other)
    assert found == spearman(other, one) or found == pytest.approx(spearman(other, one))
    assert found is None or -1.000001 <= found <= 1.000001


def test_the_fluid_bound_is_its_largest_term():
    # The seed alone; the slowest downlink; all uplinks together.
    assert fluid_bound(100, [10], [10, 10], [50, 50]) == 10.0
    assert fluid_bound(100, [100], [100], [5]) == 20.0
    assert fluid_bound(100, [20], [0, 0, 20], [None, None, None]) == pytest.approx(7.5)
    assert fluid_bound(100, [None], [None], [25]) == 4.0
