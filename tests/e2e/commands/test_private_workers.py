"""`starling tracker serve --private --workers`: several processes take members' connections, one keeps the accounts."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote_from_bytes
from urllib.request import urlopen

import psutil
import pytest

from p2p.codec import http_tracker
from p2p.codec.announce import AnnounceRequest
from p2p.codec.udp_tracker import ConnectRequest, UdpAnnounceRequest, decode_response, encode_request
from p2p.errors import TrackerError
from p2p.ids import Address

HASH = b"\xaa" * 20
PHOTOS = HASH.hex()
HERE = ("--bind", "127.0.0.1", "--http-port", "0", "--udp-port", "0", "--json", "--private", "tracker.db")
CONFIG = '[limits]\nexchange_time = "1s"\n'
"""So that who asked a process that died soon asks again."""
DEADLINE = 30.0
MANY = 24
"""Connections: that all of them are given to one of two workers happens once in eight million runs."""


class Members:
    """Two members of a running tracker and how they ask it."""

    def __init__(self, commands, running, urls, keys):
        self._commands = commands
        self.running = running
        self.keys = keys
        self._http = next(url for url in urls if url.startswith("http")).removesuffix("/announce")
        udp = next(url for url in urls if url.startswith("udp"))
        self._udp = Address("127.0.0.1", int(udp.split(":")[2].split("/")[0]))

    async def fetch(self, path):
        def get():
            with urlopen(self._http + path, timeout=DEADLINE) as answer:
                return answer.read()

        return await asyncio.to_thread(get)

    async def announce(self, name, port, start=0, **fields):
        """Over a connection of its own. A client at its next `start` is given peers however soon it comes."""
        told = {"uploaded": 0, "downloaded": 0, "left": 0, "numwant": 50, **fields}
        ids = f"info_hash={quote_from_bytes(HASH)}&peer_id=-TT{start:04}-{port:012}&port={port}"
        query = "&".join(f"{field}={value}" for field, value in told.items())
        return http_tracker.decode_announce(await self.fetch(f"/{self.keys[name]}/announce?{ids}&{query}"))

    async def announce_by_udp(self, name, port, **fields):
        told = {"uploaded": 0, "downloaded": 0, "left": 0, **fields}
        request = AnnounceRequest(info_hash=HASH, peer_id=b"-TT0000-%012d" % port, port=port, **told)
        path = f"/announce/{self.keys[name]}".encode()

        def exchange():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(DEADLINE)
                sock.connect(self._udp)
                sock.send(encode_request(ConnectRequest(1)))
                number = decode_response(sock.recv(2_048), self._udp).connection_id
                sock.send(encode_request(UdpAnnounceRequest(number, 2, request, path)))
                return decode_response(sock.recv(2_048), self._udp)

        return (await asyncio.to_thread(exchange)).reply

    async def uploaded(self, name):
        ended = await self._commands.run("tracker", "member", "show", name, "--json")
        return json.loads(ended.stdout)["actual_uploaded"]

    def processes(self):
        """The one that keeps the accounts, told by its lock on the database, and the others."""
        found = {True: [], False: []}
        for child in psutil.Process(self.running.process.pid).children():
            keeps = any(Path(each.path).name == "tracker.db.lock" for each in child.open_files())
            found[keeps].append(child.pid)
        return found[True], found[False]


@pytest.fixture
async def members(commands, tmp_path):
    await commands.run("tracker", "torrent", "add", PHOTOS, "--name", "photos")
    joined = await commands.run("tracker", "member", "add", "alice", "bob", "--json")
    keys = {each["member"]: each["passkey"] for each in map(json.loads, joined.stdout.splitlines())}
    config = tmp_path / "tracker.toml"
    config.write_text(CONFIG)
    running = await commands.start("tracker", "serve", *HERE, "--workers", "2", "--config", config)
    return Members(commands, running, (await running.event("listening"))["urls"], keys)


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_totals_are_right_whichever_process_each_announce_comes_to(members):
    for n in range(MANY):
        reply = await members.announce("alice", 1_000, uploaded=100 * n)
        assert reply.seeders == 1
    # One client over HTTP and UDP by turns: its counters have one base.
    for n in range(MANY, MANY + 4):
        ask = members.announce if n % 2 else members.announce_by_udp
        await ask("alice", 1_000, uploaded=100 * n)
    for start in range(MANY):
        reply = await members.announce("bob", 2_000, start, left=9, compact=0)
        assert {peer.port for peer in reply.peers} == {1_000}
    members.keys["nobody"] = "0" * 32
    for _ in range(MANY):
        with pytest.raises(TrackerError, match="Passkey not found"):
            await members.announce("nobody", 1)
    stats = json.loads(await members.fetch("/stats"))
    assert (stats["mode"], stats["workers"], stats["peers"]) == ("private", 2, 2)
    for _ in range(MANY):
        assert b"Your passkey" in await members.fetch("/")

    async def counted():
        """All processes' announces, told once a second."""
        traffic = json.loads(await members.fetch("/stats"))["traffic"]
        return traffic["http_announces"] == 3 * MANY + 2

    await until(counted)
    assert (await members.running.stop()).status == 0
    assert await members.uploaded("alice") == 100 * (MANY + 3)


async def test_a_process_that_is_killed_is_replaced_and_what_was_written_counts(members):
    await members.announce("alice", 1_000)
    await members.announce("alice", 1_000, uploaded=1_000)

    async def written():
        return json.loads(await members.fetch("/stats"))["accounts"]["unwritten_rows"] == 0

    await until(written)
    counters = itertools.count(2_000, 1_000)
    for keeps in (False, True):
        victim = members.processes()[not keeps][0]
        os.kill(victim, signal.SIGKILL)
        assert (await members.running.event("worker died, another takes its place"))["status"] == -signal.SIGKILL

        async def replaced(victim=victim):
            keeper, others = members.processes()
            return len(keeper) == len(others) == 1 and victim not in (*keeper, *others)

        await until(replaced)

        async def answered():
            for _ in range(4):
                try:
                    await members.announce("alice", 1_000, uploaded=next(counters))
                except (OSError, HTTPException):  # it had come to the one that died, or asked that
                    return False
            return True

        await until(answered)
    last = next(counters)
    await members.announce("alice", 1_000, uploaded=last)
    assert (await members.running.stop()).status == 0
    assert await members.uploaded("alice") == last
