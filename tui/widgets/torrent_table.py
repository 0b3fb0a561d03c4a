"""The list of torrents as a table over `tui.rows.Rows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.daemon.client_values import ErrorKind, Status
from tui.columns import GAP, Side, laid_out
from tui.safe_text import fit, fit_right
from tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.rows import Moved, Rows
    from tui.widgets.line_table import Part

MARK_WIDTH = 2


class TorrentTable(LineTable):
    """`clock` tells seconds since the epoch, for ages."""

    def __init__(
        self,
        rows: Rows,
        clock: Callable[[], float],
        columns: Sequence[str],
        *,
        id: str | None = None,  # noqa: A002 - Textual's
    ) -> None:
        super().__init__(id=id)
        self._rows = rows
        self._clock = clock
        self._columns = columns

    def show_columns(self, keys: Sequence[str]) -> None:
        """Others, in that order."""
        self._columns = keys
        self.refresh()

    def count(self) -> int:
        return len(self._rows)

    def cursor_line(self) -> int:
        return self._rows.cursor_line

    def go(self, line: int) -> None:
        self._rows.go(line)

    def moved(self, moved: Moved) -> None:
        """Draw what became otherwise, as far as it is seen."""
        self.fit_lines()
        self.show_cursor()
        first, last = self.seen
        if moved.last > moved.first and moved.touches(first, max(last, first + self.size.height)):
            self.refresh()
        else:
            self.redraw([line for line in range(first, last) if line in moved.lines])

    def column_at(self, cell: int) -> str | None:
        """The key of the column that a cell of the heading belongs to."""
        at = MARK_WIDTH
        for column, width in laid_out(self._columns, max(1, self.width - MARK_WIDTH)):
            if at <= cell < at + width:
                return column.key
            at += width + GAP
        return None

    def heading(self, width: int) -> str:
        top = self._rows.levels[0] if self._rows.levels else None
        texts = []
        for column, cells in laid_out(self._columns, max(1, width - MARK_WIDTH)):
            sign = ("▼" if top.descending else "▲") if top is not None and top.column == column.key else ""
            texts.append((fit_right if column.side is Side.RIGHT else fit)(column.heading + sign, cells))
        return fit(" " * MARK_WIDTH + " ".join(texts), width)

    def parts(self, line: int, width: int) -> Sequence[Part]:
        row, now = self._rows.at(line), self._clock()
        parts: list[Part] = [("* " if self._rows.is_marked(row.hash_string) else "  ", "")]
        for column, cells in laid_out(self._columns, max(1, width - MARK_WIDTH)):
            text = (fit_right if column.side is Side.RIGHT else fit)(column.text(row, now), cells)
            if len(parts) > 1:
                parts.append((" ", ""))
            parts.append((text, _class_of_state(row) if column.key in ("state", "progress") else ""))
        return parts

    def line_class(self, line: int) -> str:
        row = self._rows.at(line)
        if self._rows.is_marked(row.hash_string):
            return "table--marked"
        return "table--faint" if row.status is Status.STOPPED and row.error is ErrorKind.NONE else "table--line"


def _class_of_state(row: TorrentRow) -> str:
    if row.error is not ErrorKind.NONE:
        return "table--bad"
    match row.status:
        case Status.SEEDING:
            return "table--good"
        case Status.DOWNLOADING | Status.CHECKING:
            return "table--busy"
    return ""
