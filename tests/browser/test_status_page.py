"""The status page as people see it: what it tells, who may see what, and that it works by keyboard and on a phone."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from served_tracker import PATIENCE, run

NASTY = "<script>document.title='owned'</script> & \"quotes\" 鳥"
GIB = 1 << 30
PHONE = (375, 800)
DESK = (1_100, 900)

COLOURS = """
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const color = getComputedStyle(node).backgroundColor;
    if (color !== 'rgba(0, 0, 0, 0)') return color;
  }
};
const texts = [...document.querySelectorAll('h1,h2,p,dt,dd,th,td,a')];
return texts.map((node) => [getComputedStyle(node).color, ground(node)]);
"""
"""Of each text on the page, its colour and that of its ground."""


def show_as(browser, size, scheme):
    """A screen of that size (below 500 pixels a phone), light or dark."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def figures_of(browser):
    """Each number on the page by its name."""
    return {
        each.find_element(By.TAG_NAME, "dt").text: each.find_element(By.TAG_NAME, "dd").text
        for each in browser.find_elements(By.CSS_SELECTOR, ".figures div")
    }


def rows_of(browser, heading):
    """The cells of the table in the section of that heading."""
    section = browser.find_element(By.XPATH, f"//section[h2[text()='{heading}']]")
    return [
        [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
        for row in section.find_elements(By.CSS_SELECTOR, "tbody tr")
    ]


@contextmanager
def another_page(browser):
    """What is done inside leads to another page, which is there when this is left.

    Its window knows nothing of the mark; to look at elements of the old page meanwhile is an error.
    """
    browser.execute_script("window.left = true")
    yield
    loaded = "return !window.left && document.readyState === 'complete'"
    WebDriverWait(browser, PATIENCE).until(lambda _: browser.execute_script(loaded))


def log_in(browser, passkey):
    waiting = WebDriverWait(browser, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
    waiting.until(lambda _: browser.switch_to.active_element.get_attribute("id") == "passkey")
    with another_page(browser):
        browser.find_element(By.ID, "passkey").send_keys(passkey, Keys.ENTER)


def assert_quiet(browser):
    """Nothing was blocked, missing or thrown: the policy and the page agree."""
    assert [each for each in browser.get_log("browser") if each["level"] in ("WARNING", "SEVERE")] == []


@pytest.fixture
def members(serve):
    """A private tracker, alice who has seeded, and bob who has downloaded; with their passkeys."""
    tracker = serve("--private", "tracker.db")
    added = tracker.run("member", "add", "alice", "bob", "--uploaded", "0")
    keys = {each["member"]: each["passkey"] for each in added}
    tracker.run("torrent", "add", (b"h" * 20).hex(), "--name", NASTY)
    for passkey in keys.values():
        tracker.until_known(passkey)
    return tracker, keys


def test_an_open_tracker_shows_its_swarms(serve, browse):
    tracker = serve()
    browser = browse()
    browser.get(tracker.url)
    assert "Nobody is here yet." in browser.page_source
    tracker.announce(1, left=0)
    tracker.announce(2)
    tracker.announce(3, info_hash=b"i" * 20)
    browser.get(tracker.url)
    assert browser.title == "Starling tracker"
    figures = figures_of(browser)
    assert {name: figures[name] for name in ("swarms", "peers", "seeders", "leechers")} == {
        "swarms": "2",
        "peers": "3",
        "seeders": "1",
        "leechers": "2",
    }
    assert browser.find_elements(By.ID, "passkey") == []
    assert_quiet(browser)


def test_swarms_are_listed_busiest_first(serve, browse):
    tracker = serve()
    tracker.announce(1, info_hash=b"i" * 20)
    tracker.announce(1, left=0)
    tracker.announce(2)
    browser = browse()
    browser.get(tracker.url)
    assert rows_of(browser, "Swarms") == [
        [(b"h" * 20).hex(), "1", "1", "0"],
        [(b"i" * 20).hex(), "0", "1", "0"],
    ]


def test_it_fits_and_is_readable_light_and_dark_on_a_phone_and_a_desk(serve, browse):
    """Nothing is wider than the screen, and text stands out from its ground as WCAG asks (4.5 to 1)."""
    tracker = serve()
    tracker.announce(1)
    browser = browse()
    browser.get(tracker.url)
    for size, scheme in itertools.product((PHONE, DESK), ("light", "dark")):
        show_as(browser, size, scheme)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        pairs = browser.execute_script(COLOURS)
        assert {pair for pair in map(tuple, pairs) if contrast(*pair) < 4.5} == set()
        assert (luminance(pairs[0][1]) < 0.2) == (scheme == "dark")


def luminance(color):
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_a_member_logs_in_by_passkey_and_sees_its_standing(members, browse):
    tracker, keys = members
    tracker.announce(1, passkey=keys["alice"], left=0)
    tracker.announce(2, passkey=keys["bob"])
    tracker.announce(2, passkey=keys["bob"], event="completed", left=0, downloaded=GIB)
    tracker.announce(1, passkey=keys["alice"], event="", left=0, uploaded=GIB)
    browser = browse()
    browser.get(tracker.url)
    assert "swarms" not in figures_of(browser)
    log_in(browser, keys["bob"])
    assert "bob's standing" in browser.find_element(By.TAG_NAME, "header").text
    figures = figures_of(browser)
    assert (figures["ratio"], figures["downloaded"], figures["uploaded"]) == ("0.00", "1.0 GiB", "0 B")
    assert (figures["seeding now"], figures["finished"]) == ("1", "1")
    assert rows_of(browser, "Torrents") == [[NASTY, "seeding", "0 B", "1.0 GiB", "0.00", "0 s"]]
    with another_page(browser):
        browser.find_element(By.XPATH, "//button[text()='Log out']").click()
    assert browser.find_element(By.ID, "passkey")
    log_in(browser, keys["alice"])
    assert figures_of(browser)["uploaded"] == "1.0 GiB"
    assert browser.title == "Starling tracker"
    assert_quiet(browser)


def test_duties_and_lost_rights_are_told(members, browse):
    tracker, keys = members
    tracker.run("torrent", "add", (b"i" * 20).hex(), "--name", "small")
    tracker.until_known(keys["bob"], b"i" * 20)
    tracker.announce(2, passkey=keys["bob"], info_hash=b"i" * 20)
    tracker.announce(2, passkey=keys["bob"], info_hash=b"i" * 20, event="", left=0, downloaded=GIB)
    browser = browse()
    browser.get(tracker.url)
    log_in(browser, keys["bob"])
    assert rows_of(browser, "To be seeded")[0][:2] == ["small", "3 d"]
    show_as(browser, PHONE, "light")
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_a_wrong_passkey_opens_nothing_and_guesses_are_limited(serve, browse, tmp_path):
    """From a network that no member has announced from, the right one neither, or guessing could go on."""
    (alice,) = run(tmp_path, "member", "add", "alice")
    tracker = serve("--private", "tracker.db")
    browser = browse()
    browser.get(tracker.url)
    for number in range(10):
        log_in(browser, f"{number:032}")
        assert "Passkey not found" in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text
    log_in(browser, alice["passkey"])
    assert "Too many" in browser.find_element(By.CSS_SELECTOR, "[role=alert]").text
    assert figures_of(browser) == {}


def test_a_session_ends_with_the_passkey(members, browse):
    tracker, keys = members
    browser = browse()
    browser.get(tracker.url)
    log_in(browser, keys["bob"])
    cookie = browser.get_cookie("starling_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    browser.get(tracker.url)
    assert figures_of(browser)
    tracker.run("member", "passkey", "bob", "--stolen")
    for _ in range(200):  # the server looks at the database about once a second
        browser.get(tracker.url)
        if browser.find_elements(By.ID, "passkey"):
            break
    assert browser.find_elements(By.ID, "passkey")


def test_everything_is_reached_by_keyboard(members, browse):
    tracker, keys = members
    browser = browse()
    browser.get(tracker.url)
    log_in(browser, keys["bob"])
    seen = []
    for _ in range(3):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        seen.append(focused.text)
        assert focused.value_of_css_property("outline-style") == "solid" or focused.tag_name == "body"
    assert {"Log out", "Refresh"} <= set(seen)
