"""The files of a torrent as a tree over `tui.file_tree.FileTree`, of which only the lines that are seen are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.actions import SkipAction
from textual.binding import Binding
from textual.message import Message

from p2p.quantities import format_size
from tui.columns import GAP, percent
from tui.file_order import MIXED, Order, Wish, part_done, wish_of
from tui.file_tree import Entry, FileTree, Folder
from tui.safe_text import fit, fit_right, safe
from tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from tui.widgets.line_table import Part

_WIDTHS: Final = ((Order.WISH, "Wanted", 8), (Order.DONE, "Done", 5), (Order.SIZE, "Size", 9))
_SIGN_WIDTH: Final = 4
_MOST_INDENT: Final = 10
"""Levels: a name that is deeper yet still has room on a narrow terminal."""

NARROW: Final = 50
"""Cells below which names and sizes alone are seen."""

MARKED: Final = {0: "   ", 1: " ~ ", 2: " * "}
"""How much of a line is marked: nothing, some of it, all."""


class FileTable(LineTable):
    """Its signs are marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "switch", "Open or shut the folder", show=False),
        Binding("right,l", "open_folder", "Open the folder", show=False),
        Binding("left,h", "shut_folder", "Shut the folder", show=False),
    ]

    class Moved(Message):
        """Marks, what is open, or the cursor are others."""

    def __init__(self, tree: FileTree, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.files = tree

    def moved(self) -> None:
        """Draw the tree as it is now."""
        self.fit_lines()
        self.show_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def sign(self, entry: Entry) -> str:
        """What stands before a line, in three cells."""
        if isinstance(entry, Folder):
            return MARKED[0 if not entry.marked else 2 if entry.marked == len(entry.numbers) else 1]
        return MARKED[2 if self.files.is_marked(entry) else 0]

    # -- what the table asks

    def count(self) -> int:
        return len(self.files)

    def cursor_line(self) -> int:
        return self.files.cursor_line

    def go(self, line: int) -> None:
        self.files.go(line)

    def _columns(self, width: int) -> tuple[tuple[Order, str, int], ...]:
        return _WIDTHS if width >= NARROW else _WIDTHS[-1:]

    def heading(self, width: int) -> str:
        order, is_reversed = self.files.order
        signs = {order: "▼" if is_reversed else "▲"}
        columns = self._columns(width)
        taken = sum(cells + GAP for _, _, cells in columns)
        texts = [" " * _SIGN_WIDTH + fit("File" + signs.get(Order.NAME, ""), max(1, width - _SIGN_WIDTH - taken))]
        texts += [fit_right(text + signs.get(key, ""), cells) for key, text, cells in columns]
        return fit(" ".join(texts), width)

    def parts(self, line: int, width: int) -> Sequence[Part]:
        tree = self.files
        entry = tree.at(line)
        if isinstance(entry, Folder):
            done, size, wish = entry.done, entry.size, entry.wish
            name = f"{'▾' if entry.is_open else '▸'} {safe(entry.name)}/"
        else:
            file = tree.file(entry)
            done, size, wish = file.bytes_completed, file.length, wish_of(file)
            name = ("" if tree.filter_text else "  ") + safe(
                file.name if tree.filter_text else file.name.rpartition("/")[2]
            )
        columns = self._columns(width)
        taken = sum(cells + GAP for _, _, cells in columns)
        indent = " " * (2 * min(tree.depth(line), _MOST_INDENT))
        texts = {
            Order.WISH: MIXED if wish is None else wish.name.lower(),
            Order.DONE: percent(part_done(done, size)),
            Order.SIZE: format_size(size),
        }
        parts: list[Part] = [
            (fit(self.sign(entry), _SIGN_WIDTH), ""),
            (fit(indent + name, max(1, width - _SIGN_WIDTH - taken)), ""),
        ]
        parts += [(" " + fit_right(texts[key], cells), _class_of(key, wish)) for key, _, cells in columns]
        return parts

    def line_class(self, line: int) -> str:
        entry = self.files.at(line)
        marked = entry.marked == len(entry.numbers) if isinstance(entry, Folder) else self.files.is_marked(entry)
        if marked:
            return "table--marked"
        wish = entry.wish if isinstance(entry, Folder) else wish_of(self.files.file(entry))
        return "table--faint" if wish is Wish.SKIPPED else "table--line"

    def order_at(self, cell: int) -> Order:
        """Of the column that a cell of the heading belongs to."""
        at = self.width
        for key, _, cells in reversed(self._columns(self.width)):
            at -= cells + GAP
            if cell > at:
                return key
        return Order.NAME

    # -- keys

    def action_switch(self) -> None:
        entry = self.files.at(self.files.cursor_line) if len(self.files) else None
        if isinstance(entry, Folder):
            if not self.files.open():
                self.files.shut()
            self.moved()

    def action_open(self) -> None:
        """By a double click."""
        self.action_switch()

    def action_open_folder(self) -> None:
        if self.files.open():
            self.moved()

    def action_shut_folder(self) -> None:
        """The screen is left by the same key, where there is nothing to shut."""
        if not self.files.shut():
            raise SkipAction
        self.moved()

    def on_line_table_heading_clicked(self, event: LineTable.HeadingClicked) -> None:
        event.stop()
        self.files.sort_by(self.order_at(event.cell))
        self.moved()


def _class_of(key: Order, wish: Wish | None) -> str:
    if key is not Order.WISH:
        return ""
    return "table--good" if wish is Wish.HIGH else "table--busy" if wish is Wish.LOW else ""
