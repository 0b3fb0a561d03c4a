"""Which files of a torrent are wanted, asked before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from p2p.quantities import format_size
from tui.columns import Side
from tui.details import Heading
from tui.safe_text import safe
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from p2p.daemon.client_values import FileFacts
    from tui.widgets.line_table import LineTable

_HEADINGS = (Heading("", 3), Heading("File"), Heading("Size", 9, Side.RIGHT))


class ChooseDialog(ModalScreen[tuple[int, ...] | None]):
    """Its result is the numbers of files that are not wanted, None for no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "switch", "Switch"),
        Binding("A", "switch_all", "All or none"),
        Binding("i", "invert", "Invert"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, name: str, files: Sequence[FileFacts]) -> None:
        super().__init__()
        self._name = name
        self._files = files
        self._wanted = [file.wanted for file in files]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(f"Files of {safe(self._name)}", id="question", markup=False)
            yield TextTable(id="files")
            yield Static("", id="sum", markup=False)
            yield Static(
                "space: switch    A: all    i: invert    enter: do it    escape: leave it stopped", classes="keys"
            )

    def on_mount(self) -> None:
        self.query_one(TextTable).focus()
        self._show()

    def _show(self) -> None:
        lines = [
            ("[x]" if wanted else "[ ]", safe(file.name), format_size(file.length))
            for file, wanted in zip(self._files, self._wanted, strict=True)
        ]
        self.query_one(TextTable).show_lines(_HEADINGS, lines)
        size = sum(file.length for file, wanted in zip(self._files, self._wanted, strict=True) if wanted)
        text = f"{sum(self._wanted):,} of {len(self._files):,} files, {format_size(size)}"
        self.query_one("#sum", Static).update(text)

    def action_switch(self) -> None:
        table = self.query_one(TextTable)
        line = table.cursor_line()
        self._wanted[line] = not self._wanted[line]
        self._show()
        table.action_move(1)

    def action_switch_all(self) -> None:
        self._wanted = [not all(self._wanted)] * len(self._wanted)
        self._show()

    def action_invert(self) -> None:
        self._wanted = [not wanted for wanted in self._wanted]
        self._show()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        event.stop()
        self.dismiss(tuple(number for number, wanted in enumerate(self._wanted) if not wanted))

    def action_leave(self) -> None:
        self.dismiss(None)
