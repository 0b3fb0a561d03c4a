"""The first screen: the list of torrents, with the session's figures above and what is seen of the list below."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from p2p.quantities import count
from tui.columns import USUAL
from tui.figures import FAINT, Figure, sum_figures
from tui.offers import FilterOffer
from tui.query import MOST_CHARACTERS, parse
from tui.terms import QueryError
from tui.widgets.figures_line import FiguresLine
from tui.widgets.hints import Hints
from tui.widgets.line_table import LineTable
from tui.widgets.torrent_table import TorrentTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Paste

    from tui.rows import Moved, Rows

CONNECTING: Final = "connecting"

FIRST_STEPS: Final = {
    "add": "Add one: paste a link, or write a file's path, then enter",
    "create": "Make one of a file or folder, and seed it",
    "session": "The session: rates, trackers, DHT, disk, log",
    "help": "All keys",
    "quit": "Leave",
}
"""What is told where there is no torrent, by verb."""


class Line(Input):
    """A line to type into at the foot of the screen, which Escape leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("enter", "submit", "do it"),
        Binding("tab", "take_offer", "complete"),
    ]

    class Left(Message):
        """Without an answer."""

        def __init__(self, line: Line) -> None:
            super().__init__()
            self.line = line

    def action_leave(self) -> None:
        self.post_message(self.Left(self))

    def action_take_offer(self) -> None:
        """What is offered after what is typed."""
        self.action_end()
        self.action_cursor_right()


class TorrentsScreen(Screen[None]):
    """It looks at `rows` and never asks a daemon."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "clear", "Clear the filter, then the marks", show=False)]

    class Pasted(Message):
        """Text that is something to add."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class SortAsked(Message):
        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, rows: Rows, clock: Callable[[], float]) -> None:
        super().__init__()
        self._rows = rows
        self._clock = clock
        self._is_connecting = True
        self._room: Sequence[Figure] = ()
        self._columns: Sequence[str] = USUAL
        self._wrong = ""
        """With the filter that is typed."""

    def compose(self) -> ComposeResult:
        yield FiguresLine(CONNECTING, id="figures")
        yield TorrentTable(self._rows, self._clock, self._columns, id="torrents")
        yield Static("", id="empty", markup=False)
        yield Line(
            placeholder="size>1G & seeding & tracker:debian",
            id="filter",
            max_length=MOST_CHARACTERS,
            suggester=FilterOffer(self._rows.values_of),
        )
        yield FiguresLine(id="status")
        yield Hints()

    def on_mount(self) -> None:
        self.query_one(TorrentTable).focus()
        self.tell_status()

    # -- what the application tells

    @property
    def columns(self) -> Sequence[str]:
        return self._columns

    @columns.setter
    def columns(self, keys: Sequence[str]) -> None:
        self._columns = keys
        for table in self.query(TorrentTable):
            table.show_columns(keys)

    def moved(self, moved: Moved) -> None:
        for table in self.query(TorrentTable):
            table.moved(moved)
        self.tell_status()

    def tell_figures(self, figures: Sequence[Figure], room: Sequence[Figure]) -> None:
        """The first line: the session; and the room on disk, for the status."""
        self._room = room
        self._is_connecting = False
        for line in self.query("#figures").results(FiguresLine):
            line.show(figures)
        self.tell_status()

    def tell_connection(self, trouble: str) -> None:
        """Why there is none, or nothing."""
        self.query("#figures").set_class(bool(trouble), "lost")
        for line in self.query("#figures").results(FiguresLine):
            line.say(trouble)

    def tell_status(self) -> None:
        """Where it is there: facts come as soon as the daemon tells them, and as long."""
        rows = self._rows
        self.set_class(not rows, "empty")
        for empty in self.query("#empty").results(Static):
            empty.update("" if rows else self._why_empty())
        shown = f"{len(rows):,} of {rows.total:,}" if len(rows) != rows.total else count(rows.total, "torrent")
        order = ", ".join(f"{level.column}{' down' if level.descending else ''}" for level in rows.levels[:2])
        figures = [
            Figure(shown, 0),
            Figure(f"{rows.marked:,} marked" if rows.marked else "", 1, "figure--warn"),
            *sum_figures(rows.sums()),
            Figure(f"filter: {rows.query.text}" if rows.query.text else "", 2),
            Figure(f"by {order}", 5, FAINT),
            *self._room,
        ]
        for line in self.query("#status").results(FiguresLine):
            line.say(self._wrong)
            line.show(figures)

    def _why_empty(self) -> str:
        """In place of torrents: why there is none, and what can be done about it."""
        if self._rows.total:
            return "No torrent passes the filter.\nescape  leaves it"
        keys: dict[str | None, str] = {}
        for bound in self.active_bindings.values():
            keys.setdefault(bound.binding.id, self.app.get_key_display(bound.binding))
        width = max(map(len, keys.values()), default=0)
        lines = [f"{keys[name]:>{width}}  {about}" for name, about in FIRST_STEPS.items() if name in keys]
        return "\n".join(
            [
                "Connecting." if self._is_connecting else "No torrents yet.",
                "",
                *(line.ljust(max(map(len, lines))) for line in lines),
            ]
        )

    def on_paste(self, event: Paste) -> None:
        """A link that is pasted here is one to add."""
        if event.text.strip():
            event.stop()
            self.post_message(self.Pasted(event.text))

    def marked(self) -> None:
        """Marks, and perhaps the cursor, are others."""
        table = self.query_one(TorrentTable)
        table.show_cursor()
        table.refresh()
        self.tell_status()

    # -- the lines at the foot

    def ask_filter(self, text: str) -> None:
        line = self.query_one("#filter", Line)
        line.value = text or self._rows.query.text
        self._open(line)

    def _open(self, line: Line) -> None:
        line.add_class("open")
        line.focus()

    def _close(self, line: Line) -> None:
        self._wrong = ""
        line.remove_class("open", "wrong")
        self.tell_status()
        self.query_one(TorrentTable).focus()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        """While it is typed; what means nothing yet leaves the list as it is, and says why."""
        try:
            query = parse(event.value)
        except QueryError as error:
            event.input.add_class("wrong")
            self._wrong = f"at {error.position + 1}: {error}"
            self.tell_status()
            return
        self._wrong = ""
        event.input.remove_class("wrong")
        if query.text != self._rows.query.text:
            self.moved(self._rows.filter(query, self._clock()))
        else:
            self.tell_status()

    @on(Input.Submitted, "#filter")
    def _filter_said(self, event: Input.Submitted) -> None:
        self._close(self.query_one("#filter", Line))
        event.stop()

    @on(Line.Left)
    def _line_left(self, event: Line.Left) -> None:
        if event.line.id == "filter":
            self.moved(self._rows.filter(parse(""), self._clock()))
        self._close(event.line)

    @on(LineTable.HeadingClicked)
    def _heading_clicked(self, event: LineTable.HeadingClicked) -> None:
        column = self.query_one(TorrentTable).column_at(event.cell)
        if column is not None:
            self.post_message(self.SortAsked(column))

    def action_clear(self) -> None:
        if self._rows.query.text:
            self.moved(self._rows.filter(parse(""), self._clock()))
        else:
            self._rows.unmark()
            self.marked()
