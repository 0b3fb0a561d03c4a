"""Verbs that change torrents and the session, by keys and dialogs, against a daemon in this process."""

from __future__ import annotations

import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon.client import Priority
from p2p.session.create import create

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def daemon(tmp_path):
    """With a torrent of two files, of which nothing is there."""
    folder = tmp_path / "made" / "album"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / name).write_bytes(random.Random(1).randbytes(40_000))
    data = await create(folder, piece_length=16_384)
    async with own_daemon(tmp_path) as found:
        await found.client.add(data, paused=True)
        yield found


async def listed(pilot, app, number=1):
    await until(pilot, lambda: len(app.rows) == number and app.feed._client is not None)


async def typed(pilot, app, field, text):
    """Into a field of the dialog that opens."""
    await until(pilot, lambda: bool(app.screen.query(f"#{field}")))
    app.screen.query_one(f"#{field}").value = text


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


@drives("move")
async def test_content_is_moved_where_is_said(daemon, tmp_path):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await listed(pilot, app)
        await pilot.press("m")
        await shows(pilot, app, "Move album", "only look for it")
        await typed(pilot, app, "folder", "")
        await pilot.press("enter")
        await shows(pilot, app, "a folder of the daemon's machine")
        await typed(pilot, app, "folder", str(tmp_path / "else"))
        await pilot.press("enter")
        await until(pilot, lambda: app.rows.cursor.download_dir == str(tmp_path / "else"))
        await pilot.press("colon")
        app.screen.query_one("#command").value = f"move {tmp_path}/in"
        await pilot.press("enter")
        await until(pilot, lambda: app.rows.cursor.download_dir == str(tmp_path / "in"))


@drives("rename")
async def test_a_torrent_and_a_file_of_it_are_renamed(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await listed(pilot, app)
        await pilot.press("f2")
        await typed(pilot, app, "name", "a/b")
        await pilot.press("enter")
        await shows(pilot, app, "a name, without a slash")
        await typed(pilot, app, "name", "songs")
        await pilot.press("enter")
        await until(pilot, lambda: app.rows.cursor.name == "songs")
        await pilot.press("enter", "2")
        await shows(pilot, app, "songs/", "one", "two")
        await pilot.press("end", "f2")
        await shows(pilot, app, "Rename two", "in songs")
        await typed(pilot, app, "name", "second")
        await pilot.press("enter")
        await shows(pilot, app, "one", "second")
        await pilot.press("home", "f2")
        await shows(pilot, app, "Rename songs")
        await typed(pilot, app, "name", "album")
        await pilot.press("enter")
        await shows(pilot, app, "album/", "second")


@drives("labels")
async def test_labels_are_written(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await listed(pilot, app)
        await pilot.press("L")
        await typed(pilot, app, "labels", " linux, iso , linux")
        await pilot.press("enter")
        await until(pilot, lambda: app.rows.cursor.labels == ("linux", "iso"))
        await pilot.press("L")
        await shows(pilot, app, "Labels of album", "linux, iso")
        await pilot.press("escape")


@drives("limits")
async def test_a_torrent_is_limited_and_let_go(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await listed(pilot, app)
        torrent = app.rows.cursor.id
        await pilot.press("d")
        await typed(pilot, app, "down", "fast")
        await pilot.press("enter")
        await shows(pilot, app, "a number of kB/s")
        await typed(pilot, app, "down", "70")
        await typed(pilot, app, "ratio", "1.5")
        await pilot.press("enter")
        await shows(pilot, app, "done: limit album")
        details = await daemon.client.details(torrent)
        assert (details.download_limit, details.download_limited, details.upload_limited) == (70, True, False)
        assert (details.seed_ratio_limit, details.seed_ratio_mode.value) == (1.5, 1)
        await pilot.press("d")
        await until(pilot, lambda: bool(app.screen.query("#down")))
        assert app.screen.query_one("#down").value == "70"
        await typed(pilot, app, "down", "")
        await pilot.press("enter")
        while (await daemon.client.details(torrent)).download_limited:
            await pilot.pause(0.01)


@drives("session-limits", "slow")
async def test_the_session_is_limited_and_slowed_by_a_key(daemon):
    app = app_before(daemon.url)
    async with played(app, size=(160, 24)) as pilot:
        await listed(pilot, app)
        await pilot.press("D")
        await typed(pilot, app, "speed_limit_up", "200")
        await typed(pilot, app, "alt_speed_up", "10")
        await pilot.press("enter")
        await shows(pilot, app, "of 195 KiB/s")
        await pilot.press("t")
        await shows(pilot, app, "of 9.8 KiB/s", "slow")
        await pilot.press("t")
        await shows(pilot, app, "of 195 KiB/s")


@drives("priority-up", "priority-down", "queue-up", "queue-down", "queue-top", "queue-bottom", "sequential")
async def test_torrents_are_weighed_and_put_in_order(daemon):
    for number, name in enumerate(["banana", "cherry"], 1):
        await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=True)
    app = app_before(daemon.url)

    def order():
        rows = [app.rows.at(line) for line in range(len(app.rows))]
        return [row.name for row in sorted(rows, key=lambda row: row.queue_position)]

    async with played(app) as pilot:
        await listed(pilot, app, 3)
        await pilot.press("plus")
        await until(pilot, lambda: app.rows.cursor.bandwidth_priority is Priority.HIGH)
        await pilot.press("minus")
        await until(pilot, lambda: app.rows.cursor.bandwidth_priority is Priority.NORMAL)
        assert order() == ["album", "banana", "cherry"]
        await pilot.press("ctrl+end")
        await until(pilot, lambda: order() == ["banana", "cherry", "album"])
        await pilot.press("K")
        await until(pilot, lambda: order() == ["banana", "album", "cherry"])
        await pilot.press("ctrl+home")
        await until(pilot, lambda: order() == ["album", "banana", "cherry"])
        await pilot.press("J")
        await until(pilot, lambda: order() == ["banana", "album", "cherry"])
        await pilot.press("O")
        await until(pilot, lambda: app.rows.cursor.sequential_download)


@drives("copy")
async def test_the_magnet_link_is_copied(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await listed(pilot, app)
        await pilot.press("c")
        await shows(pilot, app, "copied 1 magnet link")
        assert app.clipboard.startswith("magnet:?xt=urn:btih:" + app.rows.cursor.hash_string)
