"""The session: rates over time, trackers by host, DHT, disk, log with live level, limits, each on a tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.widgets import Static

from p2p.daemon.own_facts import DhtFacts, DiskFacts, LogFacts, RateHistory, TrackerHealthFacts
from tui.details import Heading
from tui.screens.over import OverScreen
from tui.session_tables import (
    DISK_HEADINGS,
    HOST_HEADINGS,
    PAIRS,
    dht_lines,
    disk_lines,
    disk_sums,
    hosts_of,
    limit_lines,
    trouble_of,
)
from tui.sights import Sight
from tui.widgets.figures_line import FiguresLine
from tui.widgets.hints import Hints
from tui.widgets.log_table import LogTable
from tui.widgets.rates_view import RatesView
from tui.widgets.tabs import TabLine
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.facts import Seen, SessionArrived
    from tui.figures import Figure
    from tui.rate_trail import RateTrail
    from tui.widgets.line_table import LineTable


@dataclass(frozen=True, slots=True)
class _Page:
    """A tab: its name, the widget that is seen, and what it needs beyond the session's figures."""

    title: str
    widget: str
    sight: Sight | None


_PAGES: Final = (
    _Page("Rates", "rates", Sight.RATES),
    _Page("Trackers", "lines", Sight.TRACKERS),
    _Page("DHT", "lines", Sight.DHT),
    _Page("Disk", "lines", Sight.DISK),
    _Page("Log", "log", Sight.LOG),
    _Page("Limits", "lines", None),
)
LEVELS: Final = ("debug", "info", "warning", "error")


class SessionScreen(OverScreen):
    """`trail` are the rates that were seen, for a daemon that keeps none; `clock` tells seconds since the epoch."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"tab({number - 1})", page.title, show=False) for number, page in enumerate(_PAGES, 1)),
        Binding("tab", "step(1)", "Next tab", show=False),
        Binding("shift+tab", "step(-1)", "Tab before", show=False),
        Binding("z", "zoom", "Rates of another span", show=False),
    ]

    def __init__(self, trail: RateTrail, latest: SessionArrived | None, clock: Callable[[], float]) -> None:
        super().__init__(None)
        self._trail = trail
        self._clock = clock
        self._latest = latest
        self._tab = 0
        self._figures: Sequence[Figure] = ()
        self.level = ""
        """The least that the daemon logs, as far as it is known."""

    def compose(self) -> ComposeResult:
        yield FiguresLine(id="figures")
        yield TabLine([page.title for page in _PAGES], id="tabs")
        yield Static("", id="sums", markup=False)
        yield RatesView(id="rates")
        yield TextTable(id="lines")
        yield LogTable(id="log")
        yield Hints()

    def on_mount(self) -> None:
        self.query_one(FiguresLine).show(self._figures)
        self.action_tab(0)

    def tell_figures(self, figures: Sequence[Figure]) -> None:
        """The first line: rates, limits, where."""
        self._figures = figures
        with self.drawing():
            self.query_one(FiguresLine).show(figures)

    def session(self, fact: SessionArrived) -> None:
        self._latest = fact
        if _PAGES[self._tab].sight is None:
            with self.drawing():
                self._draw_limits()

    def _draw_limits(self) -> None:
        if self._latest is not None:
            fact = self._latest
            lines = limit_lines(fact.settings, fact.statistics, fact.around.space)
            self.query_one("#lines", TextTable).show_lines(PAIRS, lines)
            self._tell_sums("enter: change the limits   T: the schedule   t: slow now, or not")

    def see(self, seen: Seen) -> None:
        if seen.sight is not _PAGES[self._tab].sight:
            return
        lines, sums = self.query_one("#lines", TextTable), ""
        match seen.what:
            case RateHistory():
                self.query_one(RatesView).take(seen.what)
            case TrackerHealthFacts():
                lines.show_lines(HOST_HEADINGS, *hosts_of(seen.what, self._clock()))
                sums = trouble_of(seen.what, lines.cursor_line())
            case DhtFacts():
                lines.show_lines(PAIRS, dht_lines(seen.what))
            case DiskFacts():
                lines.show_lines(DISK_HEADINGS, *disk_lines(seen.what))
                sums = disk_sums(seen.what)
            case LogFacts():
                self.level = seen.what.level
                self.query_one(LogTable).take(seen.what)
                sums = f"logged from {seen.what.level} on   ctrl+l: another level"
            case _ if seen.sight is Sight.RATES:
                self.query_one(RatesView).take(self._trail.history(self._clock()), "as seen since this was started")
            case _:
                self._nothing()
        self._tell_sums(sums)

    def _tell_sums(self, text: str) -> None:
        line = self.query_one("#sums", Static)
        line.display = bool(text)
        line.update(text)

    def _nothing(self) -> None:
        table = self.query_one("#log" if _PAGES[self._tab].widget == "log" else "#lines", TextTable)
        table.show_lines((Heading(""),), [("this daemon does not tell that",)])

    def action_tab(self, number: int) -> None:
        page = _PAGES[number]
        self._tab = number
        for name in ("rates", "lines", "log"):
            self.query_one(f"#{name}").set_class(name == page.widget, "shown")
        self.query_one("#lines", TextTable).show_lines((Heading(""),), [])
        self._tell_sums("")
        if page.widget == "rates":
            self.set_focus(None)
        else:
            self.query_one(f"#{page.widget}").focus()
        self.query_one(TabLine).open(number)
        self.look(*(() if page.sight is None else (page.sight,)))
        if page.sight is None:
            self._draw_limits()

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        self.action_tab(event.number)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        """Limits are changed where they are seen."""
        event.stop()
        if _PAGES[self._tab].sight is None:
            self.app.call_later(self.app.run_action, "verb('session-limits')")

    def action_step(self, tabs: int) -> None:
        self.action_tab((self._tab + tabs) % len(_PAGES))

    def action_zoom(self) -> None:
        self.query_one(RatesView).zoom()
