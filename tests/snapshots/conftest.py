"""The interface before a daemon that is made up, on a day that stands still."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "tui"))


@pytest.fixture(autouse=True)
def still(monkeypatch):
    """One zone of time, no wish of the environment's about colours, and the daemon that is made up."""
    from still_client import StillClient

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setattr("tui.feed.FIRST_PAUSE", 30.0)
    monkeypatch.setattr("tui.feed.SESSION_INTERVAL", 3_600.0)  # each look adds a bar to the rates that were seen
    monkeypatch.setattr("p2p.daemon.client.Client", StillClient)
    yield
    monkeypatch.undo()
    time.tzset()
