"""The last lines of the log, kept in memory for who asks for them.

The rule: bounded by lines and by letters, so that a flood of long lines costs no more than a quiet year. Any thread
writes to it, and the loop reads.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from p2p.daemon.own_facts import LogLine
from p2p.operation.log_lines import PlainLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

MAX_LINES: Final = 2_000

MAX_LETTERS: Final = 1_000_000
"""Of all lines together: between one and four megabytes."""

MAX_LINE: Final = 4_000
"""Letters of a line, a traceback in it among them; what is beyond is cut."""


class LogRing(logging.Handler):
    """See the module's head. Takes in what is logged while entered."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(PlainLines())
        self._lines: deque[LogLine] = deque()
        self._letters = 0
        self._serials = itertools.count(1)

    def __enter__(self) -> LogRing:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        _, level, text = self.format(record).split(" ", 2)
        line = LogLine(next(self._serials), round(record.created, 3), level, record.name, text[:MAX_LINE])
        self._lines.append(line)
        self._letters += len(line.text)
        while len(self._lines) > MAX_LINES or self._letters > MAX_LETTERS:
            self._letters -= len(self._lines.popleft().text)

    @property
    def serial(self) -> int:
        """Of the last line; 0 before the first."""
        with self._held():
            return self._lines[-1].serial if self._lines else 0

    def after(self, serial: int, level: int = logging.NOTSET) -> list[LogLine]:
        """Lines after that serial, of that level or above, the oldest first."""
        numbers = logging.getLevelNamesMapping()
        found: list[LogLine] = []
        with self._held():
            for line in reversed(self._lines):
                if line.serial <= serial:
                    break
                if numbers.get(line.level.upper(), logging.CRITICAL) >= level:
                    found.append(line)
        found.reverse()
        return found

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Under the handler's own lock, which `emit` runs under."""
        self.acquire()
        try:
            yield
        finally:
            self.release()
