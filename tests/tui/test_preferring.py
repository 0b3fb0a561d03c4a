"""What a person prefers, at work: keys, views, columns, order, theme, and that what is changed is remembered."""

from __future__ import annotations

import json

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import NOW, app_before, played, screen_of, until

from tui.app import StarlingApp
from tui.memory import Memory

pytestmark = pytest.mark.timeout(60)


def app_with(url, config, memory=None):
    return StarlingApp(app_before(url).feed._find, lambda: NOW, config, memory)


async def add(daemon, *names):
    for number, name in enumerate(names, 1):
        await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=number != 1)


def names(app):
    return [app.rows.at(line).name for line in range(len(app.rows))]


def heading(app):
    return screen_of(app).splitlines()[1].split()


async def test_keys_order_columns_views_and_theme_are_a_persons_own(tmp_path):
    config = 'theme = "nord"\nsort = ["-name"]\ncolumns = ["place", "name"]\n[keys]\nhelp = "f9"\nadd = "r"\n'
    async with own_daemon(tmp_path) as daemon:
        await add(daemon, "apple", "banana")
        app = app_with(daemon.url, config + '[views]\n2 = "banana"\n3 = {filter = "", sort = ["name"]}')
        async with played(app) as pilot:
            await until(pilot, lambda: names(app) == ["banana", "apple"])
            await until(pilot, lambda: "r is the key of remove" in screen_of(app))
            assert app.theme == "nord"
            assert heading(app) == ["#", "Name▼"]
            await pilot.press("2")
            await until(pilot, lambda: names(app) == ["banana"])
            await pilot.press("3")
            await until(pilot, lambda: names(app) == ["apple", "banana"])
            app.action_verb("columns", "nane")
            await until(pilot, lambda: "there is no 'nane'" in screen_of(app))
            await pilot.press("f9")
            await until(pilot, lambda: "KEYS" in screen_of(app))


@drives("columns", "sort", "save-view", "theme")
async def test_columns_order_views_and_theme_that_are_changed_are_remembered(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        await add(daemon, "apple", "banana")
        memory = Memory(tmp_path / "state" / "tui.json")
        app = app_with(daemon.url, 'columns = ["name", "size", "ratio"]', memory)
        async with played(app) as pilot:
            await until(pilot, lambda: names(app) == ["apple", "banana"])
            usual = app.theme
            await pilot.press("ctrl+k", "down", "space", "K", "K", "plus", "enter")  # no size; the ratio first, wider
            await until(pilot, lambda: heading(app) == ["Ratio", "Name▲"])
            await pilot.press("s", "r", "enter")
            await until(pilot, lambda: names(app) == ["banana", "apple"])
            app.action_verb("filter", "banana")
            await pilot.press("enter", "V")
            await until(pilot, lambda: bool(app.screen.query("#key")))
            await pilot.press("x", "enter")
            await until(pilot, lambda: "a key from 1 to 9, or 0" in screen_of(app))
            await pilot.press("backspace", "5", "enter")
            await pilot.press("ctrl+t", "home")
            await until(pilot, lambda: app.theme == min(app.available_themes))  # seen before it is taken
            await pilot.press("escape")
            await until(pilot, lambda: app.theme == usual)
            app.action_verb("theme", "nord")
        kept = json.loads(memory.path.read_text())
        assert kept["columns"] == {"value": ["ratio:7", "name"], "over": ["name", "size", "ratio"]}
        again = app_with(daemon.url, 'columns = ["name", "size", "ratio"]', memory)
        async with played(again) as pilot:
            await until(pilot, lambda: names(again) == ["banana", "apple"])
            assert (again.theme, heading(again)) == ("nord", ["Ratio", "Name▼"])
            await pilot.press("5")
            await until(pilot, lambda: names(again) == ["banana"])


async def test_the_order_is_stacked_by_menu_and_headings(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        await add(daemon, "apple", "banana", "cherry")
        app = app_with(daemon.url, 'columns = ["name", "state"]')
        async with played(app) as pilot:
            await until(pilot, lambda: len(app.rows) == 3)
            await pilot.press("s", "down", "space", "K", "enter")
            await until(pilot, lambda: "by state, name" in screen_of(app))
            assert names(app) == ["apple", "banana", "cherry"]
            await pilot.click("#torrents", offset=(4, 0))
            await pilot.click("#torrents", offset=(4, 0))
            await until(pilot, lambda: "by name down, state" in screen_of(app))
            assert names(app) == ["cherry", "banana", "apple"]
            await pilot.press("s", "down", "down", "s", "escape")
            assert [level.column for level in app.rows.levels] == ["name", "state"]


@pytest.mark.parametrize(("config", "level"), [("", "none"), ("motion = false", "none"), ("motion = true", "full")])
async def test_nothing_blinks_or_slides_unless_it_is_wished_for(tmp_path, config, level):
    async with own_daemon(tmp_path) as daemon:
        app = app_with(daemon.url, config)
        async with played(app) as pilot:
            await pilot.press("slash")
            await until(pilot, lambda: getattr(app.focused, "id", "") == "filter")
            assert (app.focused.cursor_blink, app.animation_level) == (level == "full", level)
