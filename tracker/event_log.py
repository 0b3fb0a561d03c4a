"""The tracker's log, by the rules of `p2p.operation.log_lines`."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from p2p.operation.log_lines import FACTS, JsonLines, LogControl, PlainLines, lines_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.config import LogConfig

LOGGER: Final = "tracker"
"""Above all loggers of this package."""


def tell(event: str, /, *, level: int = logging.INFO, **facts: object) -> None:
    """Log that something happened. `facts` are plain values: numbers, texts, lists of them."""
    logging.getLogger(LOGGER).log(level, event, extra={FACTS: facts})


@contextmanager
def logging_to(stream: TextIO, config: LogConfig) -> Iterator[LogSettings]:
    """While inside, this package logs to `stream`, and so does every warning of others."""
    with lines_to(stream, LOGGER) as control:
        settings = LogSettings(control)
        settings.apply(config)
        yield settings


class LogSettings:
    """Takes up what the configuration says of a running log."""

    def __init__(self, control: LogControl) -> None:
        self._control = control

    def apply(self, config: LogConfig) -> None:
        """From now on."""
        self._control.set_form(JsonLines() if config.format.value == "json" else PlainLines())
        self._control.set_level(config.level)
