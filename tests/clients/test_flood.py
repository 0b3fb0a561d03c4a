"""Flood, a web interface, in headless Chromium over the daemon: a torrent is added by its link, watched and steered."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from chromium import PATIENCE
from selenium.common.exceptions import ElementClickInterceptedException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from waiting import DEADLINE, until

from p2p.cli.description import magnet_link
from p2p.metainfo.metainfo import Metainfo

pytestmark = pytest.mark.rival

FLOOD = Path(__file__).parents[2] / ".venv" / "npm" / "node_modules" / ".bin" / "flood"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
async def flood(steered, need):
    """It, over the daemon; where it is served."""
    program = str(FLOOD) if FLOOD.exists() else need("flood")
    port = free_port()
    rpc = ("--auth", "none", "--trurl", steered.url, "--truser", "none", "--trpass", "none")
    place = ("--port", str(port), "--rundir", steered.home / "flood", "--allowedpath", steered.folder.parent)
    with (steered.home / "flood.log").open("wb") as log:
        running = subprocess.Popen(
            [program, *rpc, *place],
            stdout=log,
            stderr=log,
            env=os.environ | {"HOME": str(steered.home)},
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}/"
    try:
        async with asyncio.timeout(DEADLINE):
            await until(lambda: is_served(url), bool)
        yield url
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def is_served(url):
    try:
        with urlopen(url, timeout=PATIENCE):
            return True
    except URLError:
        return False


class Page:
    """What a person sees on a page, and does there."""

    def __init__(self, browser):
        self._browser = browser

    def open(self, url):
        self._browser.get(url)

    def see(self, selector, text=""):
        """Waits for such an element with that text in it."""

        def found(browser):
            shown = browser.find_elements(By.CSS_SELECTOR, selector)
            return next((each for each in shown if text in each.text), None)

        return WebDriverWait(self._browser, PATIENCE).until(found)

    def click(self, selector, text=""):
        """Waits until nothing that goes away lies over it."""
        waiting = WebDriverWait(self._browser, PATIENCE, ignored_exceptions=[ElementClickInterceptedException])
        waiting.until(lambda _: self.see(selector, text).click() or True)

    def type(self, selector, text):
        self.see(selector).send_keys(text)

    def miss(self, selector):
        """Waits until there is no such element."""
        waiting = WebDriverWait(self._browser, PATIENCE)
        waiting.until(lambda browser: not browser.find_elements(By.CSS_SELECTOR, selector))


async def test_a_link_becomes_a_torrent_that_is_watched_stopped_started_and_removed(steered, flood, browse):
    link = magnet_link(Metainfo.from_bytes(steered.torrent.read_bytes()))

    def steer():
        page = Page(browse("--window-size=1300,800"))
        page.open(flood)
        page.miss(".application__loading-overlay")
        page.click(".action--add-torrent")
        page.type("input[name=urls-0]", link)
        page.click(".modal__actions .button--primary")
        page.see(".torrent--is-seeding.torrent--is-completed", "content.bin")
        page.click(".torrent")
        page.click(".action--stop-torrent")
        page.see(".torrent--is-stopped", "content.bin")
        page.click(".action--start-torrent")
        page.see(".torrent--is-seeding", "content.bin")
        assert steered.downloaded
        page.click(".action--remove-torrent")
        page.click(".modal__actions .button--primary")
        page.miss(".torrent")

    async with asyncio.timeout(DEADLINE):
        await asyncio.to_thread(steer)
