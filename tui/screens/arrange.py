"""Which columns are seen, in which order and how wide; and by which the list is sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.columns import COLUMNS, NARROWEST, NARROWEST_NAME, USUAL, WIDEST, Side, column_of
from tui.details import Heading
from tui.rows import MOST_LEVELS, Level
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.details import Cells
    from tui.widgets.line_table import LineTable

T = TypeVar("T")


class _Arranging(ModalScreen[T | None]):
    """A table of all columns, and what keys do to the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "switch", "Switch"),
        Binding("K,ctrl+up", "shift(-1)", "Up"),
        Binding("J,ctrl+down", "shift(1)", "Down"),
        Binding("escape", "leave", "Back"),
    ]
    TITLE = ""
    KEYS = ""
    HEADINGS: Sequence[Heading] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self.TITLE, id="question", markup=False)
            yield TextTable(id="arranged")
            yield Static(self.KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(TextTable).focus()
        self.draw()

    def draw(self) -> None:
        self.query_one(TextTable).show_lines(self.HEADINGS, self.lines())

    @property
    def line(self) -> int:
        return self.query_one(TextTable).cursor_line()

    def follow(self, lines: int) -> None:
        """Draw anew, with the cursor that many lines further."""
        self.draw()
        self.query_one(TextTable).action_move(lines)

    def lines(self) -> list[Cells]:
        raise NotImplementedError

    def answer(self) -> T:
        raise NotImplementedError

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        event.stop()
        self.dismiss(self.answer())

    def action_leave(self) -> None:
        self.dismiss(None)


class ColumnsDialog(_Arranging[tuple[str, ...]]):
    """Its result is the columns as `tui.columns.column_of` reads them, None for no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,greater_than_sign", "widen(1)", "Wider"),
        Binding("minus,less_than_sign", "widen(-1)", "Narrower"),
        Binding("0", "usual", "Usual"),
    ]
    TITLE = "Columns, in their order"
    KEYS = "space: show or hide   K J: move   + -: width   0: usual   enter: do it   escape: back"
    HEADINGS = (Heading("", 3), Heading("Column"), Heading("Width", 8, Side.RIGHT))

    def __init__(self, shown: Sequence[str]) -> None:
        super().__init__()
        self._take(shown)

    def _take(self, shown: Sequence[str]) -> None:
        seen = {column_of(text).key: text for text in shown}
        self._order = [*seen.values(), *(key for key in COLUMNS if key not in seen)]
        self._seen = set(seen)

    def lines(self) -> list[Cells]:
        columns = map(column_of, self._order)
        return [
            ("[x]" if column.key in self._seen else "[ ]", column.key, str(column.width or "the rest"))
            for column in columns
        ]

    def action_switch(self) -> None:
        self._seen ^= {column_of(self._order[self.line]).key}
        self.follow(1)

    def action_shift(self, lines: int) -> None:
        line = self.line
        other = line + lines
        if 0 <= other < len(self._order):
            self._order[line], self._order[other] = self._order[other], self._order[line]
            self.follow(lines)

    def action_widen(self, cells: int) -> None:
        column = column_of(self._order[self.line])
        width = min(WIDEST, max(NARROWEST, (column.width or NARROWEST_NAME) + cells))
        self._order[self.line] = column.key if width == COLUMNS[column.key].width else f"{column.key}:{width}"
        self.draw()

    def action_usual(self) -> None:
        self._take(USUAL)
        self.draw()

    def answer(self) -> tuple[str, ...]:
        return tuple(text for text in self._order if column_of(text).key in self._seen)


class SortDialog(_Arranging[tuple[Level, ...]]):
    """Its result is the levels of the sort, the first one first in decision, None for no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "alone", "By this one alone"),
        Binding("r,minus", "turn", "Reverse"),
    ]
    TITLE = f"Sorted by, up to {MOST_LEVELS}, the first one first"
    KEYS = "space: by it or not   r: reverse   K J: sooner, later   s: by it alone   enter: do it   escape: back"
    HEADINGS = (Heading("", 4), Heading("Column"))

    def __init__(self, levels: Sequence[Level]) -> None:
        super().__init__()
        self._levels = list(levels)

    def lines(self) -> list[Cells]:
        places = {level.column: (number, level) for number, level in enumerate(self._levels, 1)}
        return [(self._place(places.get(key)), key) for key in COLUMNS]

    @staticmethod
    def _place(found: tuple[int, Level] | None) -> str:
        return "" if found is None else f"{found[0]} {'▼' if found[1].descending else '▲'}"

    @property
    def _key(self) -> str:
        return list(COLUMNS)[self.line]

    def _number(self) -> int | None:
        return next((number for number, level in enumerate(self._levels) if level.column == self._key), None)

    def action_switch(self) -> None:
        number = self._number()
        if number is not None:
            del self._levels[number]
        elif len(self._levels) < MOST_LEVELS:
            self._levels.append(Level(self._key))
        self.draw()

    def action_turn(self) -> None:
        number = self._number()
        if number is None:
            self.action_switch()
            number = self._number()
        if number is not None:
            self._levels[number] = Level(self._key, not self._levels[number].descending)
        self.draw()

    def action_alone(self) -> None:
        self._levels = [Level(self._key)]
        self.draw()

    def action_shift(self, lines: int) -> None:
        number = self._number()
        if number is not None and 0 <= number + lines < len(self._levels):
            levels = self._levels
            levels[number], levels[number + lines] = levels[number + lines], levels[number]
            self.draw()

    def answer(self) -> tuple[Level, ...]:
        return tuple(self._levels) or (Level("name"),)
