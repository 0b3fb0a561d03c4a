"""Headless Chromium, in profiles of the test's own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 20.0
"""Seconds for a page, or for the program that serves it."""

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


class Chromium:
    """Opens browsers whose profiles are below `folder`; `close` ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: list[webdriver.Chrome] = []

    @staticmethod
    def missing() -> bool:
        return shutil.which("chromium") is None or shutil.which("chromedriver") is None

    def open(self, *flags: str) -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        profile = f"--user-data-dir={self._folder / f'profile-{len(self._opened)}'}"
        for flag in (*FLAGS, *flags, profile):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self._opened.append(browser)
        browser.set_page_load_timeout(PATIENCE)
        return browser

    def close(self) -> None:
        for browser in self._opened:
            browser.quit()
