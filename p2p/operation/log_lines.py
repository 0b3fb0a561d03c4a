"""The log of a server of ours: records with named facts, one a line, as plain text or as JSON.

The rule: what came from outside in a record stays on its line and within its quotes, and a reader of the log that goes
away or cannot be written to never stops the server.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FACTS: Final = "facts"
"""The attribute of a record that holds its named facts: plain values, that is numbers, texts, lists of them."""

_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@[]+%")
"""What a value may be made of to stand without quotes."""


class LogLevel(StrEnum):
    """The least that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        return logging.getLevelNamesMapping()[self.name]


class JsonLines(logging.Formatter):
    """`{"event": "listening", "time": 1795249741.534, "level": "info", "urls": [...]}`."""

    def format(self, record: logging.LogRecord) -> str:
        head = {"event": record.getMessage(), "time": round(record.created, 3), "level": record.levelname.lower()}
        return json.dumps({**head, **facts_of(record), **_trace(self, record)}, ensure_ascii=True, default=str)


class PlainLines(logging.Formatter):
    """`2026-11-21T10:02:21Z info listening urls=http://127.0.0.1:6969/announce`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = {**facts_of(record), **_trace(self, record)}
        words = [f"{name}={_plain(value)}" for name, value in facts.items()]
        message = "".join(sign if sign.isprintable() else _escaped(sign) for sign in record.getMessage())
        return " ".join([time, record.levelname.lower(), message, *words])


class Lines(logging.Handler):
    """Writes lines and flushes each; after the first that cannot be written, none."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream: TextIO | None = stream

    def emit(self, record: logging.LogRecord) -> None:
        if self._stream is None:
            return
        line = self.format(record)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError:  # the reader is gone or the disk is full: serving goes on
            self._stream = None


class LogControl:
    """Changes format and level of a running log: `handler` writes it, `logger` is above all that it tells of."""

    def __init__(self, handler: logging.Handler, logger: str) -> None:
        self._handler = handler
        self._logger = logging.getLogger(logger)

    @property
    def level(self) -> LogLevel:
        """The least that is told, now."""
        numbers = {each.number: each for each in LogLevel}
        return numbers.get(self._logger.getEffectiveLevel(), LogLevel.INFO)

    def set_form(self, form: logging.Formatter) -> None:
        """Write so from now on."""
        self._handler.setFormatter(form)

    def set_level(self, level: LogLevel) -> None:
        """Tell nothing less from now on."""
        self._logger.setLevel(level.number)


@contextmanager
def lines_to(stream: TextIO, logger: str) -> Iterator[LogControl]:
    """While inside, `logger` and all below it log to `stream`, and so does every warning of others."""
    root, own = logging.getLogger(), logging.getLogger(logger)
    before = own.level
    handler = Lines(stream)
    root.addHandler(handler)
    try:
        yield LogControl(handler, logger)
    finally:
        root.removeHandler(handler)
        own.setLevel(before)


def facts_of(record: logging.LogRecord) -> Mapping[str, object]:
    """The named facts of a record."""
    facts = getattr(record, FACTS, None)
    return facts if isinstance(facts, dict) else {}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> dict[str, object]:
    if record.exc_info is None or record.exc_info[1] is None:
        return {}
    error = record.exc_info[1]
    return {"error": f"{type(error).__name__}: {error}", "traceback": formatter.formatException(record.exc_info)}


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(_plain(each) for each in value) or '""'
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value)
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=True)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
