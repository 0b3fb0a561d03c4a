"""The server's log: records with named facts, one a line, as plain text or as JSON.

The rule: what came from outside in a record stays on its line and within its quotes, and a reader of the log that goes
away or cannot be written to never stops the server.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.config import LogConfig

LOGGER: Final = "tracker"
"""Above all loggers of this package."""

_FACTS: Final = "facts"
_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@[]+%")
"""What a value may be made of to stand without quotes."""


def tell(event: str, /, *, level: int = logging.INFO, **facts: object) -> None:
    """Log that something happened. `facts` are plain values: numbers, texts, lists of them."""
    logging.getLogger(LOGGER).log(level, event, extra={_FACTS: facts})


class JsonLines(logging.Formatter):
    """`{"event": "listening", "time": 1795249741.534, "level": "info", "urls": [...]}`."""

    def format(self, record: logging.LogRecord) -> str:
        head = {"event": record.getMessage(), "time": round(record.created, 3), "level": record.levelname.lower()}
        return json.dumps({**head, **_facts(record), **_trace(self, record)}, ensure_ascii=True, default=str)


class PlainLines(logging.Formatter):
    """`2026-11-21T10:02:21Z info listening urls=http://127.0.0.1:6969/announce`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = {**_facts(record), **_trace(self, record)}
        words = [f"{name}={_plain(value)}" for name, value in facts.items()]
        message = "".join(sign if sign.isprintable() else _escaped(sign) for sign in record.getMessage())
        return " ".join([time, record.levelname.lower(), message, *words])


class _Lines(logging.Handler):
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


@contextmanager
def logging_to(stream: TextIO, config: LogConfig) -> Iterator[LogControl]:
    """While inside, this package logs to `stream`, and so does every warning of others."""
    root, own = logging.getLogger(), logging.getLogger(LOGGER)
    before = own.level
    handler = _Lines(stream)
    control = LogControl(handler)
    control.apply(config)
    root.addHandler(handler)
    try:
        yield control
    finally:
        root.removeHandler(handler)
        own.setLevel(before)


class LogControl:
    """Changes format and level of a running log."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler

    def apply(self, config: LogConfig) -> None:
        """From now on."""
        self._handler.setFormatter(JsonLines() if config.format.value == "json" else PlainLines())
        logging.getLogger(LOGGER).setLevel(config.level.number)


def _facts(record: logging.LogRecord) -> Mapping[str, object]:
    facts = getattr(record, _FACTS, None)
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
