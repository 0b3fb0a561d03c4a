"""One of a few lines, picked: what the line under the cursor would do can be seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.details import Cells, Heading
    from tui.widgets.line_table import LineTable


class PickTable(TextTable):
    """Tells `look` which line the cursor has come to."""

    def __init__(self, look: Callable[[int], object]) -> None:
        super().__init__(id="picks")
        self._look = look

    def go(self, line: int) -> None:
        super().go(line)
        self._look(self.cursor_line())


class PickDialog(ModalScreen[int | None]):
    """Its result is the number of a line, None for none. `look` is told each line that the cursor comes to."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "leave", "Back")]

    def __init__(
        self,
        title: str,
        headings: Sequence[Heading],
        lines: Sequence[Cells],
        at: int,
        look: Callable[[int], object] = lambda _: None,
    ) -> None:
        super().__init__()
        self._title = title
        self._headings = headings
        self._lines = lines
        self._at = at
        self._look = look

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(self._title, id="question", markup=False)
            yield PickTable(self._look)
            yield Static("enter: take it    escape: back", classes="keys", markup=False)

    def on_mount(self) -> None:
        table = self.query_one(PickTable)
        table.focus()
        table.show_lines(self._headings, self._lines)
        table.action_move(self._at)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        event.stop()
        self.dismiss(self.query_one(PickTable).cursor_line())

    def action_leave(self) -> None:
        self.dismiss(None)
