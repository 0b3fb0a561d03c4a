"""Content as clients handle it: locations, names, what is not done, checks, and removals that are undone."""

from __future__ import annotations

import asyncio
import base64
import random
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from rpc_client import Client

from p2p.daemon import undo as undo_module
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.library import SessionLibrary
from p2p.daemon.own_methods import own_methods
from p2p.daemon.state import DaemonState
from p2p.session.create import create
from p2p.session.environment import real_environment
from p2p.session.session import Session
from p2p.session.settings import Settings

QUIET = {"dht": False, "local_discovery": False, "trackers": False, "bind": ("127.0.0.1",)}
FILES = ("a.flac", "deep/b.flac", "c.txt")
SIZE = 40_000


class Clock:
    """The date as the daemon sees it."""

    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(undo_module, "LOOK_EVERY", 0.01)
    return Clock()


@pytest.fixture
async def torrent(tmp_path, seed):
    """The torrent in base64 of content that is in the download folder already."""
    folder = tmp_path / "in" / "album"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(random.Random(f"{seed}{name}").randbytes(SIZE))
    return base64.b64encode(await create(folder, piece_length=16_384)).decode()


@asynccontextmanager
async def daemon(folder, clock):
    environment = replace(real_environment(hash_workers=1, open_files=16), wall=clock)
    settings = Settings(download_dir=folder / "in", state_dir=folder / "state", **QUIET)
    try:
        async with (
            asyncio.timeout(20),
            DaemonState(folder / "state" / "daemon") as state,
            Session(settings, environment=environment) as session,
        ):
            library = SessionLibrary(session, environment, config_dir="/c", first=1, close=lambda: None, state=state)
            await library.restore()
            await library.begin()
            running = asyncio.create_task(library.run())
            client = Client(Dispatcher(library, session_id="token", version="1", own=own_methods(None)))
            client.session = session
            try:
                yield client
            finally:
                running.cancel()
                await asyncio.wait([running])
    finally:
        await environment.http.close()
        await environment.hasher.close()


async def ask(client, method, **params):
    answer = await client.new(method, **params)
    assert "error" not in answer, answer
    return answer["result"]


async def refused(client, method, **params):
    return (await client.new(method, **params))["error"]["data"]["error_string"]


async def facts(client, *names):
    (found,) = (await ask(client, "torrent_get", fields=list(names)))["torrents"]
    return found[names[0]] if len(names) == 1 else found


async def until(client, wanted, *names):
    while (found := await facts(client, *names)) != wanted:
        await asyncio.sleep(0.01)
    return found


async def seeding(client, torrent, **params):
    added = (await ask(client, "torrent_add", metainfo=torrent, **params))["torrent_added"]
    await until(client, 6, "status")
    return added["id"]


