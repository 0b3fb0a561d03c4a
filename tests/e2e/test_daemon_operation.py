"""A daemon as its operator has it: supervised, told to read its configuration again, stopped, and stopped at once."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest
from programs import STARLING

from p2p.daemon.client import Client, Part
from p2p.daemon.client_address import Server

DEADLINE = 60.0
HERE = ("--bind", "127.0.0.1", "--no-dht", "--no-lsd", "--no-nat", "--rpc-port", 0, "--port", 0, "--json")


@pytest.fixture
def ear(tmp_path):
    """The socket of a supervisor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        yield channel


async def heard(ear, wanted):
    """Hears until a message has that line; its lines."""
    while wanted not in (lines := (await asyncio.get_running_loop().sock_recv(ear, 4_096)).decode().split("\n")):
        pass
    return lines


async def test_a_daemon_lives_reloads_and_stops_in_good_order(programs, make_torrent, tmp_path, ear):
    config = tmp_path / "config"
    config.mkdir()
    script = "[session]\nscript_torrent_added_enabled = true\nscript_torrent_added_filename = '/usr/bin/env'\n"
    (config / "daemon.toml").write_text(script)
    async with asyncio.timeout(DEADLINE):
        tracker, announce = await programs.tracker()
        _, torrent = make_torrent(50_000, "--tracker", announce)
        supervised = ("env", f"NOTIFY_SOCKET={tmp_path / 'notify'}", "WATCHDOG_USEC=1500000", "STARLING_RPC_PROT=1")
        options = ("--config-dir", config, "--watch-dir", tmp_path / "watch", "--download-dir", tmp_path / "in")
        daemon = await programs.start("daemon", *supervised, STARLING, "daemon", *options, *HERE, state="daemon")
        listening = await daemon.event("listening")
        assert listening["rpc"] in (await heard(ear, "READY=1"))[1]
        for _ in range(2):
            await heard(ear, "WATCHDOG=1")
        assert any("STARLING_RPC_PORT?" in event["event"] for event in daemon.events)
        assert (await daemon.event("first start"))["state"] == str(config / "state")

        (tmp_path / "watch").mkdir()
        torrent.rename(tmp_path / "watch" / "a.torrent")
        await daemon.event("added a watched torrent")
        await daemon.event("a script says", line="TR_TORRENT_NAME=content.bin")
        await tracker.event("announce", said="started")

        (config / "daemon.toml").write_text(
            f"{script}speed_limit_up = 77\n[rpc]\nport = 1\n[network]\ntrackers = false"
        )
        daemon.send(signal.SIGHUP)
        read = await daemon.event("read the configuration")
        assert read["changed"] == ["[session] speed_limit_up"]
        assert read["needs_restart"] == ["[network] trackers"]  # the port is an option of the command line
        (config / "daemon.toml").write_text(f"{script}speed_limit_up = 78\n[rpc]\nport = 'many'")
        daemon.send(signal.SIGHUP)
        assert "port" in (await daemon.event("the configuration stays as it was"))["reason"]
        async with Client(Server.parse(listening["rpc"])) as client:
            assert (await client.settings())["speed_limit_up"] == 77
            assert [row.name for row in await client.torrents()] == ["content.bin"]
            (config / "daemon.toml").write_text(script)
            daemon.send(signal.SIGHUP)
            await daemon.event("read the configuration", needs_restart=[])
            assert (await client.settings())["speed_limit_up"] == 100  # the default

        assert await daemon.end(signal.SIGTERM) == 0
        assert "STATUS=stopping" in await heard(ear, "STOPPING=1")
        await tracker.event("announce", said="stopped")
        assert (tmp_path / "watch" / "a.torrent.added").exists()


async def test_a_second_signal_ends_it_at_once(programs, make_torrent, tmp_path):
    async def answer_once(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if b"event=started" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\nd8:intervali1800e5:peers0:e")
            await writer.drain()
            asked.set()
        else:
            await reader.read()  # and never answers
        writer.close()

    asked = asyncio.Event()
    async with asyncio.timeout(DEADLINE), await asyncio.start_server(answer_once, "127.0.0.1", 0) as tracker:
        port = tracker.sockets[0].getsockname()[1]
        _, torrent = make_torrent(50_000, "--tracker", f"http://127.0.0.1:{port}/announce")
        options = ("--config-dir", tmp_path / "config", "--download-dir", tmp_path / "in")
        daemon = await programs.start("daemon", STARLING, "daemon", *options, *HERE, state="daemon")
        async with Client(Server.parse((await daemon.event("listening"))["rpc"])) as client:
            added = await client.add(torrent.read_bytes())
            await asked.wait()
            while not (await client.details(added.id, Part.TRACKERS)).tracker_stats[0].last_announce_succeeded:
                await asyncio.sleep(0.05)
        daemon.send(signal.SIGTERM)
        await daemon.event("stopping")
        ended = asyncio.create_task(daemon.ended())
        while not ended.done():  # the first ones are taken for echoes
            daemon.send(signal.SIGINT)
            await asyncio.wait([ended], timeout=0.1)
        assert ended.result() == 130
        assert daemon.events[-1]["event"] == "told to stop again, and ends at once"


async def test_what_is_wrong_is_told_in_one_line_before_anything_starts(programs, tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    (config / "daemon.toml").write_text("[rpc]\nhost = '0.0.0.0'")
    daemon = await programs.start("daemon", STARLING, "daemon", "--config-dir", config, *HERE, state="daemon")
    assert await daemon.ended() == 1
    assert daemon.events == []
    (line,) = daemon.complaints
    assert line.startswith("error: the RPC on 0.0.0.0 (")
    assert line.endswith("daemon.toml) would be open to others: give it a password first")
    assert list(config.iterdir()) == [config / "daemon.toml"]
