"""Debian's transmission-remote steers our daemon: it lists, adds, starts, stops and removes a torrent that moves."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from asyncio.subprocess import PIPE, STDOUT

import pytest
from aiohttp import web

from p2p.metainfo.metainfo import Metainfo

DEADLINE = 60.0
REMOTE = shutil.which("transmission-remote")

pytestmark = [
    pytest.mark.rival,
    pytest.mark.skipif(
        REMOTE is None and os.environ.get("STARLING_REQUIRE_RIVALS") != "1", reason="transmission-remote is missing"
    ),
]


async def remote(url, *argv):
    """What transmission-remote says."""
    place = url.removeprefix("http://").removesuffix("/transmission/rpc")
    child = await asyncio.create_subprocess_exec(REMOTE, place, *map(str, argv), stdout=PIPE, stderr=STDOUT)
    said, _ = await child.communicate()
    return said.decode()


async def until(url, wanted, *argv):
    """Asks until the answer has what is wanted."""
    while wanted not in (said := await remote(url, *argv)):
        await asyncio.sleep(0.1)
    return said


async def test_a_torrent_is_added_downloaded_stopped_and_removed(programs, make_torrent, tmp_path):
    async with asyncio.timeout(DEADLINE):
        _, announce = await programs.tracker()
        content, torrent = make_torrent(300_000, "--tracker", announce)
        seeder = await programs.starling("seed", content, "--torrent", torrent, state="seeder")
        daemon = await programs.starling("daemon", "--download-dir", tmp_path / "in", "--rpc-port", 0, state="daemon")
        url = (await daemon.event("listening"))["rpc"]

        assert "Sum:" in await remote(url, "--list")
        assert "success" in await remote(url, "--start-paused", "--add", torrent)
        assert "Stopped" in await until(url, "content.bin", "--list")
        assert "success" in await remote(url, "--torrent", 1, "--start")
        await until(url, "100%", "--list")
        assert (tmp_path / "in" / "content.bin").read_bytes() == content.read_bytes()
        told = await remote(url, "--torrent", 1, "--info")
        info_hash = Metainfo.from_bytes(torrent.read_bytes()).info_hash_v1.hex()
        assert info_hash in told
        assert "Percent Done: 100%" in told
        assert "content.bin" in await remote(url, "--torrent", info_hash, "--files")
        assert announce.split("/")[2].split(":")[0] in await remote(url, "--torrent", 1, "--info-trackers")

        assert "success" in await remote(url, "--torrent", 1, "--stop")
        await until(url, "Stopped", "--list")
        assert "success" in await remote(url, "--torrent", 1, "--remove")
        assert "content.bin" not in await remote(url, "--list")
        assert (tmp_path / "in" / "content.bin").exists()

        assert "Download directory" in await remote(url, "--session-info")
        assert "success" in await remote(url, "--downlimit", 500)
        assert "500" in await remote(url, "--session-info")
        assert "success" in await remote(url, "--exit")
        assert await daemon.ended() == 0
        assert await seeder.end(signal.SIGTERM) == 0


async def test_content_is_moved_found_checked_and_removed(programs, make_torrent, tmp_path):
    content, torrent = make_torrent(300_000)
    there, other = tmp_path / "there", tmp_path / "other"
    (tmp_path / "in").mkdir()
    shutil.copy(content, tmp_path / "in")
    async with asyncio.timeout(DEADLINE):
        daemon = await programs.starling("daemon", "--download-dir", tmp_path / "in", "--rpc-port", 0, state="daemon")
        url = (await daemon.event("listening"))["rpc"]
        assert "success" in await remote(url, "--incomplete-dir", tmp_path / "later")
        assert "success" in await remote(url, "--add", torrent)
        await until(url, "Seeding", "--torrent", 1, "--info")
        assert "success" in await remote(url, "--torrent", 1, "--move", there)
        await until(url, f"Location: {there}", "--torrent", 1, "--info")
        await until(url, "Seeding", "--torrent", 1, "--info")
        assert (there / content.name).read_bytes() == content.read_bytes()
        assert list((tmp_path / "in").iterdir()) == []

        there.rename(other)
        assert "success" in await remote(url, "--torrent", 1, "--find", other)
        await until(url, f"Location: {other}", "--torrent", 1, "--info")
        assert "success" in await remote(url, "--torrent", 1, "--verify")
        await until(url, "Seeding", "--torrent", 1, "--info")
        await until(url, "Percent Done: 100%", "--torrent", 1, "--info")

        mine = other / "mine"
        mine.write_text("not the torrent's")
        assert "success" in await remote(url, "--torrent", 1, "--remove-and-delete")
        assert content.name not in await remote(url, "--list")
        assert not (other / content.name).exists()
        assert mine.exists()
        assert await daemon.end(signal.SIGTERM) == 0


async def test_its_network_is_changed_while_it_runs(programs, tmp_path):
    async def answer(request):
        return web.Response(body={"/list": b"x:192.0.2.0-192.0.2.9\n"}.get(request.path, b"1"))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    folder = tmp_path / "config"
    folder.mkdir()
    config = f'[session]\nblocklist_url = "{base}/list"\nstarling_port_test_url = "{base}/open?{{port}}"\n'
    (folder / "daemon.toml").write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        async with asyncio.timeout(DEADLINE):
            daemon = await programs.starling(
                *("daemon", "--config-dir", folder, "--download-dir", tmp_path / "in", "--rpc-port", 0), state="daemon"
            )
            url = (await daemon.event("listening"))["rpc"]
            assert "success" in await remote(url, "--port", port)
            assert f"Listenport: {port}" in await remote(url, "--session-info")
            assert "success" in await remote(
                url, "--dht", "--no-pex", "--no-lpd", "--encryption-required", "--peers", 7
            )
            told = await remote(url, "--session-info")
            for line in (
                "Distributed hash table enabled: Yes",
                "Peer exchange allowed: No",
                "Local peer discovery enabled: No",
                "Encryption: required",
                "Peer limit: 7",
            ):
                assert line.lower() in " ".join(told.lower().split()), line
            assert "Port is open: Yes" in await remote(url, "--port-test")
            assert "success" in await remote(url, "--blocklist-update")
            assert await daemon.end(signal.SIGTERM) == 0
    finally:
        await runner.cleanup()


async def test_goals_limits_and_labels_hold_over_a_kill(programs, make_torrent, tmp_path):
    content, torrent = make_torrent(300_000)
    (tmp_path / "in").mkdir()
    shutil.copy(content, tmp_path / "in")
    argv = ("daemon", "--config-dir", tmp_path / "config", "--download-dir", tmp_path / "in", "--rpc-port", 0)
    async with asyncio.timeout(DEADLINE):
        daemon = await programs.starling(*argv, state="daemon")
        url = (await daemon.event("listening"))["rpc"]
        assert "success" in await remote(url, "--add", torrent)
        await until(url, "Percent Done: 100%", "--torrent", 1, "--info")
        wishes = ("--bandwidth-high", "--labels", "one,two", "--seedratio", 0)
        assert "success" in await remote(url, "--torrent", 1, *wishes)
        await until(url, "State: Finished", "--torrent", 1, "--info")
        assert "success" in await remote(url, "--global-seedratio", 3, "--alt-speed-downlimit", 70, "--alt-speed")
        await daemon.end(signal.SIGKILL)

        daemon = await programs.starling(*argv, state="daemon")
        url = (await daemon.event("listening"))["rpc"]
        told = await remote(url, "--torrent", 1, "--info")
        for line in ("State: Finished", "Bandwidth Priority: High", "Labels: one, two", "Ratio Limit: 0.0"):
            assert line in told
        told = await remote(url, "--session-info")
        assert "Default seed ratio limit: 3.0" in told
        assert "Download speed limit: 70 kB/s" in told
        assert "success" in await remote(url, "--torrent", 1, "--start")
        assert "Ratio Limit: Unlimited" in await until(url, "State: Idle", "--torrent", 1, "--info")
        assert await daemon.end(signal.SIGTERM) == 0
