"""Rates over time as columns of block characters. Pure.

The rule: a column stands for the same steps for as long as it is seen, so that a graph moves to the left and never
flickers: columns are bounded by whole multiples of time, not by the newest step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.own_facts import RateSeries

EIGHTHS: Final = " ▁▂▃▄▅▆▇█"

_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def scale_of(most: float) -> int:
    """The upper end of an axis for values up to `most` bytes a second: a round number, at least 1 KiB."""
    unit = 1024
    while True:
        for step in _STEPS:
            if most <= step * unit:
                return step * unit
        unit *= 1024


def columns_for(span: int, columns: int) -> int:
    """How many of at most `columns` columns `span` steps take."""
    return -(-span // _group(span, columns))


def _group(span: int, columns: int) -> int:
    return max(1, -(-span // max(1, columns)))


def columns_of(values: Sequence[float], first: int, columns: int, span: int) -> list[float]:
    """Means of `values` in at most `columns` columns for `span` steps, the newest last. `first` is the number of the
    first value's step, counted from any beginning that stays."""
    group = _group(span, columns)
    means: list[float] = []
    at = 0
    while at < len(values):
        end = min(len(values), at + group - (first + at) % group)
        means.append(sum(values[at:end]) / (end - at))
        at = end
    return means[-columns:] if columns > 0 else []


def series_columns(series: RateSeries, values: Sequence[float], columns: int, span: int) -> list[float]:
    """The same of a series that a daemon tells."""
    interval = series.interval if series.interval > 0 else 1.0
    return columns_of(values, max(0, int(series.end // interval) - len(values)), columns, span)


def bars(values: Sequence[float], width: int, height: int, top: float) -> list[str]:
    """Lines of `width` cells, the uppermost first; the newest value stands at the right. What is anything at all is
    seen."""
    if height <= 0 or width <= 0:
        return []
    filled = []
    for value in values[-width:]:
        eighths = int(8 * height * min(1.0, max(0.0, value) / top)) if top > 0 else 0
        filled.append(max(1, eighths) if value > 0 else 0)
    pad = " " * (width - len(filled))
    return [
        pad + "".join(EIGHTHS[min(8, max(0, each - 8 * row))] for each in filled) for row in range(height - 1, -1, -1)
    ]
