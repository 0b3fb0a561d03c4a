"""Torrents that are added with a choice, and made, against a daemon in this process."""

from __future__ import annotations

import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon.client import Part, Status
from p2p.session.create import create

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def album(tmp_path):
    """A folder of two files, and beside it the torrent file."""
    folder = tmp_path / "made" / "album"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / name).write_bytes(random.Random(1).randbytes(40_000))
    (tmp_path / "album.torrent").write_bytes(await create(folder, piece_length=16_384))
    return folder


@pytest.fixture
async def daemon(tmp_path):
    async with own_daemon(tmp_path) as found:
        yield found


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def add_dialog(pilot, app, **values):
    await until(pilot, lambda: app.feed._client is not None)
    await pilot.press("a")
    await until(pilot, lambda: bool(app.screen.query("#source")))
    for name, value in values.items():
        app.screen.query_one(f"#{name}").value = value


@drives("add")
async def test_files_are_chosen_before_a_torrent_starts(daemon, album, tmp_path):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app, source=str(tmp_path / "album.torrent"), labels="a, b", choose=True)
        await pilot.press("enter")
        await shows(pilot, app, "Files of album", "[x] ▾ album/", "2 of 2 files, 78.1 KiB")
        assert (await daemon.client.torrents())[0].status is Status.STOPPED
        await pilot.press("j", "space", "plus")
        await shows(pilot, app, "[-] ▾ album/", "[ ]     one", "high", "1 of 2 files, 39.1 KiB; ", " free")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.rows) == 1 and app.rows.cursor.status is Status.DOWNLOADING)
        first, second = (await daemon.client.details(app.rows.cursor.id, Part.FILES)).files
        assert (first.wanted, second.wanted, second.priority) == (False, True, 1)
        assert app.rows.cursor.labels == ("a", "b")


async def test_a_choice_that_is_left_leaves_the_torrent_stopped(daemon, album, tmp_path):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app, source=str(tmp_path / "album.torrent"), choose=True)
        await pilot.press("enter")
        await shows(pilot, app, "Files of album")
        await pilot.press("escape")
        await shows(pilot, app, "album was added, and stands still")
        await until(pilot, lambda: len(app.rows) == 1 and app.rows.cursor.status is Status.STOPPED)


async def test_files_of_a_link_cannot_be_chosen_yet(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app, source="f" * 40, choose=True)
        await pilot.press("enter")
        await shows(pilot, app, "are not known", "stands still")


async def test_the_room_in_a_folder_is_told_while_it_is_typed(daemon, tmp_path):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: app.room != "")
        await add_dialog(pilot, app)
        await shows(pilot, app, "Folder on the daemon's machine (", " free)")
        app.screen.query_one("#folder").value = "/no/such/folder"
        await shows(pilot, app, "not known how much is free")
        app.screen.query_one("#folder").value = str(tmp_path)
        await shows(pilot, app, " free)")
        await pilot.press("escape")


@drives("create")
async def test_a_torrent_is_made_and_seeded(daemon, album):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: app.feed._client is not None)
        await pilot.press("C")
        await shows(pilot, app, "Make a torrent")
        app.screen.query_one("#path").value = str(album)
        app.screen.query_one("#trackers").value = "tracker"
        await pilot.press("enter")
        await shows(pilot, app, "URLs that begin with")
        app.screen.query_one("#trackers").value = ""
        await pilot.press("enter")
        await shows(pilot, app, "It is seeded.", "magnet:?xt=urn:btih:")
        await pilot.press("c")
        await shows(pilot, app, "copied 1 magnet link")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.rows) == 1 and app.rows.cursor.status is Status.SEEDING)
        assert app.clipboard.startswith("magnet:?xt=urn:btih:" + app.rows.cursor.hash_string)


async def test_what_cannot_be_made_is_told(daemon, tmp_path):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: app.feed._client is not None)
        await pilot.press("colon")
        app.screen.query_one("#command").value = f"create {tmp_path}/none"
        await pilot.press("enter")
        await shows(pilot, app, "Make a torrent")
        await pilot.press("enter")
        await shows(pilot, app, "cannot make a torrent of")
        await until(pilot, lambda: app.screen is app._list)
