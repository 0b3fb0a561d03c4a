"""A graph of a rate over time: a title with figures, columns, an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from p2p.quantities import format_duration, format_rate, format_size
from tui.plot import bars, columns_for, scale_of, series_columns
from tui.safe_text import fit, fit_right

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.own_facts import RateSeries

_LABEL: Final = 9
"""Cells at the left for what a height means."""


class RateGraph(Widget):
    """`title` stands before the figures. Only the lines that are seen are made."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"graph--title", "graph--bar", "graph--axis"}

    def __init__(self, title: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._title = title
        self._series: RateSeries | None = None
        self._values: Sequence[float] = ()
        self._span = 1

    def show_rates(self, series: RateSeries | None, values: Sequence[float], span: int) -> None:
        """The values of a series, the newest last, on an axis of `span` steps; None where nothing is known."""
        self._series, self._values, self._span = series, values[-span:], max(1, span)
        self.refresh()

    def _lines(self) -> list[tuple[str, str]]:
        width, height = self.size.width, self.size.height
        if self._series is None or not self._values:
            return [(f"{self._title}  nothing has moved lately", "graph--title")]
        peak, mean = max(self._values), sum(self._values) / len(self._values)
        title = (
            f"{self._title} {format_rate(self._values[-1])}  peak {format_rate(peak)}  mean {format_rate(mean)}"
            f"  last {format_duration(len(self._values) * self._series.interval)}"
        )
        room = max(1, width - _LABEL - 1)
        columns = series_columns(self._series, self._values, room, self._span)
        top = scale_of(max(columns, default=0.0))
        rows = bars(columns, room, height - 2, top)
        labels = {0: top, len(rows) // 2: top / 2} if len(rows) > 3 else {0: top}
        lines = [(title, "graph--title")]
        for number, row in enumerate(rows):
            label = format_size(labels[number]) if number in labels else ""
            lines.append((f"{fit_right(label, _LABEL)}│{row}", "graph--bar"))
        past = format_duration(self._span * self._series.interval)
        before = "─" * max(0, room - columns_for(self._span, room))  # a column is a whole number of steps
        lines.append((" " * _LABEL + "└" + f"{before}{past} ago".ljust(max(0, room - 3), "─") + "now", "graph--axis"))
        return lines

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        lines = self._lines()
        if y >= len(lines):
            return Strip.blank(width, self.rich_style)
        text, name = lines[y]
        style = self.get_component_rich_style(name)
        if name == "graph--bar":
            axis = self.get_component_rich_style("graph--axis")
            return Strip(
                [Segment(text[: _LABEL + 1], axis), Segment(fit(text[_LABEL + 1 :], width - _LABEL - 1), style)]
            )
        return Strip([Segment(fit(text, width), style)], width)
