"""The daemon's log as it grows: it stays at the end for whoever is there."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tui.details import Heading
from tui.safe_text import safe
from tui.widgets.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.own_facts import LogFacts, LogLine

MOST_LINES: Final = 2_000
"""As many as a daemon keeps."""

_HEADINGS: Final = (Heading("Time", 8), Heading("Level", 7), Heading("What"))
_CLASSES: Final = {"warning": "table--marked", "error": "table--bad", "critical": "table--bad", "debug": "table--faint"}


class LogTable(TextTable):
    """Of all that is logged, or of lines with one of some words."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._kept: deque[LogLine] = deque(maxlen=MOST_LINES)

    def take(self, facts: LogFacts, words: Sequence[str] = ()) -> None:
        """Lines that are new; with `words` those alone that have one of them."""
        if self._kept and facts.serial < self._kept[-1].serial:
            self._kept.clear()  # this is another daemon's log
        known = self._kept[-1].serial if self._kept else 0
        fresh = [line for line in facts.lines if line.serial > known]
        fresh = [line for line in fresh if not words or any(word and word in line.text for word in words)]
        if not fresh and self._headings:
            return
        follows = self.cursor_line() >= self.count() - 1
        self._kept.extend(fresh)
        self.show_lines(_HEADINGS, [_cells(line) for line in self._kept], [_class(line) for line in self._kept])
        if follows:
            self.action_last()


def _cells(line: LogLine) -> tuple[str, str, str]:
    time = f"{datetime.fromtimestamp(line.time, UTC).astimezone():%H:%M:%S}" if 0 < line.time < 2**37 else ""
    return time, safe(line.level), safe(line.text)


def _class(line: LogLine) -> str:
    return _CLASSES.get(line.level, "table--line")
