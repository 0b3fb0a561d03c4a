"""A daemon's library that ends, in good order or not, and another over the same folder."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import random
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rpc_client import Client

from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.library import SessionLibrary
from p2p.daemon.state import DaemonState
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.create import create
from p2p.session.environment import real_environment
from p2p.session.event_bus import Event, EventKind
from p2p.session.move import Move
from p2p.session.session import Session
from p2p.session.settings import Settings

DEADLINE = 20.0
QUIET = {"dht": False, "local_discovery": False, "bind": ("127.0.0.1",)}
LINK = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=bare&tr=http%3A%2F%2F127.0.0.1%3A1%2Fannounce"


@asynccontextmanager
async def daemon(folder, *, wall=None, runs=True):
    """A client of a daemon whose state is in that folder; it ends in good order."""
    environment = real_environment(hash_workers=1, open_files=16)
    if wall is not None:
        environment = replace(environment, wall=wall)
    settings = Settings(download_dir=folder / "in", state_dir=folder / "state", **QUIET)
    try:
        async with (
            asyncio.timeout(DEADLINE),
            DaemonState(folder / "state" / "daemon") as state,
            Session(settings, environment=environment) as session,
        ):
            library = SessionLibrary(session, environment, config_dir="/c", first=1, close=lambda: None, state=state)
            await library.restore()
            await library.begin()
            running = asyncio.create_task(library.run()) if runs else None
            client = Client(Dispatcher(library, session_id="token", version="1"))
            client.library, client.session, client.state = library, session, state
            try:
                yield client
            finally:
                if running is not None:
                    running.cancel()
                    await asyncio.wait([running])
    finally:
        await environment.http.close()
        await environment.hasher.close()


@asynccontextmanager
async def killed_daemon(folder):
    """The same, of which nothing but what was on its way to the disk gets there: what kill -9 leaves."""
    async with daemon(folder, runs=False) as client:
        yield client
        os.close(client.state._log._fd)
        client.state._log._fd, client.state._log._unsynced = -1, False
        client.state._pending.clear()
        client.state._files.clear()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Torrent files by name, and the folder of their content."""
    folder = tmp_path_factory.mktemp("made")
    chance, found = random.Random(1), {}
    for name in ("album", "book", "disc"):
        (folder / name).mkdir()
        for part in ("a", "b", "c"):
            (folder / name / part).write_bytes(chance.randbytes(40_000))
        trackers = () if name == "album" else ("http://127.0.0.1:1/announce",)  # who runs waits for no tracker
        found[name] = asyncio.run(create(folder / name, trackers=trackers))
    return folder, found


async def add(client, data, **asked):
    answer = await client.new("torrent_add", metainfo=base64.b64encode(data).decode(), **asked)
    return answer["result"]["torrent_added"]["id"]


async def facts(client, *names, **which):
    return (await client.new("torrent_get", fields=list(names), **which))["result"]["torrents"]


async def settings(client):
    return (await client.new("session_get"))["result"]


WISHES = {
    "bandwidth_priority": 1,
    "download_limit": 7,
    "download_limited": True,
    "group": "slow",
    "honors_session_limits": False,
    "labels": ["x", "ü"],
    "peer_limit": 17,
    "seed_idle_limit": 5,
    "seed_idle_mode": 1,
    "seed_ratio_limit": 1.5,
    "seed_ratio_mode": 1,
    "sequential_download": True,
    "upload_limit": 9,
    "upload_limited": True,
}
SETTINGS = {
    "alt_speed_down": 3,
    "alt_speed_time_enabled": True,
    "download_queue_size": 9,
    "encryption": "required",
    "idle_seeding_limit": 77,
    "incomplete_dir": "/tmp/incomplete",
    "pex_enabled": False,
    "seed_queue_enabled": True,
    "seed_ratio_limit": 3.5,
    "speed_limit_down": 44,
    "speed_limit_down_enabled": True,
    "start_added_torrents": False,
}
KEPT = [
    *("id", "hash_string", "name", "added_date", "done_date", "edit_date", "manual_announce_time", "download_dir"),
    *("wanted", "priorities", "tracker_list", "status", "queue_position", "torrent_file", "magnet_link", *WISHES),
]


