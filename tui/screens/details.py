"""One torrent: what it is and does, files, peers, trackers, pieces, rates over time, and log, each on a tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from p2p.daemon.client_values import Part
from p2p.daemon.own_facts import LogFacts, PieceMap, RateHistory
from tui.details import ABOUT, TABS, Heading
from tui.pieces import AMONG_LEGEND, HERE_LEGEND, cells_among, cells_here, read_pieces, summary
from tui.rate_trail import RateTrail
from tui.safe_text import safe
from tui.screens.files import FilesView
from tui.screens.over import OverScreen
from tui.sights import Sight
from tui.widgets.head_line import HeadLine, standing_of
from tui.widgets.hints import Hints
from tui.widgets.log_table import LogTable
from tui.widgets.piece_map import PieceMapView
from tui.widgets.rates_view import RatesView
from tui.widgets.tabs import TabLine
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from p2p.daemon.client_values import TorrentDetails, TorrentRow
    from tui.details import Tab
    from tui.facts import Seen


@dataclass(frozen=True, slots=True)
class _Page:
    """A tab as it is drawn: its name, the widget that is seen, what it needs of the torrent's details, and beyond.

    `tab` is what it says, where that is text.
    """

    title: str
    widget: str
    part: Part
    sights: tuple[Sight, ...] = ()
    tab: Tab | None = None


_OVERVIEW, *_OTHERS = (_Page(tab.title, "lines", tab.part, tab=tab) for tab in TABS)

_PAGES: Final = (
    _OVERVIEW,
    _Page("Files", "files", Part.FILES),
    *_OTHERS,
    _Page("Pieces", "pieces", Part.FACTS, (Sight.PIECES,)),
    _Page("Rates", "rates", Part.FACTS, (Sight.RATES,)),
    _Page("Log", "log", Part.FACTS, (Sight.LOG,)),
)


class DetailsScreen(OverScreen):
    """`row` looks the torrent up in the list, where it may be no more. It tells what it needs, and asks no daemon."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"tab({number - 1})", page.title, show=False) for number, page in enumerate(_PAGES, 1)),
        Binding("tab", "step(1)", "Next tab", show=False),
        Binding("shift+tab", "step(-1)", "Tab before", show=False),
        Binding("z", "zoom", "Rates of another span", show=False),
        Binding("f", "legend", "What flags of peers mean", show=False),
    ]

    class Needed(Message):
        """Of a torrent, that part is looked at now; of None, nothing any more."""

        def __init__(self, hash_string: str | None, *parts: Part) -> None:
            super().__init__()
            self.hash_string = hash_string
            self.parts = parts

    def __init__(
        self, hash_string: str, row: Callable[[], TorrentRow | None], clock: Callable[[], float], tab: int = 0
    ) -> None:
        super().__init__(hash_string)
        self._row = row
        self._clock = clock
        self._tab = tab
        self._details: TorrentDetails | None = None
        self._trail = RateTrail()

    def compose(self) -> ComposeResult:
        yield HeadLine(id="figures")
        yield TabLine([page.title for page in _PAGES], id="tabs")
        yield TextTable(id="lines")
        yield Static("", id="about", markup=False)
        yield FilesView(id="files")
        with Vertical(id="pieces"):
            yield Static("asking", id="piece-sums", markup=False)
            yield PieceMapView(f"Here:  {HERE_LEGEND}", cells_here, id="here")
            yield PieceMapView(f"Among peers:  {AMONG_LEGEND}", cells_among, id="among")
        yield RatesView(id="rates")
        yield LogTable(id="log")
        yield Hints()

    def on_mount(self) -> None:
        self.action_tab(self._tab)

    def take(self, details: TorrentDetails | None) -> None:
        """What the daemon tells of it; None where it has no such torrent."""
        self._details = details
        row = self._row()
        if row is not None:
            self._trail.add(row.rate_download, row.rate_upload, self._clock())
        with self.drawing():
            if details is not None and self.files is not None:
                self.files.take(details.files)
            self._draw()
            self._tell_about()

    def see(self, seen: Seen) -> None:
        match seen.sight:
            case Sight.PIECES:
                pieces = read_pieces(seen.what) if isinstance(seen.what, PieceMap) else None
                self.query_one("#piece-sums", Static).update("no pieces yet" if pieces is None else summary(pieces))
                for view in self.query(PieceMapView):
                    view.show_pieces(pieces)
            case Sight.RATES:
                told = isinstance(seen.what, RateHistory)
                history = seen.what if isinstance(seen.what, RateHistory) else self._trail.history(self._clock())
                self.query_one(RatesView).take(history, "" if told else "as seen since this was opened")
            case Sight.LOG:
                self._see_log(seen)

    def on_text_table_reached(self, _: TextTable.Reached) -> None:
        self._tell_about()

    def _tell_about(self) -> None:
        """What the line under the cursor has no room for."""
        tab = _PAGES[self._tab].tab
        about = None if tab is None else ABOUT.get(tab.key)
        line = self.query_one("#about", Static)
        line.display = about is not None
        if about is not None and self._details is not None:
            at = self.query_one("#lines", TextTable).cursor_line()
            line.update(about(self._details, at, self._clock()))

    def action_legend(self) -> None:
        """What flags of peers mean."""
        from tui.peers import FLAGS  # noqa: PLC0415 - on demand
        from tui.screens.pick import PickDialog  # noqa: PLC0415 - as above

        headings = (Heading("", 2), Heading("Flags of peers"))
        self.app.push_screen(PickDialog("Legend", headings, list(FLAGS.items()), 0))

    def _see_log(self, seen: Seen) -> None:
        row, log = self._row(), self.query_one(LogTable)
        if isinstance(seen.what, LogFacts):
            log.take(seen.what, seen.hash_string or "", None if row is None else row.id)
        else:
            log.show_lines((Heading(""),), [("this daemon does not tell its log",)])

    def _draw(self) -> None:
        row, page = self._row(), _PAGES[self._tab]
        self.query_one(TabLine).open(self._tab)
        if row is None:
            self.query_one(HeadLine).tell("this torrent is gone")
            return
        self.query_one(HeadLine).tell(safe(row.name), standing_of(row))
        tab = page.tab
        if self._details is not None and tab is not None:
            lines = tab.lines(self._details, row, self._clock())
            table = self.query_one("#lines", TextTable)
            table.nothing = tab.nothing
            table.show_lines(tab.headings, lines, [tab.look(cells) for cells in lines])

    @property
    def files(self) -> FilesView | None:
        """Where files are seen, if they are."""
        if not self.is_mounted or _PAGES[self._tab].widget != "files":
            return None
        return self.query_one(FilesView)

    def action_tab(self, number: int) -> None:
        page = _PAGES[number]
        self._tab = number
        for name in dict.fromkeys(each.widget for each in _PAGES):
            self.query_one(f"#{name}").set_class(name == page.widget, "shown")
        if page.widget == "files":
            self.query_one(FilesView).focus_table()
        elif page.widget in ("lines", "log"):
            self.query_one(f"#{page.widget}").focus()
        else:
            self.set_focus(None)
        self.post_message(self.Needed(self.hash_string, page.part))
        self.look(*page.sights)
        self._draw()
        self._tell_about()

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        self.action_tab(event.number)

    def action_step(self, tabs: int) -> None:
        self.action_tab((self._tab + tabs) % len(_PAGES))

    def action_zoom(self) -> None:
        self.query_one(RatesView).zoom()

    def action_leave(self) -> None:
        if self.files is not None and self.files.clear_filter():
            return
        self.post_message(self.Needed(None))
        super().action_leave()
