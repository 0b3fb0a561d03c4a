"""A line of figures, of which those stay that there is room for; or a text in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.figures import fitted
from tui.safe_text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.figures import Figure


class FiguresLine(Widget):
    """One line high."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "figure--bad",
        "figure--warn",
        "figure--faint",
        "figure--down",
        "figure--up",
    }

    def __init__(self, text: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._text = text
        self._figures: Sequence[Figure] = ()

    def say(self, text: str) -> None:
        """In place of figures, until it is empty."""
        if text != self._text:
            self._text = text
            self.refresh()

    def show(self, figures: Sequence[Figure]) -> None:
        if figures != self._figures:
            self._figures = figures
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, style = self.size.width, self.rich_style
        if y or self._text:
            return Strip([Segment(fit("" if y else self._text, width), style)], width)
        segments: list[Segment] = []
        left = width
        for figure in fitted(self._figures, width):
            text = " " * (figure.gap if segments else 0) + figure.text
            cells = Segment(text).cell_length
            if cells > left:
                text, cells = fit(text, left), left
            named = self.get_component_rich_style(figure.style, partial=True) if figure.style else None
            segments.append(Segment(text, style if named is None else style + named))
            left -= cells
        return Strip([*segments, Segment(" " * left, style)], width)