def tree(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# -- names


async def test_files_folders_and_the_top_are_renamed_and_stay_so(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        done = await ask(client, "torrent_rename_path", ids=[number], path="album/deep/b.flac", name="two.flac")
        assert done == {"path": "album/deep/b.flac", "name": "two.flac", "id": number}
        await ask(client, "torrent_rename_path", ids=[number], path="album/deep", name="cd 1")
        await ask(client, "torrent_rename_path", ids=[number], path="album", name="songs")
        assert tree(tmp_path / "in") == {"songs/a.flac", "songs/cd 1/two.flac", "songs/c.txt"}
        assert await facts(client, "status") == 6
    async with daemon(tmp_path, clock) as client:
        told = await facts(client, "name", "files")
        assert told["name"] == "songs"
        assert {each["name"] for each in told["files"]} == tree(tmp_path / "in")
        await until(client, 6, "status")


TRICKS = [
    ("album/a.flac", "../a"),
    ("album/a.flac", "/etc/passwd"),
    ("album/a.flac", ""),
    ("album/a.flac", ".."),
    ("album/a.flac", "a\nb"),
    ("album/a.flac", "nul"),
    ("album/a.flac", "C.TXT"),
    ("album/a.flac", "c.txt.part"),
    ("album/a.flac", "x" * 300),
    ("../in/album", "x"),
    ("/etc/passwd", "x"),
    ("album/nothing", "x"),
    ("", "x"),
]


async def test_tricks_with_names_change_nothing(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        before = tree(tmp_path / "in")
        for path, name in TRICKS:
            assert await refused(client, "torrent_rename_path", ids=[number], path=path, name=name)
            assert tree(tmp_path / "in") == before, (path, name)
        assert await facts(client, "name", "status", "error") == {"name": "album", "status": 6, "error": 0}


# -- locations


async def test_content_is_moved_and_found_elsewhere(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        place = str(tmp_path / "there")
        await ask(client, "torrent_set_location", ids=[number], location=place, move=True)
        await until(client, {"download_dir": place, "status": 6}, "download_dir", "status")
        assert tree(tmp_path / "there") == {f"album/{name}" for name in FILES}
        shutil.move(tmp_path / "there" / "album", tmp_path / "in" / "album")
        await ask(client, "torrent_set_location", ids=[number], location=str(tmp_path / "in"), move=False)
        found = {"download_dir": str(tmp_path / "in"), "status": 6, "left_until_done": 0}
        await until(client, found, *found)
        await ask(client, "torrent_set", ids=[number], location=str(tmp_path / "nowhere"))
        await until(client, {"status": 0, "error": 3}, "status", "error")
        assert (await facts(client, "error_string")).startswith("missing files: ")
        assert not (tmp_path / "nowhere").exists()
        await ask(client, "torrent_set_location", ids=[number], location=str(tmp_path / "in"))
        await until(client, {"error": 0, "download_dir": str(tmp_path / "in")}, "error", "download_dir")
    async with daemon(tmp_path, clock) as client:
        assert await facts(client, "download_dir") == str(tmp_path / "in")


async def test_a_move_that_cannot_be_is_told_and_leaves_all_as_it_was(tmp_path, clock, torrent):
    (tmp_path / "there" / "album").mkdir(parents=True)
    (tmp_path / "there" / "album" / "c.txt").write_text("mine")
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        await ask(client, "torrent_set_location", ids=[number], location=str(tmp_path / "there"), move=True)
        await until(client, 3, "error")
        assert "is there already" in await facts(client, "error_string")
        assert await facts(client, "download_dir", "status") == {"download_dir": str(tmp_path / "in"), "status": 6}
        for location in ("relative", "/a/../b", "/a\nb", 5, None):
            assert await refused(client, "torrent_set_location", ids=[number], location=location, move=True)
    assert tree(tmp_path / "in") == {f"album/{name}" for name in FILES}
    assert tree(tmp_path / "there") == {"album/c.txt"}


async def test_what_is_not_done_goes_where_the_settings_say(tmp_path, clock, torrent, seed):
    shutil.move(tmp_path / "in" / "album", tmp_path / "seed" / "album")
    async with daemon(tmp_path, clock) as client:
        later = str(tmp_path / "later")
        assert "incomplete_dir" in await refused(client, "session_set", incomplete_dir_enabled=True)
        await ask(client, "session_set", incomplete_dir=later, incomplete_dir_enabled=True, rename_partial_files=True)
        await ask(client, "torrent_add", metainfo=torrent, paused=True)
    async with daemon(tmp_path, clock) as client:
        await ask(client, "torrent_start")
        await until(client, 4, "status")
        assert tree(tmp_path / "later") == {f"album/{name}.part" for name in FILES}
        assert tree(tmp_path / "in") == set()
        told = await facts(client, "download_dir", "files")
        assert told["download_dir"] == str(tmp_path / "in")
        assert [each["name"] for each in told["files"]] == [f"album/{name}" for name in sorted(FILES)]
        async with Session(Settings(download_dir=tmp_path / "seed", **QUIET)) as other:
            await (await other.add(base64.b64decode(torrent))).completed()
            (mine,) = client.session.torrents
            from p2p.ids import Address
            from p2p.swarm.peer_list import PeerSource

            mine.add_peers([Address("127.0.0.1", other.port)], PeerSource.MANUAL)
            await until(client, 6, "status")
    assert tree(tmp_path / "in") == {f"album/{name}" for name in FILES}
    assert tree(tmp_path / "later") == set()


# -- what is gone


async def test_a_check_of_content_that_is_gone_finds_it_missing_and_makes_nothing_anew(tmp_path, clock, torrent):
    """The folder may be on a disk that is not mounted. A check once that is told is an order to begin anew."""
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        shutil.move(tmp_path / "in" / "album", tmp_path / "away")
        await ask(client, "torrent_verify", ids=[number])
        await until(client, {"status": 0, "error": 3}, "status", "error")
        assert (await facts(client, "error_string")).startswith("missing files: ")
        assert not (tmp_path / "in" / "album").exists()
        shutil.move(tmp_path / "away", tmp_path / "in" / "album")
        await ask(client, "torrent_start", ids=[number])
        await until(client, {"status": 6, "left_until_done": 0}, "status", "left_until_done")
        shutil.move(tmp_path / "in" / "album", tmp_path / "away")
        await ask(client, "torrent_verify", ids=[number])
        await until(client, {"status": 0, "error": 3}, "status", "error")
        await ask(client, "torrent_verify", ids=[number])
        await ask(client, "torrent_start", ids=[number])
        await until(client, {"status": 4, "error": 0}, "status", "error")


async def test_missing_files_are_not_downloaded_over_by_an_order_for_all(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        await ask(client, "torrent_add", filename=f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)
        await ask(client, "torrent_stop", ids=[number])
        states = {"fields": ["status", "error", "error_string"], "ids": [number]}
        while (await ask(client, "torrent_get", **states))["torrents"][0]["status"]:
            await asyncio.sleep(0.01)
        shutil.move(tmp_path / "in" / "album", tmp_path / "away")
        mine = next(each for each in client.session.torrents if each.metainfo is not None)
        for order in ({"ids": [number]}, {}, {"ids": [1, 2]}):
            await ask(client, "torrent_start", **order)
            await mine.stopped()
            (told,) = (await ask(client, "torrent_get", **states))["torrents"]
            assert (told["status"], told["error"]) == (0, 3)
            assert told["error_string"].startswith("missing files: ")
            assert tree(tmp_path / "in") == set()
        await ask(client, "torrent_start", ids=[number])  # an order about this very torrent
        while (await ask(client, "torrent_get", **states))["torrents"][0]["status"] != 4:
            await asyncio.sleep(0.01)


# -- removals


async def test_a_removal_with_content_is_undone(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent, labels=["music"])
        (tmp_path / "in" / "album" / "mine.txt").write_text("not the torrent's")
        hash_string = await facts(client, "hash_string")
        await ask(client, "torrent_remove", ids=[number], delete_local_data=True)
        assert not {f"album/{name}" for name in FILES} & tree(tmp_path / "in")
        assert (tmp_path / "in" / "album" / "mine.txt").exists()
        (removal,) = (await ask(client, "starling_removals_get"))["removals"]
        assert removal["torrent_name"] == "album"
        assert removal["hash_string"] == hash_string
        assert removal["download_dir"] == str(tmp_path / "in")
        assert removal["until"] == int(clock.now) + 30
        clock.now += 10**6  # the date is set anew, which is no reason to delete anything
        await asyncio.sleep(0.05)
        (tmp_path / "in" / "album" / "c.txt").write_text("somebody's")
        assert "in the way" in await refused(client, "starling_removal_undo")
        assert (await ask(client, "torrent_get", fields=["id"]))["torrents"] == []
        (tmp_path / "in" / "album" / "c.txt").unlink()
        assert (await ask(client, "starling_removal_undo"))["ids"] != []
        back = {"hash_string": hash_string, "labels": ["music"], "status": 6}
        await until(client, back, *back)
        assert {f"album/{name}" for name in FILES} <= tree(tmp_path / "in")
        assert (await ask(client, "starling_removals_get"))["removals"] == []
        assert "nothing to undo" in await refused(client, "starling_removal_undo")
        assert "no removal" in await refused(client, "starling_removal_undo", names=["../../etc"])


async def test_it_is_undone_after_a_restart_too_and_over_when_its_time_is(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent, labels=["music"])
        await ask(client, "session_set", starling_undo_seconds=3600)
        await ask(client, "torrent_remove", ids=[number], delete_local_data=True)
    clock.now += 3000
    async with daemon(tmp_path, clock) as client:
        await ask(client, "starling_removal_undo")
        await until(client, {"labels": ["music"], "status": 6}, "labels", "status")
        (number,) = [each["id"] for each in (await ask(client, "torrent_get", fields=["id"]))["torrents"]]
        await ask(client, "torrent_remove", ids=[number], delete_local_data=True)
    clock.now += 3601
    async with daemon(tmp_path, clock) as client:
        while list((tmp_path / "state" / "trash").iterdir()):
            await asyncio.sleep(0.01)
        assert tree(tmp_path / "in") == set()
        assert (await ask(client, "starling_removals_get"))["removals"] == []


async def test_a_removal_that_a_crash_kept_from_the_record_is_none(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        await seeding(client, torrent)
    records = tmp_path / "state" / "daemon"
    shutil.copytree(records, tmp_path / "before")
    async with daemon(tmp_path, clock) as client:
        await until(client, 6, "status")
        await ask(client, "torrent_remove", delete_local_data=True)
        assert tree(tmp_path / "in") != {f"album/{name}" for name in FILES}
    shutil.rmtree(records)
    shutil.copytree(tmp_path / "before", records)
    async with daemon(tmp_path, clock) as client:
        await until(client, 6, "status")
        assert tree(tmp_path / "in") == {f"album/{name}" for name in FILES}
        assert (await ask(client, "starling_removals_get"))["removals"] == []


async def test_without_a_time_content_goes_at_once_and_a_removal_can_be_ended_early(tmp_path, clock, torrent):
    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        await ask(client, "torrent_remove", ids=[number], delete_local_data=True)
        assert (await ask(client, "starling_removal_purge"))["removals"] == []
        assert tree(tmp_path / "in") == set()
        await ask(client, "session_set", starling_undo_seconds=0)
        (tmp_path / "in" / "album").mkdir()
        (tmp_path / "in" / "album" / "c.txt").write_text("somebody's")
        number = (await ask(client, "torrent_add", metainfo=torrent, paused=True))["torrent_added"]["id"]
        await ask(client, "torrent_remove", ids=[number], delete_local_data=True)
        assert tree(tmp_path / "in") == {"album/c.txt"}  # which never was the torrent's
        for bad in (-1, "x", 10**9):
            assert await refused(client, "session_set", starling_undo_seconds=bad)


async def test_a_check_tells_how_far_it_is_and_stops_when_told(tmp_path, clock, torrent, monkeypatch):
    from p2p.session import checks, run_opening

    async with daemon(tmp_path, clock) as client:
        number = await seeding(client, torrent)
        monkeypatch.setattr(checks, "SMALL", 0)
        monkeypatch.setattr(run_opening, "SMALL", 0)
        device = tmp_path.stat().st_dev
        async with client.session._open.checks.turn(device, 1, asyncio.Event(), lambda: None):
            await ask(client, "torrent_verify", ids=[number])
            await until(client, 1, "status")
            await ask(client, "torrent_stop", ids=[number])
            await until(client, 0, "status")
        await ask(client, "torrent_verify", ids=[number])
        await until(client, {"status": 0, "left_until_done": 0}, "status", "left_until_done")
