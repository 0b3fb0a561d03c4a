"""Our own methods over HTTP, by the client, from a daemon in this process."""

from __future__ import annotations

import base64
import logging
import random

import pytest
from own_daemon import own_daemon, until

from p2p.daemon import library as library_module
from p2p.daemon import monitor as monitor_module
from p2p.daemon.client_errors import RefusedError
from p2p.daemon.own_facts import CreationState, Reciprocation
from p2p.daemon.own_methods import OWN_METHODS
from p2p.ids import Address
from p2p.metainfo.metainfo import Metainfo
from p2p.session.create import create
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.swarm.peer_list import PeerSource


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Looks that are a second apart need not be here."""
    monkeypatch.setattr(monitor_module, "LOOK_INTERVAL", 0.01)
    monkeypatch.setattr(library_module, "CHANGE_INTERVAL", 0.01)


@pytest.fixture
async def content(tmp_path, seed):
    """A file, and its torrent."""
    path = tmp_path / "made" / "content.bin"
    path.parent.mkdir()
    path.write_bytes(random.Random(seed).randbytes(400_000))
    return path, await create(path, piece_length=16_384)


async def test_the_server_names_its_methods(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        info = await daemon.client.info()
        assert info.starling == "1.2.3"
        assert info.extensions == {method.name for method in OWN_METHODS}


async def test_the_choking_round_as_it_happens(tmp_path, content):
    path, torrent = content
    quiet = {"dht": False, "local_discovery": False, "bind": ("127.0.0.1",), "limit_up": 50_000.0}
    async with (
        Session(Settings(download_dir=path.parent, **quiet)) as seeding,
        own_daemon(tmp_path) as daemon,
    ):
        await seeding.add(torrent, TorrentOptions(trust=True))
        added = await daemon.client.add(torrent)
        idle = await daemon.client.own.choking(added.id)
        assert idle.peers == ()
        (mine,) = daemon.session.torrents
        mine.add_peers([Address("127.0.0.1", seeding.port)], PeerSource.TRACKER)

        async def choking():
            return await daemon.client.own.choking(added.hash_string)

        told = await until(choking, lambda each: each.peers and each.peers[0].bytes_from and each.next_round_in)
        (peer,) = told.peers
        assert (told.is_running, told.is_seeding, told.id) == (True, False, added.id)
        assert told.slots >= 4
        assert 0 <= told.next_round_in <= told.round_interval == 10.0
        assert (peer.address, peer.port) == ("127.0.0.1", seeding.port)
        assert (peer.am_interested, peer.peer_choking, peer.peer_interested) == (True, False, False)
        assert (peer.is_seeder, peer.is_incoming, peer.is_snubbed) == (True, False, False)
        assert peer.reciprocation is Reciprocation.TAKING
        assert peer.unchoked_for is None

        pieces = await daemon.client.own.pieces(added.id)
        assert pieces.piece_count == 25
        assert base64.b64decode(pieces.availability) == b"\x01" * 25
        assert len(base64.b64decode(pieces.pieces)) == 4
        assert pieces.distributed_copies >= 1

        async def rates():
            return await daemon.client.own.rates(added.id)

        history = await until(rates, lambda each: each.series and any(each.series[0].down))
        assert [series.interval for series in history.series] == [1.0, 10.0]


async def test_dht_disk_and_trackers(tmp_path, content):
    path, torrent = content
    async with own_daemon(tmp_path) as daemon:
        assert not (await daemon.client.own.dht()).is_running
        assert (await daemon.client.own.trackers()).hosts == ()
        added = await daemon.client.add(torrent, download_dir=str(path.parent))

        async def disk():
            return await daemon.client.own.disk()

        told = await until(disk, lambda each: each.filesystems and each.hashed == 400_000 and not each.queue)
        verified = next(each for each in told.jobs if each.kind == "verify")
        assert (verified.done, verified.failed, verified.bytes, told.queue) == (25, 0, 400_000, 0)
        assert 0 < verified.p50 <= verified.p99 <= verified.worst
        assert told.hash_rate > 0
        (filesystem,) = told.filesystems
        assert filesystem.paths == (str(path.parent),)
        assert filesystem.torrents == 1
        assert path.is_relative_to(filesystem.mount)
        assert 0 < filesystem.free <= filesystem.total
        assert added.id == 1


async def test_a_dht_node_is_told_of(tmp_path):
    async with own_daemon(tmp_path, dht=True, bootstrap=()) as daemon:
        told = await daemon.client.own.dht()
        assert told.is_running
        assert told.port == daemon.session.dht.port
        assert told.traffic is not None
        assert [family.ipv6 for family in told.families] == [False]
        assert len(bytes.fromhex(told.families[0].node_id)) == 20


async def test_trackers_are_told_of_by_host(tmp_path, content):
    path, _ = content
    torrent = await create(path, trackers=("http://127.0.0.1:1/announce",))
    async with own_daemon(tmp_path) as daemon:
        await daemon.client.add(torrent)

        async def hosts():
            return (await daemon.client.own.trackers()).hosts

        (host,) = await until(hosts, lambda each: each and each[0].failures and each[0].torrents)
        assert (host.host, host.torrents, host.announces) == ("127.0.0.1", 1, 0)
        assert host.failures_in_row == host.failures
        assert host.last_error
        assert host.last_success is None
        assert host.last_failure > 1e9


async def test_the_log_and_its_level(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        own, log = daemon.client.own, logging.getLogger("p2p.somewhere")
        await own.set_log_level("info")
        log.debug("nothing")
        log.info("something")
        log.warning("worse")
        told = await own.log()
        assert told.level == "info"
        assert [line.text for line in told.lines if line.logger == "p2p.somewhere"] == ["something", "worse"]
        assert [line.text for line in (await own.log(level="warning")).lines][-1:] == ["worse"]
        later = (await own.log(since=told.serial)).lines
        assert [line for line in later if line.logger == "p2p.somewhere"] == []
        assert len((await own.log(count=1)).lines) == 1
        await own.set_log_level("debug")
        log.debug("now")
        assert "now" in [line.text for line in (await own.log(since=told.serial)).lines]
        for level in ("loud", "", 5):
            with pytest.raises(RefusedError):
                await own.set_log_level(level)


async def test_a_torrent_is_made_and_seeded_in_place(tmp_path, content):
    path, _ = content
    async with own_daemon(tmp_path) as daemon:
        own = daemon.client.own
        begun = await own.create(str(path), seed=True, comment="made", tiers=(("http://127.0.0.1:1/a",),), private=True)
        assert begun.job == 1

        async def job():
            (found,) = await own.creations(begun.job)
            return found

        done = await until(job, lambda each: each.ended is not None)
        assert (done.state, done.error, done.bytes_done, done.bytes_total) == (CreationState.DONE, "", 400_000, 400_000)
        metainfo = Metainfo.from_bytes(await own.created_file(begun.job))
        assert (metainfo.comment, metainfo.private, metainfo.trackers) == ("made", True, (("http://127.0.0.1:1/a",),))
        assert done.hash_string == metainfo.info_hash_v1.hex()
        assert done.torrent_file == str(tmp_path / "created" / "content.bin.torrent")

        async def row():
            (found,) = await daemon.client.torrents([done.torrent])
            return found

        seeding = await until(row, lambda each: each.status.name == "SEEDING")
        assert (seeding.hash_string, seeding.percent_done) == (done.hash_string, 1.0)
        assert daemon.monitor.disk().hashed == 0  # not a second time
        assert (await own.create(str(path))).job == 2
        again = await until(lambda: own.creations(2), lambda each: each[0].ended is not None)
        assert again[0].torrent_file.endswith("content.bin-2.torrent")


@pytest.mark.parametrize(
    "wanted",
    [
        {"path": "relative"},
        {"path": "/a/../b"},
        {"path": "/x", "version": "3"},
        {"path": "/x", "piece_length": -1},
        {"path": "/x", "web_seeds": ("a" * 20_000,)},
        {"path": "/x", "tiers": (("nonsense",),)},
        {"path": "/x", "output": "relative"},
    ],
)
async def test_what_cannot_be_made_is_refused(tmp_path, wanted):
    async with own_daemon(tmp_path) as daemon:
        with pytest.raises(RefusedError):
            await daemon.client.own.create(**wanted)
        assert await daemon.client.own.creations() == ()


async def test_methods_about_one_torrent_want_one(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        call = daemon.client.transport.call
        for method in ("starling_choking_get", "starling_pieces_get"):
            for ids in (None, [], 7, [1, 2], "recently_active", True, {"a": 1}):
                with pytest.raises(RefusedError):
                    await call(method, {"ids": ids})
        for method in ("starling_create_cancel", "starling_create_file"):
            for job in (None, 7, "x"):
                with pytest.raises(RefusedError):
                    await call(method, {"job": job})


async def test_a_bug_in_a_look_takes_nothing_down(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(monitor_module, "AFTER_BUG", 0.0)
    async with own_daemon(tmp_path) as daemon:
        look = daemon.monitor.tally.look
        monkeypatch.setattr(daemon.monitor.tally, "look", lambda _: 1 // 0)
        while "ended by a bug" not in caplog.text:
            assert await daemon.client.torrents() == ()
        monkeypatch.setattr(daemon.monitor.tally, "look", look)
        assert daemon.monitor.troubles() == []


JUNK = (None, True, -1, 2**70, 1.5, "", "\x00", "x" * 20_000, "/../x", [], [[]], ["x", None], {}, {"a": {"b": []}})


async def test_no_argument_brings_a_bug_to_light(tmp_path):
    async with own_daemon(tmp_path) as daemon:
        await daemon.client.add(f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)
        for method in OWN_METHODS:
            needed = {name: {"ids": 1, "job": 1, "path": "/nowhere", "level": "info"}[name] for name in method.needed}
            for name in (*method.arguments, "unknown"):
                for junk in JUNK:
                    try:
                        await daemon.client.transport.call(method.name, {**needed, name: junk})
                    except RefusedError as error:
                        assert error.code != -32603, (method.name, name, junk)  # noqa: PT017 - most are refused, not all


async def test_the_health_page(tmp_path, monkeypatch):
    import aiohttp

    from p2p.daemon.access import Login, hash_password

    login = Login("me", hash_password("secret", b"s" * 16))
    async with own_daemon(tmp_path, login=login) as daemon, aiohttp.ClientSession() as http:

        async def health():
            async with http.get(f"{daemon.url}/health") as response:
                return response.status, await response.json()

        assert await health() == (200, {"status": "ok", "troubles": []})
        async with http.get(f"{daemon.url}/events") as response:
            assert response.status == 401
        monkeypatch.setattr(monitor_module, "LATE", -1.0)
        status, told = await health()
        assert (status, told["status"]) == (503, "failing")
        assert "looked at the torrents" in told["troubles"][0]
