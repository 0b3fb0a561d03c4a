"""`starling tui --web` over a daemon, in headless Chromium: logged in, looked at, steered, and left."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from chromium import PATIENCE, Chromium
from programs import STARLING, make_torrent
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from waiting import DEADLINE

PASSWORD = "sesame 1 & 2"
NASTY = "<b>bold</b> \u202egnp"
"""A name that is shown as it is, but for what would turn its direction; the engine has taken the slash out."""

HELP = "Ask the trackers for peers now"
"""A line of the page of keys."""

LAPTOP = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}

HOOK = """
Object.defineProperty(Object.prototype, 'fitAddon', {
  configurable: true,
  set(value) {
    window.drawn = this;
    Object.defineProperty(this, 'fitAddon', { value, writable: true, configurable: true });
  },
});
"""
"""Catches the terminal when it takes up the part that fits it to the page: it draws on a canvas, where no text is."""

SCREEN = """
const terminal = window.drawn?.terminal;
if (!terminal) return '';
const lines = Array.from({ length: terminal.rows }, (_, row) => terminal.buffer.active.getLine(row));
return lines.map((line) => line?.translateToString(true) ?? '').join('\\n');
"""


class Page:
    """The interface, in a browser."""

    def __init__(self, browser, url):
        self._browser = browser
        self._browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HOOK})
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", LAPTOP)
        self._url = url

    def until(self, seen):
        """Waits until something holds of the screen; what it shows then."""
        try:
            return WebDriverWait(self._browser, PATIENCE, 0.1).until(
                lambda browser: (screen := browser.execute_script(SCREEN)) and seen(screen) and screen
            )
        except TimeoutException:
            raise AssertionError(self._browser.execute_script(SCREEN)) from None

    def open(self):
        self._browser.get(self._url)

    def log_in(self, password):
        field = self._browser.find_element(By.ID, "password")
        field.send_keys(password, Keys.ENTER)
        WebDriverWait(self._browser, PATIENCE).until(lambda _: self._is_gone(field))

    @staticmethod
    def _is_gone(element):
        try:
            element.is_enabled()
        except Exception:  # noqa: BLE001 - stale, or in a page that is being taken down
            return True
        return False

    def alert(self):
        return self._browser.find_element(By.CSS_SELECTOR, "[role=alert]").text

    def press(self, *keys):
        self._browser.switch_to.active_element.send_keys(*keys)

    def tap(self, name):
        """A key of those that are shown where there is no keyboard."""
        self._browser.find_element(By.CSS_SELECTOR, f"#keys [aria-label={name}]").click()

    def become_a_phone(self):
        self._browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        self._browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def click_when_shown(self, text):
        button = self._browser.find_element(By.XPATH, f"//button[text()='{text}']")
        WebDriverWait(self._browser, PATIENCE).until(lambda _: button.is_displayed())
        button.click()

    def complaints(self):
        """What was blocked, missing or thrown since it was looked at last."""
        return [each for each in self._browser.get_log("browser") if each["level"] in ("WARNING", "SEVERE")]

    @property
    def is_login(self):
        return bool(self._browser.find_elements(By.ID, "password"))


def steer(page):
    """What a person does in it."""
    page.open()
    assert page.is_login
    page.log_in("sesame")
    assert "not the password" in page.alert()
    assert ["403" in each["message"] for each in page.complaints()] == [True]
    page.log_in(PASSWORD)
    screen = page.until(lambda screen: "content.bin" in screen and "leeching" in screen)
    assert "<b>bold<_b> " in screen
    page.press("G", Keys.SPACE)
    page.until(lambda screen: "stopped" in line_of(screen, "content.bin"))
    page.press("?")
    page.until(lambda screen: HELP in screen)
    page.become_a_phone()
    page.open()
    page.until(lambda screen: "stopped" in line_of(screen, "content.bin"))
    page.press("?")
    page.until(lambda screen: HELP in screen)
    page.tap("Escape")
    page.until(lambda screen: HELP not in screen and "content.bin" in screen)


def line_of(screen, name):
    return next((line for line in screen.splitlines() if name in line), "")


def leave(page):
    page.press("q")
    page.click_when_shown("Log out")
    WebDriverWait(page, PATIENCE).until(lambda page: page.is_login)


async def test_torrents_are_steered_from_a_browser_that_asks_nobody_else(programs, tmp_path, seed, browse):
    _, torrent = make_torrent(tmp_path, seed, 100_000)
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n", encoding="utf-8")
    async with asyncio.timeout(DEADLINE):
        place = ("--rpc-port", 0, "--rpc-password-file", secret, "--download-dir", tmp_path / "in")
        daemon = await programs.starling("daemon", *place, state="daemon")
        rpc = (await daemon.event("listening"))["rpc"]
        there = ("--connect", rpc, "--password-file", secret)
        add = (STARLING, "add", torrent, f"magnet:?xt=urn:btih:{'ab' * 20}&dn={NASTY}", *there, "--json")
        assert await (await programs.start("add", *add, state="add")).ended() == 0
        web = ("tui", "--web", "--web-port", 0, *there, "--json")
        served = await programs.start("tui", STARLING, *web, state="web")
        url = (await served.event("listening"))["url"]
        browser = await asyncio.to_thread(browse)
        page = Page(browser, url)
        await asyncio.to_thread(steer, page)
        assert page.complaints() == []
        lines = [each.read_bytes() for each in Path("/proc").glob("[0-9]*/cmdline") if each.exists()]
        assert not any(PASSWORD.encode() in line for line in lines)
        await asyncio.to_thread(leave, page)
        assert await asyncio.to_thread(Chromium.asked_of, browser) == {url.split("/")[2]}
        assert await served.end(signal.SIGINT) == 130
