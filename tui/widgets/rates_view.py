"""Rates both ways over time, one graph above the other, on one of the spans that a daemon keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.containers import Vertical
from textual.widgets import Static

from tui.widgets.graph import RateGraph

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from p2p.daemon.own_facts import RateHistory, RateSeries

SHORTEST: Final = 120
"""Steps that an axis has at least: a history that has just begun is not blown up."""


class RatesView(Vertical):
    """`zoom` goes on to the next span."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._series: tuple[RateSeries, ...] = ()
        self._span = 0

    def compose(self) -> ComposeResult:
        yield Static("z: another span", id="rates-note", markup=False)
        yield RateGraph("▼ down", id="down")
        yield RateGraph("▲ up", id="up")

    def take(self, history: RateHistory, note: str = "") -> None:
        """`note` says where it comes from, where that is not the daemon's own record."""
        self._series = history.series
        self.query_one("#rates-note", Static).update("   ".join(filter(None, ("z: another span", note))))
        self._draw()

    def zoom(self) -> None:
        self._span += 1
        self._draw()

    def _draw(self) -> None:
        series = self._series[self._span % len(self._series)] if self._series else None
        for name in ("down", "up"):
            values = () if series is None else series.down if name == "down" else series.up
            self.query_one(f"#{name}", RateGraph).show_rates(series, values, max(SHORTEST, len(values)))