@pytest.mark.parametrize("ending", [daemon, killed_daemon])
async def test_all_that_was_asked_for_outlives_the_daemon(tmp_path, made, ending):
    _, torrents = made
    async with ending(tmp_path) as client:
        first = await add(client, torrents["album"], paused=True, download_dir=str(tmp_path / "else"))
        await add(client, torrents["book"], paused=True, files_unwanted=[1], priority_high=[0])
        await client.new("torrent_add", filename=LINK, paused=True, labels=["bare"])
        await client.new(
            "torrent_set", ids=[first], **WISHES, tracker_list="http://127.0.0.1:2/x\n\nhttp://127.0.0.1:3/y"
        )
        await client.new("torrent_reannounce", ids=[first])
        await client.new("queue_move_bottom", ids=[first])
        await client.new("session_set", **SETTINGS)
        await client.new("group_set", name="slow", speed_limit_down=12, speed_limit_down_enabled=True)
        groups = (await client.new("group_get"))["result"]
        before = await facts(client, *KEPT)
    assert {name: before[0][name] for name in WISHES} == WISHES
    assert groups["group"][0]["speed_limit_down"] == 12
    assert [each["queue_position"] for each in before] == [2, 0, 1]
    async with daemon(tmp_path) as client:
        assert await facts(client, *KEPT) == before
        values = await settings(client)
        assert {name: values[name] for name in SETTINGS} == SETTINGS
        assert (await client.new("group_get"))["result"] == groups
        assert values["starling_state_problem"] == ""
        assert await add(client, torrents["disc"]) == 4


@pytest.mark.parametrize("moment", ["tell", "_forget"])
async def test_a_daemon_killed_while_a_move_ends_has_the_content_where_it_went(tmp_path, made, monkeypatch, moment):
    folder, torrents = made
    shutil.copytree(folder, tmp_path / "in")
    there = tmp_path / "there"
    async with killed_daemon(tmp_path) as client:
        await add(client, torrents["album"])
        while (await facts(client, "status")) != [{"status": 6}]:
            await asyncio.sleep(0.01)
        reached, forget = asyncio.Event(), Move._forget

        async def die(move, *_):
            if moment == "_forget":  # nothing but the daemon's record says where the content is from here on
                await forget(move)
            reached.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as dying:
            dying.setattr(Move, moment, die)
            moving = asyncio.create_task(client.new("torrent_set_location", ids=[1], location=str(there), move=True))
            await reached.wait()
            moving.cancel()
            await asyncio.wait([moving])
    async with daemon(tmp_path) as client:
        assert (await facts(client, "download_dir"))[0]["download_dir"] == str(there)
        while await facts(client, "status", "percent_done") != [{"status": 6, "percent_done": 1.0}]:
            await asyncio.sleep(0.01)
        while any((tmp_path / "state/moves").iterdir()):
            await asyncio.sleep(0.01)
        assert (there / "album" / "a").exists()
    for _ in range(2):
        async with killed_daemon(tmp_path) as client:
            (torrent,) = await facts(client, "download_dir", "percent_done", "error")
            assert torrent == {"download_dir": str(there), "percent_done": 1.0, "error": 0}


async def test_who_was_to_run_runs_and_who_was_not_does_not(tmp_path, made):
    folder, torrents = made
    (tmp_path / "in").symlink_to(folder)
    async with daemon(tmp_path) as client:
        running = await add(client, torrents["album"])
        stopped = await add(client, torrents["book"])
        while any(each["percent_done"] < 1.0 for each in await facts(client, "percent_done")):
            await asyncio.sleep(0.01)  # who is stopped before the check is at an end has nothing
        await client.new("torrent_stop", ids=[stopped])
        while {each["id"]: each["status"] for each in await facts(client, "id", "status")} != {running: 6, stopped: 0}:
            await asyncio.sleep(0.01)
    async with daemon(tmp_path) as client:
        while {each["id"]: each["status"] for each in await facts(client, "id", "status")} != {running: 6, stopped: 0}:
            await asyncio.sleep(0.01)
        assert {each["percent_done"] for each in await facts(client, "percent_done")} == {1.0}


