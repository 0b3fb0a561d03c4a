"""Scripts: which run when, what they are told, what of them is logged, and what ends those that do not end."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from p2p.daemon import scripts as module
from p2p.daemon.ports import Priority
from p2p.daemon.scripts import MAX_LINES, Scripts, variables_of
from p2p.daemon.session_values import SessionValues
from p2p.session.event_bus import Event, EventBus, EventKind

DEADLINE = 20.0


def torrent(**facts):
    return SimpleNamespace(
        **{
            "id": 7,
            "hash_string": "ab" * 20,
            "name": "näme; rm -rf $HOME",
            "download_dir": "/srv/a b",
            "downloaded_ever": 12,
            "labels": ("one", "two"),
            "bandwidth_priority": Priority.HIGH,
            "trackers": lambda: [SimpleNamespace(announce="http://t/a"), SimpleNamespace(announce="udp://t")],
            "torrent": SimpleNamespace(completed_at=None),
            **facts,
        }
    )


def settings(path, *occasions):
    return {
        name: (str(path) if any(f"_{each}_filename" in name for each in occasions) else "")
        if name.endswith("filename")
        else any(f"torrent_{each}_enabled" in name for each in occasions)
        for name in module.SETTINGS
    }


@pytest.fixture
def script(tmp_path):
    """Makes a script that runs Python."""

    def make(code, name="script"):
        path = tmp_path / name
        path.write_text(
            f"#!/usr/bin/env python3\nimport json, os, sys, time\nOUT = {str(tmp_path / 'out')!r}\n{code}\n"
        )
        path.chmod(0o755)
        return path

    return make


@asynccontextmanager
async def running(values, **options):
    bus, known = EventBus(), torrent()
    scripts = Scripts(SessionValues(values), environ=dict(os.environ), wall=time.time, **options)
    async with asyncio.timeout(DEADLINE):
        task = asyncio.create_task(scripts.run(bus, {known.hash_string: known}.get))
        await asyncio.sleep(0)
        try:
            yield scripts, bus, known
        finally:
            task.cancel()
            await asyncio.wait([task])


async def written(path):
    """What stands in a file, once it is whole."""
    while not path.exists():
        await asyncio.sleep(0.01)
    return path.read_text()


SAVE = """
told = [sys.argv[1:], dict(os.environ), os.getcwd()]
open(OUT + '.new', 'w').write(json.dumps(told))
os.rename(OUT + '.new', OUT)
"""


async def test_a_script_is_told_what_transmissions_are(script, tmp_path, monkeypatch):
    monkeypatch.setenv("STARLING_RPC_PASSWORD", "hush")
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    async with running(settings(script(SAVE), "added")) as (scripts, _, known):
        scripts.on_added(known)
        arguments, environ, folder = json.loads(await written(tmp_path / "out"))
    told = {name: text for name, text in environ.items() if name.startswith("TR_")}
    assert time.strptime(told.pop("TR_TIME_LOCALTIME"), "%a %b %d %H:%M:%S %Y")
    assert told == {
        "TR_APP_VERSION": "4.1.0",
        "TR_TORRENT_BYTES_DOWNLOADED": "12",
        "TR_TORRENT_DIR": "/srv/a b",
        "TR_TORRENT_HASH": "ab" * 20,
        "TR_TORRENT_ID": "7",
        "TR_TORRENT_LABELS": "one,two",
        "TR_TORRENT_NAME": "näme; rm -rf $HOME",
        "TR_TORRENT_PRIORITY": "1",
        "TR_TORRENT_TRACKERS": "http://t/a,udp://t",
    }
    assert (arguments, folder) == ([], "/")
    assert "PATH" in environ
    assert "hush" not in environ.values()
    assert "NOTIFY_SOCKET" not in environ


async def test_each_occasion_has_its_script(script, tmp_path):
    count = "open(OUT, 'a').write('x')"
    async with running(settings(script(count), "done_seeding")) as (scripts, bus, known):
        scripts.on_added(known)
        known.torrent.completed_at = 5.0
        bus.publish(Event(EventKind.COMPLETE, 0.0, known.hash_string))
        scripts.on_finished(known)
        await written(tmp_path / "out")
        await asyncio.sleep(0.05)
    assert (tmp_path / "out").read_text() == "x"


async def test_done_is_when_a_download_ends_and_not_when_a_seed_starts(script, tmp_path, caplog):
    caplog.set_level("INFO", logger="p2p")
    async with running(settings(script("open(OUT, 'a').write('x')"), "done")) as (_, bus, known):

        def ended():
            return sum(each.message == "a script has ended" for each in caplog.records)

        for completed, runs in ((None, 0), (5.0, 1), (5.0, 1), (9.0, 2)):
            known.torrent.completed_at = completed
            bus.publish(Event(EventKind.COMPLETE, 0.0, known.hash_string))
            bus.publish(Event(EventKind.COMPLETE, 0.0, "ff" * 20))
            while ended() < runs:
                await asyncio.sleep(0.01)
    assert (tmp_path / "out").read_text() == "xx"


async def test_a_script_that_is_off_or_not_there_is_no_end(script, tmp_path, caplog):
    off = {**settings(script(SAVE), "added"), "script_torrent_added_enabled": False}
    async with running(off) as (scripts, _, known):
        scripts.on_added(known)
    async with running(settings(tmp_path / "absent", "added")) as (scripts, _, known):
        scripts.on_added(known)
        scripts.on_added(known)
        while sum("cannot be started" in each.message for each in caplog.records) < 2:
            await asyncio.sleep(0.01)
    assert not (tmp_path / "out").exists()


async def test_what_it_says_is_logged_up_to_a_bound(script, caplog):
    caplog.set_level("INFO", logger="p2p")
    flood = "print('a\\x1b[31mb')\nprint('x' * 100_000)\nfor n in range(5_000): print(n)\nsys.exit(3)"
    async with running(settings(script(flood), "added")) as (scripts, _, known):
        scripts.on_added(known)
        while not any(each.message == "a script has ended" for each in caplog.records):
            await asyncio.sleep(0.01)
    said = [each.facts["line"] for each in caplog.records if each.message == "a script says"]
    assert said[0] == "a\x1b[31mb"
    assert len(said) == MAX_LINES
    assert max(map(len, said)) <= 1_000
    assert next(each.facts["status"] for each in caplog.records if each.message == "a script has ended") == 3
    about = [each for each in caplog.records if each.message.startswith("a script ")]
    assert {each.facts["info_hash"] for each in about} == {"ab" * 20}, "by which the interface finds a torrent's lines"


async def test_a_script_that_hangs_is_ended(script, caplog):
    caplog.set_level("INFO", logger="p2p")
    async with running(settings(script("time.sleep(600)"), "added"), patience=0.05) as (scripts, _, known):
        scripts.on_added(known)
        while not any("takes too long" in each.message for each in caplog.records):
            await asyncio.sleep(0.01)
        await gone(next(each.facts["process"] for each in caplog.records if each.message == "a script runs"))


async def test_what_runs_ends_with_the_daemon_and_so_does_all_that_it_started(script, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GRACE", 0.2)
    stubborn = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nleader = os.getpid()\n"
        "if not os.fork():\n    open(OUT + '.new', 'w').write(str(leader))\n    os.rename(OUT + '.new', OUT)\n"
        "time.sleep(600)"
    )
    async with running(settings(script(stubborn), "added")) as (scripts, _, known):
        scripts.on_added(known)
        leader = int(await written(tmp_path / "out"))
    async with asyncio.timeout(DEADLINE):
        await gone(leader)


async def gone(group):
    """Waits until no process of a group is left but those that only wait to be noticed."""
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)


def test_variables_hold_what_a_variable_can():
    known = torrent(
        name="a\0b\ud800", download_dir="/\udcff", trackers=lambda: [SimpleNamespace(announce="x" * 200_000)]
    )
    told = variables_of(known, 0.0)
    assert told["TR_TORRENT_NAME"] == "ab?"
    assert os.fsencode(told["TR_TORRENT_DIR"]) == b"/\xff"
    assert len(told["TR_TORRENT_TRACKERS"]) < 128 << 10
