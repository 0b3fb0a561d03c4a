"""The driver of a terminal that is closed."""

from __future__ import annotations

import os

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from tui.terminal import Lossy


def test_drawing_goes_on_without_a_terminal():
    """Textual's thread that writes is there to the end, so that nobody waits for it."""
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
        os.close(master)
        writer = WriterThread(Lossy(file))
        writer.start()
        for _ in range(3 * MAX_QUEUED_WRITES):
            writer.write("text" * 1000)
        writer.stop()
        assert not writer.is_alive()