@pytest.mark.parametrize("source", ["peers", "a client"])
async def test_metadata_that_comes_later_is_kept(tmp_path, made, source):
    _, torrents = made
    metainfo = Metainfo.from_bytes(torrents["book"])
    async with daemon(tmp_path) as client:
        await client.new("torrent_add", filename=Magnet.from_metainfo(metainfo).uri(), paused=True, labels=["x"])
        assert (await facts(client, "torrent_file", "file_count")) == [{"torrent_file": "", "file_count": 0}]
        if source == "peers":
            managed = client.library.by_id(1)
            managed.torrent.on_metainfo(metainfo)
            client.session.events.publish(Event(EventKind.METADATA, 0.0, managed.hash_string))
            while not (await facts(client, "torrent_file"))[0]["torrent_file"]:
                await asyncio.sleep(0.01)
        else:
            await client.new("torrent_add", metainfo=base64.b64encode(torrents["book"]).decode())
    async with daemon(tmp_path) as client:
        (torrent,) = await facts(client, "file_count", "labels", "torrent_file", "status")
        assert (torrent["file_count"], torrent["labels"], torrent["status"]) == (3, ["x"], 0)
        assert Metainfo.from_bytes(Path(torrent["torrent_file"]).read_bytes()).info_hash_v1 == metainfo.info_hash_v1


async def test_what_was_removed_stays_away_and_its_number_is_not_given_again(tmp_path, made):
    _, torrents = made
    async with killed_daemon(tmp_path) as client:
        await add(client, torrents["album"], paused=True)
        number = await add(client, torrents["book"], paused=True)
        await client.new("torrent_remove", ids=[number])
    assert len(list((tmp_path / "state/daemon/torrents").iterdir())) == 1
    async with daemon(tmp_path) as client:
        assert [each["name"] for each in await facts(client, "name")] == ["album"]
        assert await add(client, torrents["book"], paused=True) == number + 1


async def test_what_was_removed_with_its_content_can_be_brought_back_after_a_kill(tmp_path, made):
    folder, torrents = made
    shutil.copytree(folder, tmp_path / "in")
    async with killed_daemon(tmp_path) as client:
        await client.new("session_set", starling_undo_seconds=600)
        await add(client, torrents["album"], labels=["x"])
        while (await facts(client, "status")) != [{"status": 6}]:
            await asyncio.sleep(0.01)
        await client.new("torrent_remove", ids=[1], delete_local_data=True)
        assert not (tmp_path / "in" / "album" / "a").exists()
    async with killed_daemon(tmp_path) as client:
        assert await facts(client, "id") == []
        assert [each.name for each in await client.library.undo_removal(None)] == ["album"]
        assert (await facts(client, "name", "labels"))[0] == {"name": "album", "labels": ["x"]}
    async with daemon(tmp_path) as client:
        assert (await facts(client, "name", "labels", "percent_done"))[0]["percent_done"] == 1.0
    assert (tmp_path / "in" / "album" / "a").exists()


async def test_statistics_go_on_over_restarts(tmp_path, made):
    _, torrents = made
    async with daemon(tmp_path) as client:
        await add(client, torrents["album"], paused=True)
        stats = (await client.new("session_stats"))["result"]
        assert stats["cumulative_stats"]["files_added"] == stats["current_stats"]["files_added"] == 3
    async with daemon(tmp_path) as client:
        await add(client, torrents["book"], paused=True)
        stats = (await client.new("session_stats"))["result"]
    assert (stats["current_stats"]["files_added"], stats["cumulative_stats"]["files_added"]) == (3, 6)
    assert (stats["current_stats"]["session_count"], stats["cumulative_stats"]["session_count"]) == (1, 2)


