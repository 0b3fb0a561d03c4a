"""The list and its verbs, by keys, against a daemon in this process."""

from __future__ import annotations

import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon.client import Status
from p2p.session.create import create

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def torrent_file(tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "fresh.iso").write_bytes(random.Random(1).randbytes(50_000))
    data = await create(folder / "fresh.iso", piece_length=16_384)
    path = tmp_path / "fresh.torrent"
    path.write_bytes(data)
    return path


@pytest.fixture
async def daemon(tmp_path):
    async with own_daemon(tmp_path) as found:
        yield found


def magnet(number, name):
    return f"magnet:?xt=urn:btih:{number:040x}&dn={name}"


async def rows_are(pilot, app, names):
    await until(pilot, lambda: [app.rows.at(line).name for line in range(len(app.rows))] == names)


@drives("filter", "mark", "mark-all", "invert-marks", "command", "sort")
async def test_torrents_are_seen_filtered_marked_and_sorted(daemon):
    for number, name in enumerate(["apple", "banana", "cherry"], 1):
        await daemon.client.add(magnet(number, name), paused=number != 2)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await rows_are(pilot, app, ["apple", "banana", "cherry"])
        await until(pilot, lambda: "3 torrents" in screen_of(app))
        await until(pilot, lambda: "metadata" in screen_of(app))
        await pilot.press("j", "x", "k")
        assert app.rows.cursor.name == "banana"
        assert app.rows.marked == 1
        await pilot.press("slash", *"!erry", "enter")
        await rows_are(pilot, app, ["apple", "banana"])
        await pilot.press("escape")
        await rows_are(pilot, app, ["apple", "banana", "cherry"])
        await pilot.press("colon", *"sort name", "enter")
        await rows_are(pilot, app, ["cherry", "banana", "apple"])
        assert app.rows.cursor.name == "banana"
        await pilot.press("A", "i")
        assert app.rows.marked == 0


async def test_a_filter_that_means_nothing_yet_is_explained(daemon):
    await daemon.client.add(magnet(1, "apple"), paused=True)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await rows_are(pilot, app, ["apple"])
        await pilot.press("slash", *"apple | size>")
        await until(pilot, lambda: "a value is missing" in screen_of(app))
        assert len(app.rows) == 1
        await pilot.press("escape")
        assert app.rows.query.text == ""


@drives("add", "toggle", "toggle-all", "start-now")
async def test_a_torrent_file_is_added_stopped_and_started(daemon, torrent_file):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: bool(app.screen.query("#source")))
        app.screen.query_one("#source").value = str(torrent_file)
        await pilot.press("ctrl+s")
        await rows_are(pilot, app, ["fresh.iso"])
        assert app.rows.cursor.status is Status.STOPPED
        await pilot.press("space")
        await until(pilot, lambda: app.rows.cursor.status is Status.DOWNLOADING)
        await pilot.press("Y")
        await until(pilot, lambda: app.rows.cursor.status is Status.STOPPED)
        await pilot.press("N")
        await until(pilot, lambda: app.rows.cursor.status is Status.DOWNLOADING)


@drives("verify", "reannounce")
async def test_content_is_checked_and_trackers_are_asked(daemon, torrent_file):
    await daemon.client.add(torrent_file.read_bytes(), paused=False)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await rows_are(pilot, app, ["fresh.iso"])
        await pilot.press("v", "n")
        await until(pilot, lambda: "done: ask the trackers" in screen_of(app))
        await until(pilot, lambda: "done: verify fresh.iso" in screen_of(app))


async def test_an_info_hash_is_a_magnet_link_and_a_second_one_is_told(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        for _ in range(2):
            await pilot.press("a")
            await until(pilot, lambda: bool(app.screen.query("#source")))
            app.screen.query_one("#source").value = f"{7:040x}"
            await pilot.press("enter")
            await until(pilot, lambda: len(app.rows) == 1)
        await until(pilot, lambda: "is there already" in screen_of(app))


async def test_a_path_that_is_none_is_told(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: app.feed._client is not None)
        await pilot.press("a", *"/no/such", "enter")
        await until(pilot, lambda: "No such file" in screen_of(app))


async def test_removing_asks_with_count_and_size(daemon, torrent_file):
    await daemon.client.add(torrent_file.read_bytes(), paused=True)
    await daemon.client.add(magnet(1, "[bold]a\x1b[31m"), paused=True)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 2)
        await pilot.press("A", "R")
        await until(pilot, lambda: "Remove 2 torrents and DELETE 0 B of content?" in screen_of(app))
        assert "[bold]a" in screen_of(app)
        await pilot.press("enter", "n")
        assert len(await daemon.client.torrents()) == 2
        await pilot.press("u", "g", "r")
        await until(pilot, lambda: "Remove 1 torrent, and leave 0 B" in screen_of(app))
        await pilot.press("y")
        await rows_are(pilot, app, ["fresh.iso"])


@drives("help", "quit")
async def test_help_has_the_keys_that_are_bound(daemon):
    app = app_before(daemon.url)
    async with played(app, size=(100, 120)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "Check the content against its hashes" in screen_of(app))
        assert "tracker:debian" in screen_of(app)
        await pilot.press("escape", "q")
    assert app.return_code == 0


async def test_the_scrollbar_hides_no_column(daemon):
    for number in range(1, 31):
        await daemon.client.add(magnet(number, f"torrent {number:02}"), paused=True)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 30)
        await until(pilot, lambda: "torrent 01" in screen_of(app))
        assert "ETA" in screen_of(app).splitlines()[1]
        await pilot.press("end")
        await until(pilot, lambda: "torrent 30" in screen_of(app))
        assert "torrent 01" not in screen_of(app)


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (300, 80)])
async def test_any_size_of_terminal_is_drawn(daemon, size):
    await daemon.client.add(magnet(1, "apple"), paused=True)
    app = app_before(daemon.url)
    async with played(app, size=size) as pilot:
        await rows_are(pilot, app, ["apple"])
        await pilot.resize_terminal(40, 12)
        await until(pilot, lambda: "apple" in screen_of(app))


@drives("reconnect")
async def test_nobody_there_is_shown_and_recovered_from_without_losing_the_place(daemon):
    await daemon.client.add(magnet(1, "apple"), paused=True)
    await daemon.client.add(magnet(2, "banana"), paused=True)
    app = app_before("127.0.0.1:9")
    places = ["127.0.0.1:9"]

    async def find():
        return await app_before(places[-1]).feed._find()

    app.feed._find = find
    async with played(app) as pilot:
        await until(pilot, lambda: "again in 1 s" in screen_of(app))
        await pilot.press("space")
        await until(pilot, lambda: "there is no torrent here" in screen_of(app))
        places.append(daemon.url)
        await pilot.press("ctrl+r")
        await rows_are(pilot, app, ["apple", "banana"])
        await pilot.press("j")
        assert app.rows.cursor.name == "banana"


async def test_verbs_are_in_the_palette(daemon):
    await daemon.client.add(magnet(1, "apple"), paused=True)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await rows_are(pilot, app, ["apple"])
        await pilot.press("ctrl+p", *"invert-marks")
        await until(pilot, lambda: "Mark what is not marked" in screen_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.rows.marked == 1)


async def test_a_verb_that_is_none_is_told_with_those_there_are(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await pilot.press("colon", *"st", "enter")
        await until(pilot, lambda: "no verb 'st'; there are start" in screen_of(app))
