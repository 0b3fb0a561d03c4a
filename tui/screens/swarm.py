"""The swarm of one torrent: the choking round as it happens, peer by peer, and a journal of what changes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from textual.widgets import Static

from p2p.daemon.own_facts import ChokingFacts
from tui.choking import news, summary, table_of
from tui.safe_text import safe
from tui.screens.over import OverScreen
from tui.sights import Sight
from tui.widgets.head_line import HeadLine, standing_of
from tui.widgets.hints import Hints
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from p2p.daemon.client_values import TorrentRow
    from tui.facts import Seen

JOURNAL: Final = 100
"""Lines that are kept of it: more than any screen has."""

LEGEND: Final = "● has a slot  ◆ the optimistic one  · waits for one   * interested"


class SwarmScreen(OverScreen):
    """`row` looks the torrent up in the list, where it may be no more; `clock` tells seconds since the epoch."""

    def __init__(self, hash_string: str, row: Callable[[], TorrentRow | None], clock: Callable[[], float]) -> None:
        super().__init__(hash_string)
        self._row = row
        self._clock = clock
        self._facts: ChokingFacts | None = None
        self._journal: deque[str] = deque(maxlen=JOURNAL)

    def compose(self) -> ComposeResult:
        yield HeadLine(id="figures")
        yield Static("asking", id="round", markup=False)
        yield TextTable(id="swarm")
        yield Static("", id="journal", markup=False)
        yield Static(LEGEND, id="legend", markup=False)
        yield Hints()

    def on_mount(self) -> None:
        self.query_one(TextTable).focus()
        self.look(Sight.CHOKING)

    def see(self, seen: Seen) -> None:
        if isinstance(seen.what, ChokingFacts):
            self._journal.extend(news(self._facts, seen.what, self._clock()))
            self._facts = seen.what
        row = self._row()
        head = self.query_one(HeadLine)
        if row is None:
            head.tell("this torrent is gone")
        else:
            head.tell(safe(row.name), standing_of(row))
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._facts is None:
            return
        self.query_one("#round", Static).update("\n".join(summary(self._facts)))
        table = self.query_one("#swarm", TextTable)
        table.nothing = "no peers are connected"
        table.show_lines(*table_of(self._facts, table.width))
        journal = self.query_one("#journal", Static)
        room = max(1, journal.size.height)
        lines = [f" {line}" for line in list(self._journal)[-room:]]
        journal.update("\n".join(lines) or " what changes is told here")