@pytest.mark.parametrize("harm", ["cut", "gone", "another"])
async def test_a_torrent_file_that_is_lost_makes_one_torrent_an_error_until_it_is_added_again(tmp_path, made, harm):
    _, torrents = made
    async with daemon(tmp_path) as client:
        await add(client, torrents["album"], labels=["kept"])
        await add(client, torrents["book"], paused=True)
        path = (
            tmp_path / "state/daemon/torrents" / f"{Metainfo.from_bytes(torrents['album']).info_hash_v1.hex()}.torrent"
        )
        assert (await facts(client, "torrent_file"))[0]["torrent_file"] == str(path)
    match harm:
        case "cut":
            path.write_bytes(torrents["album"][:-20])
        case "gone":
            path.unlink()
        case "another":
            path.write_bytes(torrents["disc"])
    for _ in range(2):
        async with daemon(tmp_path) as client:
            broken, whole = await facts(client, "name", "error", "error_string", "status", "labels")
            assert (whole["name"], whole["error"]) == ("book", 0)
            assert (broken["name"], broken["error"], broken["status"], broken["labels"]) == ("album", 3, 0, ["kept"])
            assert f"the torrent file {path} cannot be used" in broken["error_string"]
    async with daemon(tmp_path) as client:
        answer = await client.new("torrent_add", metainfo=base64.b64encode(torrents["album"]).decode())
        assert answer["result"]["torrent_duplicate"]["id"] == 1
        healed = (await facts(client, "error", "file_count", "labels"))[0]
        assert healed == {"error": 0, "file_count": 3, "labels": ["kept"]}
    assert path.read_bytes() == torrents["album"]
    async with daemon(tmp_path) as client:
        assert (await facts(client, "error", "file_count"))[0] == {"error": 0, "file_count": 3}


async def test_a_private_torrent_without_its_file_is_not_looked_for_among_strangers(tmp_path, made):
    folder, torrents = made
    secret = await create(folder / "album", trackers=("http://127.0.0.1:1/announce",), private=True)
    async with daemon(tmp_path) as client:
        await add(client, secret)
        await add(client, torrents["book"], paused=True)
    (tmp_path / "state/daemon/torrents" / f"{Metainfo.from_bytes(secret).info_hash_v1.hex()}.torrent").unlink()
    async with daemon(tmp_path) as client:
        answer = await client.new("torrent_start", ids=[1])
        assert "add the torrent again" in answer["error"]["data"]["error_string"]
        await client.new("torrent_start")
        assert [each["status"] == 0 for each in await facts(client, "status")] == [True, False]
        await client.new("torrent_add", metainfo=base64.b64encode(secret).decode())
        await client.new("torrent_start", ids=[1])
        assert (await facts(client, "status", "error"))[0] != {"status": 0, "error": 3}


async def test_a_record_that_cannot_be_read_costs_that_torrent_alone_and_says_so(tmp_path, made, caplog):
    _, torrents = made
    async with daemon(tmp_path) as client:
        for data in torrents.values():
            await add(client, data, paused=True)
    async with DaemonState(tmp_path / "state/daemon") as state:
        state.put("torrent/2", {"id": 2})
    async with daemon(tmp_path) as client:
        assert [each["id"] for each in await facts(client, "id")] == [1, 3]
    assert "the state of torrent 2 names no torrent" in caplog.text


async def test_a_damaged_state_is_told_and_the_one_before_it_is_used(tmp_path, made):
    _, torrents = made
    async with daemon(tmp_path) as client:
        await add(client, torrents["album"], paused=True, labels=["x"])
    async with daemon(tmp_path) as client:
        await add(client, torrents["book"], paused=True)
    folder = tmp_path / "state/daemon"
    newest = max(folder.glob("records.*"), key=lambda path: int(path.suffix[1:]))
    newest.write_bytes(newest.read_bytes()[:100])
    async with daemon(tmp_path) as client:
        found = {each["name"]: each["labels"] for each in await facts(client, "name", "labels")}
        assert found == {"album": ["x"], "book": []}, "the one whose record is lost has its torrent file"
        problem = (await settings(client))["starling_state_problem"]
        assert f"{newest} is damaged" in problem
        assert "the state before it, is used" in problem
    async with daemon(tmp_path) as client:
        assert (await settings(client))["starling_state_problem"] == ""
        assert len(await facts(client, "id")) == 2


