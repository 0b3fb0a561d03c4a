"""`kill -9` of a daemon at work, ten times: what it has answered for is there when it comes back.

While it downloads from a seed, clients add and remove torrents, label them, move them in the queue and change settings;
the kill comes with a call under way, at a moment drawn from the seed. What was answered must hold afterwards, and of
the call under way all or nothing. The seed is halted while the daemon comes back, so the pieces that it has then are
those that it found: all that it had told of before.
"""

from __future__ import annotations

import asyncio
import base64
import random
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from p2p.codec import bencode

PIECE_LENGTH = 65_536
PIECES = 500
SIZE = PIECES * PIECE_LENGTH
LIMIT_DOWN = 5_000
"""Kilobytes a second: half of the content by the last kill."""
KILLS = 10
CALLS = (5, 15)
"""Calls that are answered between a start and its kill."""
MOMENT = 0.01
"""Seconds within which the kill comes after the last call has begun: some are answered by then, some not sent."""
LOOK = 0.02
DOWNLOADING, SEEDING = 4, 6
DEADLINE = 110.0
SETTINGS = {
    "speed_limit_up": 5_000,
    "speed_limit_up_enabled": False,
    "start_added_torrents": True,
    "seed_ratio_limit": 2.0,
}


class Rpc:
    """A client of one daemon's RPC."""

    def __init__(self, http, url):
        self._http = http
        self._url = url
        self._token = ""

    async def __call__(self, method, **params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        while True:
            headers = {"X-Transmission-Session-Id": self._token}
            async with self._http.post(self._url, json=body, headers=headers) as answer:
                if answer.status == 409:
                    self._token = answer.headers["X-Transmission-Session-Id"]
                    continue
                told = await answer.json()
                return told["result"]

    async def torrents(self, *names, **which):
        return (await self("torrent_get", fields=list(names), **which))["torrents"]


@dataclass(eq=False)
class Wanted:
    """What clients were answered for: labels by name, in the queue's order, and settings."""

    labels: dict
    settings: dict

    def copy(self):
        return Wanted(dict(self.labels), dict(self.settings))

    def is_in(self, other):
        return (list(self.labels.items()), self.settings) == (list(other.labels.items()), other.settings)


def small_torrent(name):
    info = {
        b"name": name.encode(),
        b"length": 1_000,
        b"piece length": 16_384,
        b"pieces": random.Random(name).randbytes(20),
    }
    return base64.b64encode(bencode.encode({b"info": info})).decode()


def next_call(chance, wanted, number):
    """A call, and what is wanted once it is answered."""
    after = wanted.copy()
    others = [name for name in wanted.labels if name != "content.bin"]
    match chance.choice(["add", "add", "label", "label", "set", "top", "remove"] if others else ["add"]):
        case "add":
            name = f"small {number}"
            after.labels[name] = ["new", str(number)]
            return (
                "torrent_add",
                {"metainfo": small_torrent(name), "paused": True, "labels": ["new", str(number)]},
            ), after
        case "label":
            name = chance.choice(list(wanted.labels))
            after.labels[name] = [f"label {number}"]
            return ("torrent_set", {"ids": name, "labels": [f"label {number}"]}), after
        case "set":
            name = chance.choice(list(SETTINGS))
            kind = type(SETTINGS[name])
            after.settings[name] = chance.random() < 0.5 if kind is bool else kind(6_000 + number)
            return ("session_set", {name: after.settings[name]}), after
        case "top":
            name = chance.choice(others)
            after.labels = {name: after.labels.pop(name), **after.labels}
            return ("queue_move_top", {"ids": name}), after
        case "remove":
            name = chance.choice(others)
            del after.labels[name]
            return ("torrent_remove", {"ids": name}), after


async def by_id(rpc, params):
    """Torrents are known by their names here, and by their ids there."""
    if "ids" not in params:
        return params
    ids = {each["name"]: each["id"] for each in await rpc.torrents("name", "id")}
    return {**params, "ids": [ids[params["ids"]]]}


async def found(rpc):
    """What the daemon says of what is wanted."""
    torrents = await rpc.torrents("name", "labels", "queue_position")
    torrents.sort(key=lambda each: each["queue_position"])
    settings = await rpc("session_get", fields=list(SETTINGS))
    return Wanted({each["name"]: each["labels"] for each in torrents}, settings)


async def pieces(rpc):
    """Those that the download has verified, as a bitfield in a number."""
    (told,) = [each for each in await rpc.torrents("name", "pieces") if each["name"] == "content.bin"]
    return int.from_bytes(base64.b64decode(told["pieces"]), "big")


async def status(rpc, name):
    return {each["name"]: each["status"] for each in await rpc.torrents("name", "status")}[name]


async def test_a_daemon_killed_ten_times_loses_nothing_it_has_answered_for(programs, make_torrent, tmp_path, seed):
    content, torrent = make_torrent(SIZE, "--piece-length", str(PIECE_LENGTH))
    chance, calls = random.Random(seed), 0

    async with asyncio.timeout(DEADLINE), aiohttp.ClientSession() as http:
        seeder = await programs.starling("seed", content, "--torrent", torrent, state="seeder")
        peer = f"127.0.0.1:{(await seeder.event('added'))['port']}"

        @asynccontextmanager
        async def daemon():
            where = ("--download-dir", tmp_path / "in", "--rpc-port", 0, "--peer", peer)
            program = await programs.starling("daemon", *where, state="daemon")
            yield program, Rpc(http, (await program.event("listening"))["rpc"])

        async with daemon() as (program, rpc):
            await rpc("session_set", **SETTINGS, speed_limit_down=LIMIT_DOWN, speed_limit_down_enabled=True)
            await rpc("torrent_add", metainfo=base64.b64encode(torrent.read_bytes()).decode(), labels=["big"])
            wanted, told = Wanted({"content.bin": ["big"]}, dict(SETTINGS)), 0
            for kill in range(KILLS):
                for _ in range(chance.randint(*CALLS)):
                    calls += 1
                    (method, params), after = next_call(chance, wanted, calls)
                    await rpc(method, **await by_id(rpc, params))
                    wanted = after
                while (now := await pieces(rpc)).bit_count() <= told.bit_count() < PIECES:
                    await asyncio.sleep(LOOK)
                calls += 1
                (method, params), after = next_call(chance, wanted, calls)
                under_way = asyncio.create_task(rpc(method, **await by_id(rpc, params)))
                told = await pieces(rpc) | now
                await asyncio.sleep(chance.random() * MOMENT)
                assert await program.end(signal.SIGKILL) == -signal.SIGKILL
                (outcome,) = await asyncio.gather(under_way, return_exceptions=True)
                answered = not isinstance(outcome, BaseException)
                seeder.send(signal.SIGSTOP)
                async with daemon() as (program, rpc):  # noqa: PLW2901 - the one that runs
                    there = await found(rpc)
                    print(f"kill {kill}: {told.bit_count()} pieces, {len(there.labels)} torrents, {method} {answered=}")
                    assert there.is_in(after) or (there.is_in(wanted) and not answered), (
                        f"wanted {wanted}, or {after}: {there}"
                    )
                    wanted = there
                    while await status(rpc, "content.bin") not in (DOWNLOADING, SEEDING):
                        await asyncio.sleep(LOOK)
                    assert told & ~await pieces(rpc) == 0, "a piece that was verified is lost"
                    assert (await rpc("session_get"))["starling_state_problem"] == ""
                seeder.send(signal.SIGCONT)
            await rpc("session_set", speed_limit_down_enabled=False)
            while await status(rpc, "content.bin") != SEEDING:
                await asyncio.sleep(LOOK)
            before = await rpc("session_stats")
            assert await program.end(signal.SIGTERM) == 0
        async with daemon() as (program, rpc):
            assert wanted.is_in(await found(rpc))
            while await status(rpc, "content.bin") != SEEDING:
                await asyncio.sleep(LOOK)
            stats = await rpc("session_stats")
            assert stats["cumulative_stats"]["session_count"] == KILLS + 2
            assert stats["cumulative_stats"]["downloaded_bytes"] >= before["cumulative_stats"]["downloaded_bytes"]
            assert await program.end(signal.SIGTERM) == 0
        assert await seeder.end(signal.SIGTERM) == 0
    assert (tmp_path / "in" / content.name).read_bytes() == content.read_bytes()


async def test_a_second_daemon_on_the_same_folder_is_refused(programs, tmp_path):
    async with asyncio.timeout(DEADLINE):
        where = ("--config-dir", tmp_path / "config", "--rpc-port", 0)
        first = await programs.starling("daemon", *where, state="daemon")
        await first.event("listening")
        second = await programs.starling("daemon", *where, state="daemon")
        assert await second.ended() == 1
        (complaint,) = second.complaints
        assert complaint == f"error: another daemon keeps its state in {tmp_path}/config/state/daemon"
        assert await first.end(signal.SIGTERM) == 0
