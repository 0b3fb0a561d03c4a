"""The files of a torrent on their tab: the tree, with the line for its filter and what is seen and marked below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.widgets import Input, Static

from p2p.quantities import count, format_size
from tui.file_order import Order, Wish
from tui.file_tree import MOST_FILTER, FileTree
from tui.screens.torrents import Line
from tui.verb import Mark
from tui.widgets.file_table import FileTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from p2p.daemon.client_values import FileFacts


class FilesView(Vertical):
    """It looks at `tree` and never asks a daemon."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.file_tree = FileTree()

    def compose(self) -> ComposeResult:
        yield FileTable(self.file_tree, id="file-table")
        yield Line(placeholder="words of a path", id="file-filter", max_length=MOST_FILTER)
        yield Static("", id="file-sums", markup=False)

    def take(self, files: Sequence[FileFacts]) -> None:
        if self.file_tree.take(files):
            self._table.moved()

    @property
    def _table(self) -> FileTable:
        return self.query_one(FileTable)

    def focus_table(self) -> None:
        self._table.focus()

    @on(FileTable.Moved)
    def _moved(self, event: FileTable.Moved) -> None:
        event.stop()
        tree = self.file_tree
        every = tree.total
        parts = [f"{count(len(every.numbers), 'file')}, {format_size(every.size)}"]
        if every.wishes[Wish.SKIPPED]:
            parts.append(f"{every.wishes[Wish.SKIPPED]:,} skipped")
        if every.marked:
            parts.append(f"{tree.marked:,} marked")
        if tree.filter_text:
            parts.append(f"{len(tree):,} with {tree.filter_text}")
        self.query_one("#file-sums", Static).update("  ·  ".join(parts))

    # -- verbs

    def mark(self, how: Mark) -> None:
        tree = self.file_tree
        match how:
            case Mark.TOGGLE:
                tree.toggle_mark()
                tree.go(tree.cursor_line + 1)
            case Mark.TOGGLE_UP:
                tree.toggle_mark()
                tree.go(tree.cursor_line - 1)
            case Mark.ALL:
                tree.mark_all()
            case Mark.INVERT:
                tree.invert_marks()
            case Mark.NONE:
                tree.unmark()
        self._table.moved()

    def sort_by(self, name: str) -> str:
        """By the next one without a name; what is wrong with a name, if anything."""
        orders = list(Order)
        if not name:
            order = orders[(orders.index(self.file_tree.order[0]) + 1) % len(orders)]
        else:
            found = [each for each in orders if each.value == name]
            if not found:
                return f"files are sorted by {', '.join(each.value for each in orders)}"
            order = found[0]
        self.file_tree.sort_by(order)
        self._table.moved()
        return ""

    def ask_filter(self, text: str) -> None:
        line = self.query_one("#file-filter", Line)
        line.value = text or self.file_tree.filter_text
        line.add_class("open")
        line.focus()

    def clear_filter(self) -> bool:
        """Whether there was one."""
        if not self.file_tree.filter_text:
            return False
        self.file_tree.filter("")
        self._table.moved()
        return True

    @on(Input.Changed, "#file-filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.has_class("open"):
            self.file_tree.filter(event.value)
            self._table.moved()

    @on(Input.Submitted, "#file-filter")
    def _said(self, event: Input.Submitted) -> None:
        event.stop()
        self._close()

    @on(Line.Left)
    def _left(self, event: Line.Left) -> None:
        event.stop()
        self._close()
        self.clear_filter()

    def _close(self) -> None:
        self.query_one("#file-filter", Line).remove_class("open")
        self.focus_table()
