"""The line after `:`: completed, recalled, refused at the place, on whatever is seen."""

from __future__ import annotations

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import NOW, app_before, played, screen_of, until

from p2p.daemon.client import Status
from tui.app import StarlingApp
from tui.history import NAME
from tui.memory import Memory

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def daemon(tmp_path):
    async with own_daemon(tmp_path) as found:
        for number, name in enumerate(["apple", "banana", "bandit"], 1):
            await found.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=True)
        yield found


@pytest.fixture
def app(daemon, tmp_path):
    return StarlingApp(app_before(daemon.url).feed._find, lambda: NOW, "", Memory(tmp_path / "state" / "tui.json"))


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def open_line(pilot, app):
    await until(pilot, lambda: len(app.rows) == 3)
    await pilot.press("colon")
    await until(pilot, lambda: bool(app.screen.query("#command")))
    return app.screen.query_one("#command")


@drives("start", "command")
async def test_verbs_and_names_are_completed(app):
    async with played(app) as pilot:
        line = await open_line(pilot, app)
        await pilot.press(*"start", "tab")
        await shows(pilot, app, "start-now")
        line.value = "start b"
        await pilot.press("end", "tab")
        assert line.value == "start ban"
        await pilot.press("tab")
        assert line.value == "start banana"
        await shows(pilot, app, "[banana]  bandit")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: {row.name for row in app.every() if row.status is not Status.STOPPED} == {"bandit"})
        assert app.rows.cursor.name == "apple"


async def test_a_line_that_means_nothing_stays_with_the_place(app):
    async with played(app) as pilot:
        line = await open_line(pilot, app)
        await pilot.press(*"remove pear", "enter")
        await shows(pilot, app, "▼ no torrent that is seen is so named")
        shown = next(each for each in screen_of(app).splitlines() if "▼ no" in each)
        assert shown.index("▼") == 1 + len("remove ")
        line.value = "remove apple"
        await pilot.press("enter")
        await shows(pilot, app, "Remove 1 torrent", "apple")


@drives("sort")
async def test_earlier_lines_are_kept_over_runs_and_links_are_not(app, daemon, tmp_path):
    async with played(app) as pilot:
        await open_line(pilot, app)
        await pilot.press(*"sort -name", "enter")
        await until(pilot, lambda: app.rows.at(0).name == "bandit")
        line = await open_line(pilot, app)
        line.value = "add magnet:?xt=urn:btih:x&tr=http://t/passkey"
        await pilot.press("enter", "escape")
        kept = tmp_path / "state" / NAME
        await until(pilot, lambda: kept.exists() and "sort -name" in kept.read_text())
    app = StarlingApp(app_before(daemon.url).feed._find, lambda: NOW, "", Memory(tmp_path / "state" / "tui.json"))
    async with played(app) as pilot:
        await until(pilot, lambda: app.history.lines(next(iter(app.history._lines))) != ())
        line = await open_line(pilot, app)
        await pilot.press("x", "up")
        assert line.value == "sort -name"
        await pilot.press("down")
        assert line.value == "x"
        await pilot.press("escape")
    assert "passkey" not in kept.read_text()


@drives("labels")
async def test_the_line_is_for_the_torrent_that_is_open(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 3)
        await pilot.press("down", "enter")
        await open_line(pilot, app)
        await pilot.press(*"sto", "tab", *" apple", "enter")
        await shows(pilot, app, "no torrent that is seen")
        await pilot.press("escape")
        await open_line(pilot, app)
        await pilot.press(*"labels iso", "enter")
        await until(pilot, lambda: app.rows.cursor.labels == ("iso",))
        assert app.rows.cursor.name == "banana"


@drives("filter")
async def test_terms_of_a_filter_are_completed(app):
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 3)
        await pilot.press("slash", *"!dow")
        await until(pilot, lambda: app.screen.query_one("#filter")._suggestion == "!downloading")
        await pilot.press("tab")
        assert app.screen.query_one("#filter").value == "!downloading"
        await pilot.press("enter")
        assert app.rows.query.text == "!downloading"
