"""Fixtures of the tests in a browser: headless Chromium, and a tracker to look at.

`STARLING_REQUIRE_RIVALS=1` makes a browser that is missing a failure instead of a skip.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(Path(__file__).parent))

from served_tracker import PATIENCE, Tracker

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        reason = "chromium or chromedriver is not installed"
        if os.environ.get("STARLING_REQUIRE_RIVALS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    opened = []

    def start() -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={tmp_path / f'profile-{len(opened)}'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(driver))
        opened.append(browser)
        browser.set_page_load_timeout(PATIENCE)
        return browser

    yield start
    for browser in opened:
        browser.quit()
