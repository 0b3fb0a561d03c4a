"""The last lines of the log in memory."""

from __future__ import annotations

import logging

from p2p.daemon import log_ring
from p2p.daemon.log_ring import LogRing


def test_lines_are_kept_in_order_by_level():
    log = logging.getLogger("p2p.test")
    with LogRing() as ring:
        log.warning("one %d", 1)
        log.error("two")
        assert [(line.serial, line.level, line.text) for line in ring.after(0)] == [
            (1, "warning", "one 1"),
            (2, "error", "two"),
        ]
        assert [line.text for line in ring.after(0, logging.ERROR)] == ["two"]
        assert [line.text for line in ring.after(1)] == ["two"]
        assert ring.serial == 2
    log.error("after")
    assert ring.serial == 2


def test_a_traceback_stays_on_its_line():
    with LogRing() as ring:
        try:
            int("inner\nreason")
        except ValueError:
            logging.getLogger("p2p.test").exception("failed")
        (line,) = ring.after(0)
        assert line.text.startswith("failed error=")
        assert "\n" not in line.text


def test_lines_and_letters_are_bounded(monkeypatch):
    monkeypatch.setattr(log_ring, "MAX_LINES", 3)
    monkeypatch.setattr(log_ring, "MAX_LETTERS", 100)
    monkeypatch.setattr(log_ring, "MAX_LINE", 60)
    log = logging.getLogger("p2p.test")
    with LogRing() as ring:
        for number in range(5):
            log.warning("line %d", number)
        assert [line.serial for line in ring.after(0)] == [3, 4, 5]
        log.warning("x" * 1000)
        log.warning("y" * 1000)
        assert [line.text for line in ring.after(0)] == ["y" * 60]
