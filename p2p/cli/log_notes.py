"""What the engine logs, as notes on stderr: one line each, with `STARLING_TRACEBACK=1` the whole of a bug."""

from __future__ import annotations

import logging
import os
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from p2p.cli.console import note

if TYPE_CHECKING:
    from collections.abc import Iterator


class _NoteHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = None if record.exc_info is None else record.exc_info[1]
        if error is None:
            note(record.getMessage())
            return
        note(f"{record.getMessage()}: {type(error).__name__}: {error}")
        if os.environ.get("STARLING_TRACEBACK"):
            traceback.print_exception(error)


@contextmanager
def log_notes() -> Iterator[None]:
    """While inside, every warning and error of any logger is noted."""
    handler = _NoteHandler(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