async def test_a_torrent_whose_addition_was_never_confirmed_leaves_nothing(tmp_path, made):
    _, torrents = made
    async with daemon(tmp_path) as client:
        await add(client, torrents["album"], paused=True)
    stray = tmp_path / "state/daemon/torrents" / f"{'ab' * 20}.torrent"
    stray.write_bytes(torrents["book"])
    async with daemon(tmp_path) as client:
        assert [each["name"] for each in await facts(client, "name")] == ["album"]
    assert not stray.exists()
    assert len(list(stray.parent.iterdir())) == 1


async def test_what_cannot_be_kept_is_not_added(tmp_path, made, monkeypatch):
    _, torrents = made
    async with daemon(tmp_path) as client:
        await add(client, torrents["album"], paused=True)
        write = os.write

        def no_room(fd, data):
            if len(data) > 20:
                raise OSError(errno.ENOSPC, "full")
            return write(fd, data)

        with monkeypatch.context() as full:
            full.setattr(os, "write", no_room)
            answer = await client.new("torrent_add", metainfo=base64.b64encode(torrents["book"]).decode())
            assert "no room left" in answer["error"]["data"]["error_string"]
            assert len(await facts(client, "id")) == 1
            await client.new("torrent_set", ids=[1], labels=["later"])
            assert (await facts(client, "labels"))[0]["labels"] == ["later"], "what is done is done"
            assert "no room left" in (await settings(client))["starling_state_problem"]
        await client.new("torrent_set", ids=[1], labels=["last"])
        assert (await settings(client))["starling_state_problem"] == ""
    async with daemon(tmp_path) as client:
        assert [each["labels"] for each in await facts(client, "labels")] == [["last"]]


async def test_a_clock_that_jumps_moves_no_date_into_the_future_and_no_counter_back(tmp_path, made):
    folder, torrents = made
    now = [1_700_000_000.0]
    async with daemon(tmp_path, wall=lambda: now[0]) as client:
        await add(client, torrents["album"], paused=True)
        now[0] += 10 * 365 * 86_400
        await add(client, torrents["book"], paused=True)
        stats = (await client.new("session_stats"))["result"]["current_stats"]
        assert stats["seconds_active"] < DEADLINE
        now[0] -= 20 * 365 * 86_400
        assert (await client.new("session_stats"))["result"]["current_stats"]["seconds_active"] >= stats[
            "seconds_active"
        ]
        now[0] = 2_000_000_000.0
        (tmp_path / "in").symlink_to(folder)
        await client.new("torrent_start", ids=[1])
        while (await facts(client, "status", ids=[1])) != [{"status": 6}]:
            await asyncio.sleep(0.01)
    now[0] = 1_700_000_100.0
    async with daemon(tmp_path, wall=lambda: now[0]) as client:
        found = await facts(client, "added_date", "done_date", "activity_date")
        assert [each["added_date"] for each in found] == [1_700_000_000, 1_700_000_100]
        assert found[0]["done_date"] == 1_700_000_100
        assert max(each["activity_date"] for each in found) <= 1_700_000_100


async def test_a_link_keeps_all_its_names_and_trackers(tmp_path):
    both = Magnet(name="bare", info_hash_v1=b"1" * 20, info_hash_v2=b"2" * 32, trackers=("http://127.0.0.1:1/a",))
    async with killed_daemon(tmp_path) as client:
        await client.new("torrent_add", filename=both.uri(), paused=True)
    async with daemon(tmp_path) as client:
        (torrent,) = await facts(client, "magnet_link", "tracker_list", "name")
        assert Magnet.parse(torrent["magnet_link"]) == both
        assert torrent["tracker_list"] == "http://127.0.0.1:1/a"
