"""What is added by pasting several, from the clipboard, and by looking through the files of this machine."""

from __future__ import annotations

import os
import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until
from textual.events import Paste

from p2p.daemon.client import Space, TorrentChanges
from p2p.session.create import create
from tui import clipboard as clipboard_module

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def daemon(tmp_path):
    async with own_daemon(tmp_path) as found:
        yield found


@pytest.fixture
async def shelf(tmp_path):
    """A folder with two torrent files, another file, a folder that nobody can read, and a hidden one."""
    shelf = tmp_path / "shelf"
    for name in ("inner", ".secret"):
        (shelf / name).mkdir(parents=True)
    for name in ("apple", "banana"):
        content = tmp_path / name
        content.write_bytes(random.Random(name).randbytes(30_000))
        (shelf / f"{name}.torrent").write_bytes(await create(content, piece_length=16_384))
    (shelf / "notes.txt").write_text("no torrent")
    return shelf


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def add_dialog(pilot, app):
    await until(pilot, lambda: app.feed._client is not None)
    await pilot.press("a")
    await until(pilot, lambda: bool(app.screen.query("#source")))


def names(app):
    return [row.name for row in app.every()]


@drives("add")
async def test_several_lines_that_are_pasted_are_several_torrents(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app)
        links = [f"magnet:?xt=urn:btih:{number:040x}&dn=n{number}" for number in (1, 2)]
        app.post_message(Paste("\n".join([*links, f"{3:064x}", ""])))
        await shows(pilot, app, "3 torrents: 2 magnet links, 1 info-hash of version 2")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(app.rows) == 3)


async def test_what_is_typed_is_named_and_sized_and_red_where_there_is_no_room(daemon, shelf, monkeypatch):
    app = app_before(daemon.url)

    async def room(_):
        return Space(10_000, 1_000_000)

    monkeypatch.setattr(app.feed, "room", room)
    async with played(app) as pilot:
        await add_dialog(pilot, app)
        line = app.screen.query_one("#source")
        line.value = str(shelf / "apple.torrent")
        await shows(pilot, app, "torrent file: apple, 1 file, 29.3 KiB", "(9.8 KiB free, 29.3 KiB wanted)")
        assert app.screen.query_one("#room").has_class("short")
        line.value = str(shelf / "notes.txt")
        await until(pilot, lambda: app.screen.query_one("#kind").has_class("short"))
        assert not app.screen.query_one("#room").has_class("short")
        line.value = str(shelf)
        await shows(pilot, app, "it is a folder")


async def test_a_torrent_that_is_there_is_gone_to(daemon):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        for number, name in enumerate(["apple", "banana", "cherry"], 1):
            await daemon.client.add(f"magnet:?xt=urn:btih:{number:040x}&dn={name}", paused=True)
        await until(pilot, lambda: len(app.rows) == 3)
        await pilot.press("slash", *"apple", "enter")
        await add_dialog(pilot, app)
        app.screen.query_one("#source").value = f"{3:040x}"
        await pilot.press("enter")
        await shows(pilot, app, "cherry is there already", "3 torrents")
        assert app.rows.cursor.name == "cherry"


async def test_files_of_this_machine_are_looked_through(daemon, shelf):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app)
        app.screen.query_one("#source").value = f"{shelf}/inner/"
        await pilot.press("ctrl+o")
        await shows(pilot, app, "/shelf/inner", "..", "0 here")
        await pilot.press("left")
        await shows(pilot, app, "inner/", "apple.torrent", "banana.torrent")
        assert "notes" not in screen_of(app)
        assert ".secret" not in screen_of(app)
        await pilot.press("ctrl+t")
        await shows(pilot, app, ".secret/")
        await pilot.press("end", "shift+up", "shift+up")
        await shows(pilot, app, "2 files marked")
        await pilot.press("enter")
        await shows(pilot, app, "2 torrents: 2 torrent files")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: names(app) == ["apple", "banana"])


async def test_what_is_typed_filters_and_a_double_click_takes(daemon, shelf):
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app)
        app.screen.query_one("#source").value = f"{shelf}/"
        await pilot.press("ctrl+o")
        await shows(pilot, app, "banana.torrent")
        await pilot.press(*"nan")
        await until(pilot, lambda: "apple.torrent" not in screen_of(app))
        await pilot.press("backspace", "backspace", "backspace")
        await shows(pilot, app, "apple.torrent")
        await pilot.click("#folder-table", offset=(5, 3), times=2)
        await shows(pilot, app, "torrent file: apple")


async def test_a_folder_that_cannot_be_read_is_named(daemon, shelf, monkeypatch):
    app = app_before(daemon.url)
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    async with played(app) as pilot:
        await add_dialog(pilot, app)
        app.screen.query_one("#source").value = f"{shelf}/"
        await pilot.press("ctrl+o")
        await shows(pilot, app, "inner/")
        await pilot.press("down", "enter")
        await shows(pilot, app, "inner: Permission denied", "apple.torrent")


async def test_the_clipboard_is_read_by_a_program(daemon, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "xclip"
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(clipboard_module, "PATIENCE", 0.2)
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await add_dialog(pilot, app)
        await pilot.press("ctrl+v")
        await shows(pilot, app, "no program here reads the clipboard")
        program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
        program.chmod(0o755)
        await pilot.press("ctrl+v")
        await shows(pilot, app, "xclip does not answer")
        monkeypatch.setattr(clipboard_module, "PATIENCE", 10.0)
        program.write_text(f"#!/bin/sh\necho {5:040x}\necho {6:040x}\n")
        await pilot.press("ctrl+v")
        await shows(pilot, app, "2 torrents: 2 info-hashes")


async def test_folders_and_labels_that_were_used_are_offered(daemon, tmp_path):
    await daemon.client.add(f"magnet:?xt=urn:btih:{1:040x}&dn=n", paused=True)
    await daemon.client.change([f"{1:040x}"], TorrentChanges(labels=("linux",)))
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1 and app.rows.cursor.labels == ("linux",))
        await add_dialog(pilot, app)
        app.screen.query_one("#source").value = f"{2:040x}"
        app.screen.query_one("#folder").value = str(tmp_path / "else")
        app.screen.query_one("#labels").focus()
        await pilot.press(*"new, li")
        await until(pilot, lambda: app.screen.query_one("#labels")._suggestion == "new, linux")
        await pilot.press("right", "ctrl+s")
        await until(pilot, lambda: len(app.rows) == 2)
        assert {row.labels for row in app.every()} == {("linux",), ("new", "linux")}
        await add_dialog(pilot, app)
        await pilot.press("ctrl+n")
        assert app.screen.query_one("#folder").value == str(tmp_path / "else")
        await pilot.press("ctrl+n")
        assert app.screen.query_one("#folder").value == str(tmp_path / "in")
