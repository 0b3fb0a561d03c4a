"""The servers that are named, and what is to be done with one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.details import Heading
from tui.safe_text import safe
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.config import NamedServer
    from tui.widgets.line_table import LineTable

_HEADINGS = (Heading("", 1), Heading("Server", 20), Heading("Address"), Heading("Password", 12))


class Wish(Enum):
    GO = "go"
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class ServerWish:
    """`name` is empty for the server that the interface was started for."""

    wish: Wish
    name: str


class ServersDialog(ModalScreen[ServerWish | None]):
    """`here` is the name of the one that is looked at, empty for the first one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "wish('add')", "Add"),
        Binding("e", "wish('change')", "Change"),
        Binding("r,delete", "wish('remove')", "Remove"),
        Binding("escape,q", "leave", "Back"),
    ]

    def __init__(self, servers: Sequence[NamedServer], here: str) -> None:
        super().__init__()
        self._servers = servers
        self._here = here

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Servers", id="question", markup=False)
            yield TextTable(id="servers")
            yield Static("enter: look at it   a: add   e: change   r: remove   escape: back", classes="keys")

    def on_mount(self) -> None:
        table = self.query_one(TextTable)
        table.focus()
        lines = [
            ("●" if not self._here else "", "(the first)", "for which this was started", ""),
            *(
                (
                    "●" if each.name == self._here else "",
                    safe(each.name),
                    safe(each.server.root),
                    "in a file" if each.password_file else "asked for",
                )
                for each in self._servers
            ),
        ]
        table.show_lines(_HEADINGS, lines)
        table.action_move(next((line for line, cells in enumerate(lines) if cells[0]), 0))

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        event.stop()
        self.action_wish(Wish.GO.value)

    def action_wish(self, wish: str) -> None:
        line = self.query_one(TextTable).cursor_line()
        self.dismiss(ServerWish(Wish(wish), self._servers[line - 1].name if line else ""))

    def action_leave(self) -> None:
        self.dismiss(None)
