"""Figures of statistics that reports are made of: percentiles, Jain's index, Spearman's rank correlation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float | None:
    """The least value that at least `share` (0 to 1) of all values do not pass; None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def median(values: Sequence[float]) -> float | None:
    """The middle one, or the mean of the middle two; None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


def jain(values: Sequence[float]) -> float | None:
    """Jain's fairness index: 1 where all values are equal, 1/n where one has everything; None of nothing."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else None


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """The correlation of ranks, -1 to 1; equals share their mean rank. None where one side is all equal."""
    ranks, others = _ranks(one), _ranks(other)
    mean = (len(ranks) + 1) / 2
    spread = math.sqrt(sum((rank - mean) ** 2 for rank in ranks) * sum((rank - mean) ** 2 for rank in others))
    if not spread:
        return None
    return sum((rank - mean) * (theirs - mean) for rank, theirs in zip(ranks, others, strict=True)) / spread


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for place in order[begin:end]:
            ranks[place] = (begin + end + 1) / 2
        begin = end
    return ranks
