"""One torrent: what it is and does, its files, its peers, its trackers, each on a tab."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui.details import TABS
from tui.safe_text import safe
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from p2p.daemon.client_values import Part, TorrentDetails, TorrentRow


class DetailsScreen(Screen[None]):
    """`row` looks the torrent up in the list, where it may be no more. It tells what it needs, and asks no daemon."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"tab({number - 1})", tab.title) for number, tab in enumerate(TABS, 1)),
        Binding("tab", "step(1)", "Next tab", show=False),
        Binding("shift+tab", "step(-1)", "Tab before", show=False),
        Binding("escape,left,h", "leave", "Back"),
    ]

    class Needed(Message):
        """Of a torrent, that part is looked at now; of None, nothing any more."""

        def __init__(self, hash_string: str | None, *parts: Part) -> None:
            super().__init__()
            self.hash_string = hash_string
            self.parts = parts

    def __init__(self, hash_string: str, row: Callable[[], TorrentRow | None], clock: Callable[[], float]) -> None:
        super().__init__()
        self.hash_string = hash_string
        self._row = row
        self._clock = clock
        self._tab = 0
        self._details: TorrentDetails | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="figures", markup=False)
        yield Static("", id="tabs", markup=False)
        yield TextTable(id="lines")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(TextTable).focus()
        self.action_tab(0)

    def take(self, details: TorrentDetails | None) -> None:
        """What the daemon tells of it; None where it has no such torrent."""
        self._details = details
        self._draw()

    def _draw(self) -> None:
        row, tab = self._row(), TABS[self._tab]
        names = [f"[{each.title}]" if each is tab else f" {each.title} " for each in TABS]
        self.query_one("#tabs", Static).update(" ".join(names))
        if row is None:
            self.query_one("#figures", Static).update("this torrent is gone")
            return
        self.query_one("#figures", Static).update(safe(row.name))
        if self._details is not None:
            lines = tab.lines(self._details, row, self._clock())
            self.query_one(TextTable).show_lines(tab.headings, lines)

    def file_chosen(self) -> tuple[int, str] | None:
        """Number and path of the file under the cursor; None where no file is seen."""
        line = self.query_one(TextTable).cursor_line() if self.is_mounted else 0
        if TABS[self._tab].key != "files" or self._details is None or line >= len(self._details.files):
            return None
        return line, self._details.files[line].name

    def action_tab(self, number: int) -> None:
        self._tab = number
        self.post_message(self.Needed(self.hash_string, TABS[number].part))
        self._draw()

    def action_step(self, tabs: int) -> None:
        self.action_tab((self._tab + tabs) % len(TABS))

    def action_leave(self) -> None:
        self.post_message(self.Needed(None))
        self.dismiss(None)
