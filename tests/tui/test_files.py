"""The files of a torrent as a tree, by keys and mouse, against a daemon in this process."""

from __future__ import annotations

import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon.client import Part, Priority
from p2p.session.create import create

pytestmark = pytest.mark.timeout(60)

NAMES = ("cd 2/a", "cd 10/b", "cd 10/c", "cover")


@pytest.fixture
async def daemon(tmp_path):
    """With a torrent of four files in two folders, of which nothing is there."""
    folder = tmp_path / "made" / "album"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(random.Random(1).randbytes(20_480))
    data = await create(folder, piece_length=16_384)
    async with own_daemon(tmp_path) as found:
        await found.client.add(data, paused=True)
        yield found


@pytest.fixture
def app(daemon):
    return app_before(daemon.url)


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def at_files(pilot, app):
    await until(pilot, lambda: len(app.rows) == 1)
    await pilot.press("enter", "2")
    await shows(pilot, app, "▾ album/", "▾ cd 2/", "▾ cd 10/", "4 files, 80 KiB")


async def wishes(daemon, app):
    """Of each file by its name's last letter: whether it is wanted, and its priority."""
    files = (await daemon.client.details(app.rows.cursor.id, Part.FILES)).files
    return {file.name[-1]: (file.wanted, file.priority) for file in files}


def line_with(app, text):
    return next(line for line in screen_of(app).splitlines() if text in line)


@drives("file-skip", "file-want")
async def test_a_folder_is_skipped_and_wanted_and_its_sum_says_so(daemon, app):
    async with played(app) as pilot:
        await at_files(pilot, app)
        await pilot.press("j", "j", "j", "0")
        await until(pilot, lambda: "skipped" in line_with(app, "cd 10/"))
        assert await wishes(daemon, app) == {"a": (True, 0), "b": (False, 0), "c": (False, 0), "r": (True, 0)}
        assert "mixed" in line_with(app, "album/")
        assert "40 KiB" in line_with(app, "cd 10/")
        await shows(pilot, app, "2 skipped")
        await pilot.press("w")
        await until(pilot, lambda: "normal" in line_with(app, "album/"))


@drives("mark", "mark-all", "invert-marks", "unmark", "mark-up", "mark-down", "file-high", "file-low", "file-normal")
async def test_marks_are_acted_on_together(daemon, app):
    async with played(app) as pilot:
        await at_files(pilot, app)
        await pilot.press("j", "x", "end", "shift+up")
        await shows(pilot, app, "2 marked")
        assert " ~ " in line_with(app, "album/")
        await pilot.press("plus")
        await until(pilot, lambda: "high" in line_with(app, "cover"))
        assert await wishes(daemon, app) == {"a": (True, 1), "b": (True, 0), "c": (True, 0), "r": (True, 1)}
        await pilot.press("i", "minus")
        await until(pilot, lambda: "low" in line_with(app, "cd 10/"))
        assert app.rows.cursor.bandwidth_priority is Priority.NORMAL
        await pilot.press("A", "equals_sign")
        await until(pilot, lambda: "normal" in line_with(app, "album/"))
        await pilot.press("u", "home", "shift+down")
        await shows(pilot, app, "4 marked")


async def test_folders_are_opened_and_shut_by_keys_and_left_leaves_from_the_outermost(app):
    async with played(app) as pilot:
        await at_files(pilot, app)
        await pilot.press("j", "j", "left", "left")
        await shows(pilot, app, "▸ cd 2/")
        await pilot.press("enter")
        await shows(pilot, app, "▾ cd 2/")
        await pilot.press("home", "enter")
        await shows(pilot, app, "▸ album/")
        assert "cover" not in screen_of(app)
        await pilot.press("right")
        await shows(pilot, app, "cover")
        await pilot.press("left", "left")
        await until(pilot, lambda: app.screen is app._list)


@drives("filter", "file-sort")
async def test_files_are_filtered_while_it_is_typed_and_sorted(app):
    async with played(app) as pilot:
        await at_files(pilot, app)
        await pilot.press("slash", *"10/c cd")
        await shows(pilot, app, "album/cd 10/c", "1 with 10/c cd")
        assert "cover" not in screen_of(app)
        await pilot.press("enter", "x")
        await shows(pilot, app, "1 marked")
        await pilot.press("escape")
        await shows(pilot, app, "▾ cd 2/", "1 marked")
        await pilot.press("s")
        await shows(pilot, app, "Size▲")
        await pilot.click("#file-table", offset=(5, 0))
        await shows(pilot, app, "File▲")
        await pilot.click("#file-table", offset=(8, 1), times=2)
        await shows(pilot, app, "▸ album/")


async def test_every_file_is_chosen_by_a_word(daemon, app):
    async with played(app) as pilot:
        await at_files(pilot, app)
        app.action_verb("file-skip", "all")
        await until(pilot, lambda: "skipped" in line_with(app, "album/"))
        app.action_verb("file-skip", "most")
        await shows(pilot, app, "after this verb")
