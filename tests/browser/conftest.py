"""Fixtures of the tests in a browser: headless Chromium, and a tracker to look at.

`STARLING_REQUIRE_RIVALS=1` makes a browser that is missing a failure instead of a skip.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chromium import Chromium
from served_tracker import Tracker


@pytest.fixture
def serve(tmp_path):
    """Runs a tracker with options."""
    running = []

    def start(*options: str) -> Tracker:
        running.append(Tracker(tmp_path, *options))
        return running[-1]

    yield start
    for tracker in running:
        tracker.close()


@pytest.fixture
def browse(tmp_path):
    """Opens a browser."""
    if Chromium.missing():
        reason = "chromium or chromedriver is not installed"
        if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    browsers = Chromium(tmp_path)
    yield browsers.open
    browsers.close()
