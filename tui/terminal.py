"""Textual's driver for a terminal, which may be closed, or be of another size, at any moment.

The rule: a terminal that is gone ends the interface, and keeps nothing from ending. Textual writes in a thread, which
would die of the first write that fails; whatever is drawn then would wait for room in its queue for ever, and with it
the engine, which would neither keep its state nor tell anybody that it goes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from textual import messages
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from io import TextIOWrapper

    from textual.app import App


class TerminalDriver(LinuxDriver):
    """See the module's head."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if self._file is not None:
            self._file = cast("TextIOWrapper", Lossy(self._file))

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own word: LINES and COLUMNS in the environment are of the time when it was started."""
        with suppress(OSError):
            columns, rows = os.get_terminal_size(self.fileno)
            if columns and rows:
                return columns, rows
        return super()._get_terminal_size()

    def run_input_thread(self) -> None:
        try:
            super().run_input_thread()
        except OSError:
            self._app.post_message(messages.ExitApp())


class Lossy:
    """A file whose writes go nowhere once they fail."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()
