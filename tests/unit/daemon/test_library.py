"""The RPC over a real session on loopback, which meets nobody."""

from __future__ import annotations

import asyncio
import base64
import os
import random
from contextlib import asynccontextmanager

import pytest
from rpc_client import Client

from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.library import SessionLibrary
from p2p.session.create import create
from p2p.session.environment import real_environment
from p2p.session.session import Session
from p2p.session.settings import Settings


@asynccontextmanager
async def daemon(folder):
    environment = real_environment(hash_workers=1, open_files=16)
    quiet = {"dht": False, "local_discovery": False, "bind": ("127.0.0.1",)}
    closed = asyncio.Event()
    try:
        async with Session(Settings(download_dir=folder, **quiet), environment=environment) as session:
            library = SessionLibrary(session, environment, config_dir="/c", first=1, close=closed.set)
            yield Client(Dispatcher(library, session_id="token", version="1"))
    finally:
        await environment.http.close()
        await environment.hasher.close()


@pytest.fixture
async def metainfo(tmp_path, seed):
    folder = tmp_path / "made" / "album"
    folder.mkdir(parents=True)
    for name in ("a.flac", "b.flac", "c.txt"):
        (folder / name).write_bytes(random.Random(seed).randbytes(40_000))
    data = await create(folder, trackers=("http://127.0.0.1:1/announce",))
    return base64.b64encode(data).decode()


async def facts(client, *names):
    answer = await client.new("torrent_get", fields=list(names))
    return answer["result"]["torrents"]


async def test_a_torrent_is_added_as_asked(tmp_path, metainfo):
    async with daemon(tmp_path) as client:
        asked = {"paused": True, "labels": ["x"], "files_unwanted": [2], "priority_high": [0], "download_limit": 7}
        added = (await client.new("torrent_add", metainfo=metainfo, **asked))["result"]["torrent_added"]
        assert added["name"] == "album"
        again = (await client.new("torrent_add", metainfo=metainfo))["result"]["torrent_duplicate"]
        assert again == added
        names = [
            "status",
            "labels",
            "wanted",
            "priorities",
            "download_dir",
            "total_size",
            "size_when_done",
            "file_count",
        ]
        (torrent,) = await facts(client, *names, "tracker_list", "files", "primary_mime_type", "download_limit")
        assert torrent["status"] == 0
        assert torrent["labels"] == ["x"]
        assert torrent["wanted"] == [True, True, False]
        assert torrent["priorities"] == [1, 0, 0]
        assert torrent["download_dir"] == str(tmp_path)
        assert torrent["total_size"] == 120_000
        assert torrent["size_when_done"] < 120_000
        assert torrent["tracker_list"] == "http://127.0.0.1:1/announce"
        assert [each["name"] for each in torrent["files"]] == ["album/a.flac", "album/b.flac", "album/c.txt"]
        assert torrent["download_limit"] == 7


async def test_who_adds_what_is_just_being_added_gets_that_torrent(tmp_path, metainfo):
    async with daemon(tmp_path) as client:
        answers = await asyncio.gather(*(client.new("torrent_add", metainfo=metainfo, paused=True) for _ in range(5)))
        kinds = sorted(kind for answer in answers for kind in answer["result"])
        assert kinds == ["torrent_added", *["torrent_duplicate"] * 4]
        assert len({facts["id"] for answer in answers for facts in answer["result"].values()}) == 1


async def test_a_pipe_is_no_torrent_file_and_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    async with daemon(tmp_path) as client, asyncio.timeout(20):
        answer = await client.new("torrent_add", filename=str(tmp_path / "pipe"))
        assert "a pipe, not a file" in answer["error"]["data"]["error_string"]


async def test_settings_hold_for_what_is_added_after_them(tmp_path, metainfo):
    own, other = "http://127.0.0.1:1/announce", "udp://127.0.0.1:2/announce"
    async with daemon(tmp_path) as client:
        given = {"default_trackers": f"{own}\n\n{other}", "sequential_download": True, "cache_size_mib": 3}
        assert "result" in await client.new("session_set", **given)
        told = (await client.new("session_get"))["result"]
        assert {name: told[name] for name in given} == given
        await client.new("torrent_add", metainfo=metainfo, paused=True)
        await client.new("torrent_add", filename=f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)
        public, link = await facts(client, "tracker_list", "sequential_download")
        assert public == {"tracker_list": f"{own}\n\n{other}", "sequential_download": True}
        assert link == {"tracker_list": "", "sequential_download": True}


async def test_default_trackers_are_not_for_private_torrents(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.flac").write_bytes(b"a" * 40_000)
    private = await create(tmp_path / "made", trackers=("http://127.0.0.1:1/announce",), private=True)
    async with daemon(tmp_path) as client:
        await client.new("session_set", default_trackers="udp://127.0.0.1:2/announce")
        await client.new("torrent_add", metainfo=base64.b64encode(private).decode(), paused=True)
        assert await facts(client, "tracker_list") == [{"tracker_list": "http://127.0.0.1:1/announce"}]


async def test_a_torrent_that_runs_is_active_while_nothing_moves(tmp_path, metainfo):
    async with daemon(tmp_path) as client:
        await client.new("torrent_add", metainfo=metainfo)
        await client.new("torrent_add", filename=f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)
        told = (await client.new("session_stats"))["result"]
        assert (told["active_torrent_count"], told["paused_torrent_count"], told["torrent_count"]) == (1, 1, 2)


async def test_every_field_of_a_torrent_can_be_read_with_and_without_metadata(tmp_path, metainfo):
    async with daemon(tmp_path) as client:
        await client.new("torrent_add", filename=f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)
        await client.new("torrent_add", metainfo=metainfo)
        from p2p.daemon import fields

        bare, whole = await facts(client, *fields.BY_NAME)
        assert len(bare) == len(whole) == len(fields.BY_NAME)
        assert (bare["total_size"], bare["metadata_percent_complete"], bare["file_count"]) == (0, 0.0, 0)
        assert whole["metadata_percent_complete"] == 1.0
        assert (await client.new("session_get"))["result"]["peer_port"] > 0


async def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path, metainfo):
    async with daemon(tmp_path) as client:
        for asked in ({"files_wanted": [3]}, {"group": "a\nb"}):
            assert "error" in await client.new("torrent_add", metainfo=metainfo, **asked)
            assert await facts(client, "id") == []
        assert (await client.new("torrent_add", metainfo="aGVsbG8="))["error"]["code"] == 9
        await client.new("torrent_add", metainfo=metainfo, paused=True)
        for method, why in (("blocklist_update", "blocklist_url"), ("port_test", "starling_port_test_url")):
            assert why in (await client.new(method))["error"]["data"]["error_string"]


async def test_removed_torrents_are_gone_and_told(tmp_path, metainfo):
    async with daemon(tmp_path) as client:
        number = (await client.new("torrent_add", metainfo=metainfo))["result"]["torrent_added"]["id"]
        revision = (await client.new("torrent_get", fields=["id"], starling_since=1))["result"]["starling_revision"]
        await client.new("torrent_remove", ids=[number])
        assert await facts(client, "id") == []
        delta = (await client.new("torrent_get", fields=["id"], starling_since=revision))["result"]
        assert delta["removed"] == [number]
        assert (await client.new("session_stats"))["result"]["torrent_count"] == 0
