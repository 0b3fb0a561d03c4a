"""What is set down in `tui.toml`, at work: keys, views, columns, order, theme, servers."""

from __future__ import annotations

import pytest
from own_daemon import own_daemon
from stage import NOW, app_before, played, screen_of, until

from tui.app import StarlingApp

pytestmark = pytest.mark.timeout(60)


def app_with(url, config):
    return StarlingApp(app_before(url).feed._find, lambda: NOW, config)


async def add(daemon, *names):
    for number, name in enumerate(names, 1):
        await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=number != 1)


def names(app):
    return [app.rows.at(line).name for line in range(len(app.rows))]


async def test_keys_order_columns_views_and_theme_are_a_persons_own(tmp_path):
    config = 'theme = "nord"\nsort = ["-name"]\ncolumns = ["place", "name"]\ncolour = 1\n[keys]\nhelp = "f9"\n'
    async with own_daemon(tmp_path) as daemon:
        await add(daemon, "apple", "banana")
        app = app_with(daemon.url, config + '[views]\n2 = "banana"')
        async with played(app) as pilot:
            await until(pilot, lambda: names(app) == ["banana", "apple"])
            await until(pilot, lambda: "'colour'" in screen_of(app))
            assert app.theme == "nord"
            assert screen_of(app).splitlines()[1].split() == ["#", "Name▼"]
            await pilot.press("2")
            await until(pilot, lambda: names(app) == ["banana"])
            await pilot.press("4", "1")
            await until(pilot, lambda: names(app) == ["banana", "apple"])
            await pilot.press("ctrl+k")
            await until(pilot, lambda: bool(app.screen.query("#columns")))
            app.screen.query_one("#columns").value = "name, nane"
            await pilot.press("enter")
            await until(pilot, lambda: "there is no 'nane'" in screen_of(app))
            app.screen.query_one("#columns").value = "name size"
            await pilot.press("enter")
            await until(pilot, lambda: screen_of(app).splitlines()[1].split() == ["Name▼", "Size"])
            await pilot.press("f9")
            await until(pilot, lambda: "KEYS" in screen_of(app))


async def test_servers_are_switched_by_key_and_name(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with own_daemon(tmp_path / "one") as one, own_daemon(tmp_path / "two") as two:
        await add(one, "apple")
        await add(two, "banana", "cherry")
        app = app_with(one.url, f'[[servers]]\nname = "second"\nurl = "{two.url}"')
        async with played(app) as pilot:
            await until(pilot, lambda: names(app) == ["apple"])
            await pilot.press("ctrl+o")
            await until(pilot, lambda: names(app) == ["banana", "cherry"])
            await until(pilot, lambda: app.feed._client is not None)
            await pilot.press("ctrl+o")
            await until(pilot, lambda: names(app) == ["apple"])
            await pilot.press("colon", *"server x", "enter")
            await until(pilot, lambda: "no server 'x'; there are second" in screen_of(app))
            await pilot.press("colon", *"server second", "enter")
            await until(pilot, lambda: names(app) == ["banana", "cherry"])
