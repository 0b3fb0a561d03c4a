"""The daemon's log as it grows: it stays at the end for whoever is there."""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.cells import chop_cells

from tui.details import Heading
from tui.safe_text import safe
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events

    from p2p.daemon.own_facts import LogFacts, LogLine

MOST_LINES: Final = 2_000
"""As many as a daemon keeps."""

_HEADINGS: Final = (Heading("Time", 8), Heading("Level", 7), Heading("What"))
_CLASSES: Final = {"warning": "table--marked", "error": "table--bad", "critical": "table--bad", "debug": "table--faint"}


class LogTable(TextTable):
    """Of all that is logged, or of what is about one torrent."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._kept: deque[LogLine] = deque(maxlen=MOST_LINES)

    def take(self, facts: LogFacts, info_hash: str = "", number: int | None = None) -> None:
        """Lines that are new; with an info-hash those alone that name it, or the torrent's number here."""
        if self._kept and facts.serial < self._kept[-1].serial:
            self._kept.clear()  # this is another daemon's log
        known = self._kept[-1].serial if self._kept else 0
        fresh = [line for line in facts.lines if line.serial > known]
        if info_hash:
            named = re.compile(rf"\b{re.escape(info_hash)}\b" + ("" if number is None else rf"|\bid={number}\b"))
            fresh = [line for line in fresh if named.search(line.text)]
        if not fresh and self._headings:
            return
        self._kept.extend(fresh)
        self._show()

    def _show(self) -> None:
        """Every line in whole, in as many lines as it takes."""
        follows = self.cursor_line() >= self.count() - 1
        room = max(10, self.width - sum(heading.width for heading in _HEADINGS) - len(_HEADINGS))
        cells = [each for line in self._kept for each in _wrapped(line, room)]
        self.show_lines(_HEADINGS, [each for each, _ in cells], [name for _, name in cells])
        if follows:
            self.go(self.count() - 1)
            self.call_after_refresh(self.show_cursor)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if self._kept:
            self._show()


def _wrapped(line: LogLine, room: int) -> Iterator[tuple[tuple[str, str, str], str]]:
    time = f"{datetime.fromtimestamp(line.time, UTC).astimezone():%H:%M:%S}" if 0 < line.time < 2**37 else ""
    head = (time, safe(line.level))
    for part in chop_cells(safe(line.text), room) or [""]:
        yield (*head, part), _CLASSES.get(line.level, "table--line")
        head = ("", "")
