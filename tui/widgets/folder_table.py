"""A folder of this machine as a table over `tui.folder_view.FolderView`; what is typed filters it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.message import Message

from p2p.quantities import format_size
from tui.columns import GAP
from tui.safe_text import fit, fit_right, safe
from tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from tui.folder_view import FolderView
    from tui.widgets.line_table import Part

_SIZE_WIDTH: Final = 9
_SIGN_WIDTH: Final = 2
MOST_FILTER: Final = 100
"""Letters."""


class FolderTable(LineTable, inherit_bindings=False):
    """Letters are no keys here, but what the names are to have in them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end", "last", "Last", show=False),
        Binding("enter", "open", "Take or open", show=False),
        Binding("right", "into", "Into the folder", show=False),
        Binding("left", "up", "Folder above", show=False),
        Binding("shift+down,insert", "mark(1)", "Mark", show=False),
        Binding("shift+up", "mark(-1)", "Mark", show=False),
        Binding("backspace", "rub", "Take back a letter", show=False),
        Binding("ctrl+t", "hidden", "Hidden ones", show=False),
    ]

    class Changed(Message):
        """Filter, marks or what is hidden are others."""

    class IntoAsked(Message):
        """The folder under the cursor is to be seen, whatever is marked."""

    class UpAsked(Message):
        """The folder above is to be seen."""

    def __init__(self, view: FolderView, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.view = view

    def moved(self) -> None:
        """Draw what is there now."""
        self.fit_lines()
        self.show_cursor()
        self.refresh()
        self.post_message(self.Changed())

    def count(self) -> int:
        return len(self.view)

    def cursor_line(self) -> int:
        return self.view.cursor_line

    def go(self, line: int) -> None:
        self.view.go(line)

    def heading(self, width: int) -> str:
        name = max(1, width - _SIGN_WIDTH - _SIZE_WIDTH - GAP)
        return fit(" " * _SIGN_WIDTH + fit("Name", name) + " " + fit_right("Size", _SIZE_WIDTH), width)

    def parts(self, line: int, width: int) -> Sequence[Part]:
        item = self.view.at(line)
        sign, name, size = "", "..", ""
        if item is not None:
            sign = "*" if self.view.is_marked(item) else ""
            name = f"{safe(item.name)}/" if item.is_folder else safe(item.name)
            size = "" if item.is_folder else format_size(item.size)
        room = max(1, width - _SIGN_WIDTH - _SIZE_WIDTH - GAP)
        return [(fit(fit(sign, _SIGN_WIDTH) + fit(name, room) + " " + fit_right(size, _SIZE_WIDTH), width), "")]

    def line_class(self, line: int) -> str:
        item = self.view.at(line)
        return "table--marked" if item is not None and self.view.is_marked(item) else "table--line"

    # -- keys

    def on_key(self, event: events.Key) -> None:
        letter = event.character
        if letter is not None and event.is_printable and len(self.view.filter_text) < MOST_FILTER:
            event.stop()
            event.prevent_default()
            self.view.filter(self.view.filter_text + letter)
            self.moved()

    def action_rub(self) -> None:
        """Up, where nothing is typed."""
        if self.view.filter_text:
            self.view.filter(self.view.filter_text[:-1])
            self.moved()
        else:
            self.action_up()

    def action_into(self) -> None:
        self.post_message(self.IntoAsked())

    def action_up(self) -> None:
        self.post_message(self.UpAsked())

    def action_mark(self, lines: int) -> None:
        self.view.toggle_mark()
        self.view.go(self.view.cursor_line + lines)
        self.moved()

    def action_hidden(self) -> None:
        self.view.switch_hidden()
        self.moved()
