"""A map of pieces: cells of a character and a style, in as many lines as there is room for."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.safe_text import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.pieces import Cell, Pieces


class PieceMapView(Widget):
    """`cells` makes them of the pieces for as many cells as there are; `title` is the line above."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "piece--title",
        "piece--here",
        "piece--some",
        "piece--rare",
        "piece--none",
        "piece--lost",
    }

    def __init__(
        self,
        title: str,
        cells: Callable[[Pieces, int], Sequence[Cell]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        super().__init__(id=id)
        self._title = title
        self._make = cells
        self._pieces: Pieces | None = None
        self._cells: Sequence[Cell] = ()

    def show_pieces(self, pieces: Pieces | None) -> None:
        if pieces != self._pieces:
            self._pieces = pieces
            self._fill()

    def on_resize(self) -> None:
        self._fill()

    def _fill(self) -> None:
        room = self.size.width * (self.size.height - 1)
        self._cells = () if self._pieces is None else self._make(self._pieces, room)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return Strip([Segment(fit(self._title, width), self.get_component_rich_style("piece--title"))], width)
        line = self._cells[(y - 1) * width : y * width]
        parts = [
            Segment("".join(sign for sign, _ in run), self.get_component_rich_style(name))
            for name, run in groupby(line, itemgetter(1))
        ]
        return Strip(parts, len(line)).extend_cell_length(width, self.rich_style)
