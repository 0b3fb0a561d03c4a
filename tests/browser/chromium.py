"""Headless Chromium, in profiles of the test's own."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self._opened.append(browser)
        browser.set_page_load_timeout(PATIENCE)
        return browser

    @staticmethod
    def asked_of(browser: webdriver.Chrome) -> set[str]:
        """The hosts, with ports, that its page has asked for anything since it was looked at last."""
        urls: list[str] = []
        for entry in browser.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            match event["method"]:
                case "Network.requestWillBeSent":
                    urls.append(event["params"]["request"]["url"])
                case "Network.webSocketCreated":
                    urls.append(event["params"]["url"])
        return {parts.netloc for parts in map(urlsplit, urls) if parts.scheme in ("http", "https", "ws", "wss")}

    def close(self) -> None:
        for browser in self._opened:
            browser.quit()
