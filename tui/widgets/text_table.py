"""A table of cells that are text already: peers, files, trackers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from tui.columns import GAP, Side
from tui.safe_text import fit, fit_right
from tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.details import Cells, Heading
    from tui.widgets.line_table import Part


class TextTable(LineTable):
    """The cursor stays on its line, as what is on it changes by the second."""

    class Reached(Message):
        """The cursor has come to another line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._headings: Sequence[Heading] = ()
        self._lines: Sequence[Cells] = ()
        self._line_classes: Sequence[str] = ()
        self._cursor = 0

    def show_lines(self, headings: Sequence[Heading], lines: Sequence[Cells], classes: Sequence[str] = ()) -> None:
        """`classes` are the lines' styles, where they are not all alike."""
        if headings != self._headings:
            self._cursor = 0
        self._headings, self._lines, self._line_classes = headings, lines, classes
        self._cursor = max(0, min(self._cursor, len(lines) - 1))
        self.fit_lines()
        self.show_cursor()
        self.refresh()

    def count(self) -> int:
        return len(self._lines)

    def cursor_line(self) -> int:
        return self._cursor

    def go(self, line: int) -> None:
        self._cursor = max(0, min(line, len(self._lines) - 1))
        self.post_message(self.Reached())

    def heading(self, width: int) -> str:
        return self._joined([heading.text for heading in self._headings], width)

    def parts(self, line: int, width: int) -> Sequence[Part]:
        return [(self._joined(self._lines[line], width), "")]

    def line_class(self, line: int) -> str:
        return self._line_classes[line] if line < len(self._line_classes) else "table--line"

    def _joined(self, cells: Sequence[str], width: int) -> str:
        taken = sum(heading.width for heading in self._headings) + GAP * max(0, len(self._headings) - 1) + 1
        rest = max(1, width - taken)
        texts = [
            (fit_right if heading.side is Side.RIGHT else fit)(cell, heading.width or rest)
            for heading, cell in zip(self._headings, cells, strict=True)
        ]
        return fit(" " + " ".join(texts), width)
