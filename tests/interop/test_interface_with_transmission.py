"""The terminal interface before Debian's transmission-daemon: every screen opens, every verb works or says why not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))

from stage import NOW, played, screen_of, until
from transmission_daemon import NEEDS_TRANSMISSION, transmission_daemon

from p2p.daemon.client import Client, Part, Server
from p2p.session.create import create
from tui.app import StarlingApp
from tui.feed import Access

pytestmark = [*NEEDS_TRANSMISSION, pytest.mark.timeout(120)]
PASSWORD = "hush"


def noting(url):
    """The interface, which keeps what it tells."""

    async def find():
        return Access(Server.parse(url), PASSWORD)

    app = StarlingApp(find, lambda: NOW)
    app.told, notify = [], app.notify

    def told(message, **parts):
        app.told.append(f"{parts.get('title', '')} {message}".strip())
        notify(message, **parts)

    app.notify = told
    return app


@pytest.fixture
async def before(tmp_path):
    """The interface before a Transmission with two torrents of two files, one of them complete; and a client of it."""
    made = tmp_path / "in"
    for name in ("album", "book"):
        (made / name).mkdir(parents=True)
        for file in ("a.txt", "b.txt"):
            (made / name / file).write_bytes(name.encode() * 5_000)
    torrents = [await create(made / name, trackers=("http://127.0.0.1:1/announce",)) for name in ("album", "book")]
    async with (
        transmission_daemon(tmp_path, PASSWORD) as daemon,
        Client(Server.parse(daemon.url), password=PASSWORD) as client,
    ):
        for torrent in torrents:
            await client.add(torrent, paused=True)
        app = noting(daemon.url)
        async with played(app, size=(110, 32)) as pilot:
            await until(pilot, lambda: len(app.rows) == 2 and app.feed._client is not None)
            yield app, pilot, client


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


async def test_every_screen_opens(before):
    app, pilot, _ = before
    await shows(pilot, app, "port ", "free", "2 torrents")
    await pilot.press("enter")
    for key, texts in {
        "1": ("Overview", "as a"),
        "2": ("album/", "a.txt"),
        "3": ("no peers are connected",),
        "4": ("http://127.0.0.1:1/announce",),
        "5": ("pieces",),
        "6": ("as seen since this was opened",),
        "7": ("this daemon does not tell its log",),
    }.items():
        await pilot.press(key)
        await shows(pilot, app, *texts)
    await pilot.press("escape", "W")
    await shows(pilot, app, "rounds are not told")
    await pilot.press("escape", "I")
    for key, texts in {
        "1": ("as seen since this was started",),
        **dict.fromkeys("2345", ("this daemon does not tell that",)),
        "6": ("Alternative", "Schedule"),
    }.items():
        await pilot.press(key)
        await shows(pilot, app, *texts)
    assert app.told == []


PLAIN = {
    "start": "done: start album",
    "stop": "done: stop album",
    "start-now": "done: start album at once",
    "toggle": "done: stop album",
    "toggle-all": "done: stop 2 torrents",
    "verify": "done: verify album",
    "reannounce": "done: ask the trackers of album for peers",
    "queue-up": "done: move album in the queue",
    "queue-down": "done: move album in the queue",
    "queue-top": "done: move album in the queue",
    "queue-bottom": "done: move album in the queue",
    "priority-up": "done: give album high priority",
    "priority-down": "done: give album normal priority",
    "slow": "done: switch the slow limits",
    "copy": "copied 1 magnet link",
    "sequential": "this server has no sequential_download, which Transmission 4.1 brought",
    "undo": "this daemon cannot undo a removal",
    "log-level": "has no method starling_log_set",
}
"""Verbs that ask nothing, and what they tell of it."""


async def told(pilot, app, text):
    await until(pilot, lambda: any(text in each for each in app.told))


async def test_verbs_that_ask_nothing_work_or_say_what_the_server_lacks(before):
    app, pilot, client = before
    for name, text in PLAIN.items():
        app.told.clear()
        app.action_verb(name)
        await told(pilot, app, text)
    rows = (await client.changes()).torrents
    assert sorted(row.name for row in rows) == ["album", "book"]


ASKED = {
    "limits": ({"down": "100", "ratio": "2"}, "done: limit album"),
    "session-limits": ({"speed_limit_down": "500"}, "done: limit the session"),
    "schedule": ({"begin": "22:00", "days": "weekends"}, "done: change the schedule"),
    "labels": ({"labels": "one, two"}, "done: label album"),
    "rename": ({"name": "songs"}, "done: rename"),
}
"""Verbs that ask, what is answered, and what is told then."""


async def fill(pilot, app, answers):
    await until(pilot, lambda: bool(app.screen.query(f"#{next(iter(answers))}")))
    for field, text in answers.items():
        app.screen.query_one(f"#{field}").value = text
    await pilot.press("enter")


async def test_verbs_that_ask_do_what_is_answered(before):
    app, pilot, client = before
    for name, (answers, text) in ASKED.items():
        app.action_verb(name)
        await fill(pilot, app, answers)
        await told(pilot, app, text)
    await until(pilot, lambda: {app.rows.at(line).name for line in range(2)} == {"songs", "book"})
    row = next(row for row in (await client.changes()).torrents if row.name == "songs")
    assert row.labels == ("one", "two")
    details = await client.details(row.id)
    assert (details.download_limit, details.download_limited, details.seed_ratio_limit) == (100, True, 2.0)
    settings = await client.settings()
    assert (settings["speed_limit_down"], settings["alt_speed_time_day"]) == (500, 0b1000001)


async def test_files_are_skipped_and_torrents_added_moved_and_removed(before, tmp_path):
    app, pilot, client = before
    await pilot.press("enter", "2")
    await shows(pilot, app, "a.txt")
    await pilot.press("down", "0")
    await told(pilot, app, "done: ")
    files = (await client.details(app.rows.cursor.hash_string, Part.FILES)).files
    assert [file.wanted for file in files].count(False) == 1
    await pilot.press("escape")
    (tmp_path / "there").mkdir()
    app.action_verb("move")
    await fill(pilot, app, {"folder": str(tmp_path / "there")})
    await until(pilot, lambda: any(app.rows.at(line).download_dir.endswith("there") for line in range(2)))
    app.ask_source(f"magnet:?xt=urn:btih:{7:040x}&dn=third")
    await until(pilot, lambda: bool(app.screen.query("#source")))
    await pilot.press("enter")
    await until(pilot, lambda: len(app.rows) == 3)
    app.action_verb("remove")
    await until(pilot, lambda: bool(app.screen.query("#names")))
    await pilot.press("y")
    await until(pilot, lambda: len(app.rows) == 2)
    assert len((await client.changes()).torrents) == 2
