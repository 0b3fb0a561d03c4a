"""Several servers: switched, added, changed, forgotten; and that nobody loses their place."""

from __future__ import annotations

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import NOW, app_before, played, screen_of, until

from p2p.daemon.access import Login, hash_password
from tui.app import StarlingApp
from tui.memory import Memory

pytestmark = pytest.mark.timeout(60)
PASSWORD = "right one"


def app_with(url, config="", memory=None):
    return StarlingApp(app_before(url).feed._find, lambda: NOW, config, memory)


async def add(daemon, *names):
    for number, name in enumerate(names, 1):
        await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=True)


def names(app):
    return [app.rows.at(line).name for line in range(len(app.rows))]


async def fill(pilot, app, **answers):
    await until(pilot, lambda: bool(app.screen.query("#" + next(iter(answers)))))
    for field, value in answers.items():
        app.screen.query_one(f"#{field}").value = value
    await pilot.press("enter")


@drives("server")
async def test_servers_are_switched_by_key_and_name_and_each_has_its_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with own_daemon(tmp_path / "one") as one, own_daemon(tmp_path / "two") as two:
        await add(one, "apple", "apricot")
        await add(two, "banana", "cherry")
        app = app_with(one.url, f'[[servers]]\nname = "second"\nurl = "{two.url}"')
        async with played(app) as pilot:
            await until(pilot, lambda: names(app) == ["apple", "apricot"])
            await pilot.press("x")
            await pilot.press("ctrl+o")
            await until(pilot, lambda: names(app) == ["banana", "cherry"])
            await until(pilot, lambda: app.feed._client is not None)
            assert app.rows.marked == 0
            await pilot.press("ctrl+o")
            await until(pilot, lambda: names(app) == ["apple", "apricot"])
            assert (app.rows.cursor.name, app.rows.marked) == ("apricot", 1)
            app.action_verb("server", "x")
            await until(pilot, lambda: "no server 'x'; there are second" in screen_of(app))
            app.action_verb("server", "second")
            await until(pilot, lambda: names(app) == ["banana", "cherry"])


@drives("servers")
async def test_a_server_is_added_with_a_password_changed_and_forgotten(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    login = Login("user", hash_password(PASSWORD, b"s" * 16))
    async with own_daemon(tmp_path / "one") as one, own_daemon(tmp_path / "two", login=login) as two:
        await add(one, "apple")
        memory, secret = Memory(tmp_path / "tui.json"), tmp_path / "secret"
        url = two.url.replace("://", "://user@")
        app = app_with(one.url, "", memory)
        async with played(app) as pilot:
            await until(pilot, lambda: names(app) == ["apple"])
            await pilot.press("S", "a")
            await fill(pilot, app, name="nas", url="not an address", password=PASSWORD, password_file=str(secret))
            await until(pilot, lambda: "is no address of a daemon" in screen_of(app))
            await fill(pilot, app, url=url)
            await until(pilot, lambda: app.server_name == "nas" and app.feed._client is not None)
            assert secret.read_text() == f"{PASSWORD}\n"
            assert secret.stat().st_mode & 0o777 == 0o600
            await until(pilot, memory.path.exists)
            assert PASSWORD not in memory.path.read_text()
            await pilot.press("S", "e")
            await fill(pilot, app, name="attic")
            await until(pilot, lambda: app.server_name == "attic" and app.feed._client is not None)
            await pilot.press("S", "r")
            await fill(pilot, app, name="nas")
            await until(pilot, lambda: "attic, to be sure" in screen_of(app))
            await fill(pilot, app, name="attic")
            await until(pilot, lambda: names(app) == ["apple"])
        assert memory.read() == ({}, ())
        assert secret.exists()
