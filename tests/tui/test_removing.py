"""Torrents that are removed, asked about as much as there is to lose, and brought back."""

from __future__ import annotations

import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.session.create import create

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def daemon(tmp_path):
    async with own_daemon(tmp_path) as found:
        yield found


async def add(daemon, tmp_path, *names):
    """With their content."""
    for name in names:
        (tmp_path / "in" / name).write_bytes(random.Random(name).randbytes(20_000))
        data = await create(tmp_path / "in" / name, piece_length=16_384)
        await daemon.client.add(data, paused=True)


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


@drives("remove-content", "undo")
async def test_what_was_removed_is_chosen_of_a_list_and_brought_back(daemon, tmp_path):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: app.room != "")
        await pilot.press("U")
        await shows(pilot, app, "there is nothing to undo")
        await add(daemon, tmp_path, "first", "second")
        await until(pilot, lambda: len(app.rows) == 2)
        await pilot.press("R")
        await shows(pilot, app, "It can be undone for")
        await pilot.press("y")
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("R")
        await shows(pilot, app, "Remove 1 torrent")
        await pilot.press("y")
        await until(pilot, lambda: len(app.rows) == 0)
        await pilot.press("U")
        await shows(pilot, app, "Bring back", "first", "second", "Still")
        lines = screen_of(app)
        assert lines.index("second") < lines.index("first")
        await pilot.press("j", "enter")
        await until(pilot, lambda: [row.name for row in app.every()] == ["first"])
        await pilot.press("colon")
        await until(pilot, lambda: bool(app.screen.query("#command")))
        app.screen.query_one("#command").value = "undo SECO"
        await pilot.press("enter")
        await until(pilot, lambda: len(app.rows) == 2)
        assert (tmp_path / "in" / "second").stat().st_size == 20_000


@drives("remove")
async def test_many_are_removed_by_their_number(daemon):
    for number in range(1, 12):
        await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn=n{number}", paused=True)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 11)
        await pilot.press("A", "r")
        await shows(pilot, app, "Remove 11 torrents", "type 11 to remove them")
        await pilot.press("y", "enter")
        await shows(pilot, app, "11 is how many they are")
        await pilot.press("backspace", "1", "1", "enter")
        await until(pilot, lambda: len(app.rows) == 0)
