"""Every screen and dialog, at the smallest size that is meant to be comfortable and at a large one, as it is kept."""

from __future__ import annotations

import made_up
import pytest
from comparing import compared
from still_client import StillClient

from p2p.daemon.own_facts import CreationState

pytestmark = pytest.mark.timeout(100)
SIZES = ((80, 24), (200, 60))


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request):
    return request.param


async def test_the_list(size):
    async with compared(size) as seen:
        await seen.shot("torrents", "15 torrents", "▼ 3.3 MiB/s")
        await seen.press("down", "x", "x", "end")
        await seen.shot("torrents-marked", "2 marked")
        await seen.press("u", "home", "slash", *"lee")
        await seen.shot("filter", "filter: lee")
        await seen.press(*"ching & size>")
        await seen.shot("filter-wrong", "at ")
        await seen.press("escape", "slash", *"nosuchname", "enter")
        await seen.shot("filter-nothing", "0 of 15")
        await seen.press("escape", "colon")
        await seen.shot("command", "a verb")
        await seen.press(*"so")
        await seen.shot("command-typed", "so")
        await seen.press("escape", "s")
        await seen.shot("sort", "Sorted by")
        await seen.press("escape", "question_mark")
        await seen.shot("help", "KEYS")
        await seen.press("escape", "ctrl+p")
        await seen.shot("palette", "Search")
        await seen.press("escape")


async def test_an_empty_list(size, monkeypatch):
    monkeypatch.setattr(StillClient, "rows", ())
    async with compared(size) as seen:
        await seen.shot("torrents-none", "0 torrents", "▼ 3.3 MiB/s")


async def test_a_long_list(size, monkeypatch):
    monkeypatch.setattr(StillClient, "rows", made_up.many(10_000))
    async with compared(size) as seen:
        await seen.shows("10,000 torrents", "▼ 3.3 MiB/s")
        seen.app.action_verb("sort", "size")
        await seen.press("end", "pageup", "pageup")
        await seen.shot("torrents-many", "10,000 torrents")


async def test_a_daemon_that_is_not_there(size, monkeypatch):
    monkeypatch.setattr(StillClient, "fails", "cannot connect to 127.0.0.1:9091: connection refused")
    async with compared(size) as seen:
        await seen.shot("lost", "no connection")
        await seen.press("I")
        await seen.shot("lost-session", "no connection")


async def test_a_connection_that_is_lost(size):
    async with compared(size) as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        StillClient.fails = "cannot connect to 127.0.0.1:9091: connection refused"
        try:
            await seen.press("enter")
            await seen.shows("Pieces")
            seen.app.feed._client.gone.set()
            await seen.shot("lost-details", "no connection", "Pieces")
            await seen.press("escape")
            await seen.shot("lost-list", "no connection", "15 torrents")
        finally:
            StillClient.fails = ""


async def test_a_torrent(size):
    async with compared(size) as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        await seen.press("home", "slash", *"atlas", "enter", "enter")
        await seen.shot("details-overview", "as a leecher")
        await seen.press("2")
        await seen.shot("details-files", "plate-01")
        await seen.press("3")
        await seen.shot("details-peers", "qBittorrent")
        await seen.press("4")
        await seen.shot("details-trackers", "tracker.example.org")
        await seen.press("5")
        await seen.shot("details-pieces", "1,076 pieces")
        await seen.press("6")
        await seen.shot("details-rates", "peak")
        await seen.press("7")
        await seen.shot("details-log", "calls itself")
        await seen.press("escape", "W")
        await seen.shot("swarm", "next round", "has come")


async def test_the_session(size):
    async with compared(size) as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        await seen.press("I")
        await seen.shot("session-rates", "peak")
        await seen.press("2")
        await seen.shot("session-trackers", "gone.example.com")
        await seen.press("3")
        await seen.shot("session-dht", "Buckets")
        await seen.press("4")
        await seen.shot("session-disk", "% free")
        await seen.press("5")
        await seen.shot("session-log", "listening")
        await seen.press("6")
        await seen.shot("session-limits", "Alternative")
        await seen.press("question_mark")
        await seen.shot("session-help", "KEYS")


async def test_what_is_asked(size):
    async with compared(size) as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        await seen.press("home", "slash", *"atlas", "enter")
        for key, name, *texts in (
            ("a", "add", "Labels"),
            ("C", "create", "Make a torrent", "Comment"),
            ("r", "remove", "Remove 1 torrent"),
            ("R", "remove-content", "DELETE"),
            ("m", "move", "Move atlas"),
            ("f2", "rename", "Rename atlas"),
            ("L", "labels", "Labels of atlas"),
            ("d", "limits", "Limits of atlas"),
            ("D", "limits-session", "kB/s"),
            ("ctrl+k", "columns", "Columns"),
            ("ctrl+t", "themes", "nord"),
            ("S", "servers", "erver"),
            ("V", "view", "Save what is seen"),
            ("U", "undo", "last-years-backup"),
        ):
            await seen.press(key)
            await seen.shot(name, *texts)
            await seen.press("escape")
        seen.app.ask_password("nas.example.org:9091")
        await seen.shot("password", "Password")
        await seen.press("escape", "escape", "A", "R")
        await seen.shot("remove-many", "Remove 15 torrents")
        await seen.press("escape")


async def test_what_is_told(size, monkeypatch):
    async with compared(size) as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        await seen.press("v")
        await seen.shot("done", "done: verify")
        seen.app.clear_notifications()
        seen.app.say("there is no column 'speed'; there are name, state, done, size", warn=True)
        await seen.shot("warned", "there is no column")
        seen.app.clear_notifications()
        await seen.press("C")
        await seen.shows("Make a torrent")
        await seen.press(*"/srv/recordings", "enter")
        await seen.shot("creation", "280 MiB of 700 MiB")
        monkeypatch.setattr(StillClient, "creation", CreationState.DONE)
        await seen.shot("creation-done", "It is seeded.")


async def test_files_to_choose(size):
    async with compared(size) as seen:
        await seen.shows("15 torrents", "▼ 3.3 MiB/s")
        from tui.adding import Wanted

        seen.app._choose(Wanted("x", "", (), False, True), made_up.details(made_up.LEECHING), made_up.SPACE)
        await seen.shot("choose", "Files of atlas", "of 9 files")
