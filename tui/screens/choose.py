"""Which files of a torrent are wanted, asked before it starts: a tree with sizes, and what is free where they go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from p2p.quantities import format_size
from tui.adding import Choice
from tui.file_order import Wish, wish_of
from tui.file_tree import FileTree, Folder
from tui.safe_text import safe
from tui.widgets.file_table import FileTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from p2p.daemon.client_values import FileFacts
    from tui.file_tree import Entry
    from tui.widgets.line_table import LineTable

_TICKS: Final = {0: "[ ]", 1: "[-]", 2: "[x]"}
"""How much of a line is wanted: nothing, some of it, all."""


class TickTable(FileTable):
    """Its signs are whether files are wanted; Enter is left to the dialog it is in."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "accept", "Accept", show=False)]

    def sign(self, entry: Entry) -> str:
        if isinstance(entry, Folder):
            skipped = entry.wishes[Wish.SKIPPED]
            return _TICKS[2 if not skipped else 0 if skipped == len(entry.numbers) else 1]
        return _TICKS[2 if self.files.file(entry).wanted else 0]

    def action_accept(self) -> None:
        self.post_message(self.Opened())


class ChooseDialog(ModalScreen[Choice | None]):
    """Its result is what was chosen, None for no answer. `free` is bytes where it goes, None where nobody knows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,x", "switch", "Switch"),
        Binding("A", "switch_all", "All or none"),
        Binding("i", "invert", "Invert"),
        Binding("plus", "weigh(1)", "High priority"),
        Binding("equals_sign", "weigh(0)", "Normal priority"),
        Binding("minus", "weigh(-1)", "Low priority"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, name: str, files: Sequence[FileFacts], free: int | None = None) -> None:
        super().__init__()
        self._name = name
        self._files = list(files)
        self._free = free
        self._tree = FileTree()
        self._tree.take(files)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(f"Files of {safe(self._name)}", id="question", markup=False)
            yield TickTable(self._tree, id="files")
            yield Static("", id="sum", markup=False)
            yield Static(
                "space: switch   A: all   i: invert   + = -: priority   ← →: folders\n"
                "enter: do it   escape: leave it stopped",
                classes="keys",
                markup=False,
            )

    def on_mount(self) -> None:
        self.query_one(TickTable).focus()
        self._show()

    def _show(self) -> None:
        self._tree.take(tuple(self._files))
        self.query_one(TickTable).moved()
        size = sum(file.length for file in self._files if file.wanted)
        wanted = sum(file.wanted for file in self._files)
        text = f"{wanted:,} of {len(self._files):,} files, {format_size(size)}"
        if self._free is not None:
            text += f"; {format_size(self._free)} free"
        line = self.query_one("#sum", Static)
        line.update(text)
        line.set_class(self._free is not None and size > self._free, "short")

    def _change(self, numbers: Sequence[int], *, wanted: bool) -> None:
        for number in numbers:
            self._files[number] = replace(self._files[number], wanted=wanted)
        self._show()

    def _here(self) -> Sequence[int]:
        chosen = self._tree.chosen()
        return () if chosen is None else chosen.numbers

    def action_switch(self) -> None:
        numbers = self._here()
        self._change(numbers, wanted=not all(self._files[number].wanted for number in numbers))
        self.query_one(TickTable).action_move(1)

    def action_switch_all(self) -> None:
        wanted = not all(file.wanted for file in self._files)
        self._change(range(len(self._files)), wanted=wanted)

    def action_invert(self) -> None:
        self._files = [replace(file, wanted=not file.wanted) for file in self._files]
        self._show()

    def action_weigh(self, priority: int) -> None:
        for number in self._here():
            self._files[number] = replace(self._files[number], wanted=True, priority=priority)
        self._show()

    @on(FileTable.Moved)
    def _moved(self, event: FileTable.Moved) -> None:
        event.stop()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        event.stop()
        wishes = [wish_of(file) for file in self._files]
        skipped, high, low = (
            tuple(number for number, each in enumerate(wishes) if each is wish)
            for wish in (Wish.SKIPPED, Wish.HIGH, Wish.LOW)
        )
        self.dismiss(Choice(skipped, high, low))

    def action_leave(self) -> None:
        self.dismiss(None)
