"""Trackers as operators run them, several on one Redis: what one is told all give out, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal

import pytest
from programs import STARLING
from redis_server import DEADLINE, RedisServer, skip_without_redis

from p2p.codec import bencode

SWARMS = 20
POLL = 0.05
CLIENTS = 4
"""Connections that announce all the time, each on its own."""


class Tracker:
    """One process, or several behind one port, and its answers over HTTP."""

    def __init__(self, program, port):
        self.program = program
        self.port = port

    async def get(self, path):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: tracker\r\nConnection: close\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert head.startswith("HTTP/1.1 200"), head
            return await reader.readexactly(int(head.lower().partition("content-length:")[2].split()[0]))
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("no answer") from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def announce(self, swarm, port, left=1, want=200):
        """The ports of the peers it gives; they are all on one host. AssertionError for a failure."""
        query = f"info_hash={info_hash(swarm)}&peer_id=-ST0100-{port:012d}&port={port}&left={left}&numwant={want}"
        answer = bencode.decode(await self.get(f"/announce?{query}&uploaded=0&downloaded=0&compact=1"))
        assert b"failure reason" not in answer, answer
        peers = answer[b"peers"]
        return {int.from_bytes(peers[at + 4 : at + 6], "big") for at in range(0, len(peers), 6)}

    async def counts(self, swarm):
        files = bencode.decode(await self.get(f"/scrape?info_hash={info_hash(swarm)}"))[b"files"]
        return next(iter(files.values()), None)

    async def redis(self):
        return json.loads(await self.get("/stats"))["redis"]

    async def peers(self):
        return json.loads(await self.get("/stats"))["peers"]

    async def until_peers(self, wanted):
        while await self.peers() != wanted:
            await asyncio.sleep(POLL)


def info_hash(swarm):
    return f"%{swarm:02x}" * 20


@pytest.fixture
async def redis(programs, tmp_path):
    skip_without_redis()
    server = RedisServer(programs, tmp_path)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def start_tracker(programs, redis):
    async def start(name, *options, where=("--bind", "127.0.0.1", "--http-port", 0, "--no-udp", "--json")):
        argv = ("tracker", "serve", "--redis", redis.url, *where, *options)
        program = await programs.start(name, STARLING, *argv, state=name)
        (url,) = (await program.event("listening"))["urls"]
        return Tracker(program, int(url.split(":")[2].partition("/")[0]))

    return start


class Load:
    """Clients that announce to trackers in turn, a new peer each time, and go to another where one does not answer."""

    def __init__(self, *trackers):
        self.trackers = list(trackers)
        self.announced = set()
        """(swarm, port) of each peer that was answered."""
        self.failures = []
        """The tracker of each announce without an answer."""
        self._grown = asyncio.Event()
        self._next = 10_000
        self._tasks = []
        self._is_over = False

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._run(n)) for n in range(CLIENTS)]
        return self

    async def __aexit__(self, *_):
        self._is_over = True
        await asyncio.gather(*self._tasks)  # each ends after its answer, so that all that was taken in is known

    async def more(self, count):
        """So many announces later."""
        wanted = len(self.announced) + count
        while len(self.announced) < wanted:
            self._grown.clear()
            await self._grown.wait()

    async def _run(self, n):
        turn = n
        while not self._is_over:
            self._next += 1
            peer = self._next % SWARMS, self._next
            turn += 1
            tracker = self.trackers[turn % len(self.trackers)]
            try:
                await tracker.announce(*peer, want=5)
            except OSError:
                self.failures.append(tracker)
                continue
            self.announced.add(peer)
            self._grown.set()


async def test_a_peer_announced_at_one_is_given_out_by_the_other(start_tracker):
    async with asyncio.timeout(DEADLINE):
        one, other = await start_tracker("one"), await start_tracker("other")
        assert await one.announce(1, 7_001, left=0) == set()
        await other.until_peers(1)
        assert await other.announce(1, 7_002) == {7_001}
        await one.until_peers(2)
        assert await one.announce(1, 7_003) == {7_001, 7_002}
        await other.until_peers(3)
        counts = await other.counts(1)
        assert (counts[b"complete"], counts[b"incomplete"]) == (1, 2)
        metrics = (await one.get("/metrics")).decode()
        assert "starling_tracker_redis_up 1.0" in metrics
        assert await one.program.end(signal.SIGTERM) == 0
        assert await other.program.end(signal.SIGTERM) == 0


async def test_one_is_killed_under_load_and_no_swarm_is_lost(start_tracker):
    async with asyncio.timeout(DEADLINE):
        doomed, other = await start_tracker("doomed"), await start_tracker("other")
        async with Load(doomed, other) as load:
            await load.more(300)
            await doomed.program.end(signal.SIGKILL)
            load.trackers.remove(doomed)
            answered = len(load.announced)
            await load.more(200)
        third = await start_tracker("third")
        for tracker in (other, third):
            # What it answered within the last batch before the kill is all that may be missing.
            lost = len(load.announced) - await tracker.peers()
            assert lost <= CLIENTS * 10, (lost, answered)
            for swarm in range(SWARMS):
                assert (await tracker.counts(swarm))[b"incomplete"] > 0
        await third.until_peers(await other.peers())
        assert set(load.failures) <= {doomed}


async def test_redis_goes_away_in_mid_load_and_comes_back_empty(start_tracker, redis):
    async with asyncio.timeout(DEADLINE):
        one, other = await start_tracker("one"), await start_tracker("other")
        async with Load(one, other) as load:
            await load.more(200)
            await redis.kill()
            await load.more(300)
            while (await one.redis())["up"] or (await other.redis())["up"]:
                await asyncio.sleep(POLL)
            await load.more(100)
            await redis.start()
            await load.more(200)
        assert load.failures == []
        for tracker in (one, other):
            await tracker.until_peers(len(load.announced))
            downs = list(tracker.program.all("redis is down, serving on"))
            assert len(downs) == 1
        given = set()
        for swarm in range(SWARMS):
            given |= {(swarm, port) for port in await one.announce(swarm, 9_999)}
        assert given == load.announced
        late = await start_tracker("late")
        await late.until_peers(len(load.announced) + SWARMS)


async def test_workers_of_one_tracker_share_by_redis_too(start_tracker):
    async with asyncio.timeout(DEADLINE):
        several, single = await start_tracker("several", "--workers", 2), await start_tracker("single")
        async with Load(several, single) as load:
            await load.more(100)
        for tracker in (several, several, several, several, single):  # whichever worker answers
            await tracker.until_peers(len(load.announced))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "redis://127.0.0.1:1?nonsense=1", "redis://host:port", "nonsense"], ids=range(4)
)
async def test_a_url_that_leads_nowhere_is_an_error_before_anything_is_served(programs, url):
    async with asyncio.timeout(DEADLINE):
        program = await programs.start("bad", STARLING, "tracker", "serve", "--redis", url, state="bad")
        assert await program.ended() == 1
    assert len(program.complaints) == 1
    assert program.complaints[0].startswith("error: [swarms] redis: ")


@pytest.mark.parametrize("workers", [1, 2])
async def test_one_starts_and_serves_where_no_redis_is(programs, tmp_path, workers):
    async with asyncio.timeout(DEADLINE):
        where = ("--bind", "127.0.0.1", "--http-port", 0, "--no-udp", "--json", "--workers", workers)
        url = f"unix://{tmp_path}/nobody.sock"
        program = await programs.start("alone", STARLING, "tracker", "serve", "--redis", url, *where, state="alone")
        await program.event("redis is down, serving on", level="warning")
        (url,) = (await program.event("listening"))["urls"]
        tracker = Tracker(program, int(url.split(":")[2].partition("/")[0]))
        peers = set(range(7_001, 7_025))
        for port in peers:
            await tracker.announce(1, port)
        for n in range(24):  # whichever worker answers
            while not peers <= await tracker.announce(1, 7_000 - n):
                await asyncio.sleep(POLL)
        assert await program.end(signal.SIGTERM) == 0
