"""`starling tracker serve --workers`: several processes that are one tracker to everybody who asks."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
from urllib.parse import quote_from_bytes
from urllib.request import urlopen

import psutil
import pytest

from p2p.codec import http_tracker
from p2p.codec.announce import AnnounceRequest
from p2p.codec.udp_tracker import (
    ConnectRequest,
    UdpAnnounceRequest,
    UdpScrapeRequest,
    decode_response,
    encode_request,
)
from p2p.ids import Address

HERE = ("--bind", "127.0.0.1", "--http-port", "0", "--udp-port", "0", "--json", "--workers", "2")
HASHES = [bytes([n]) * 20 for n in (0xA0, 0xA1)]
"""One of each worker's own."""
DEADLINE = 20.0
MANY = 24
"""Connections: that all of them are given to one of two workers happens once in eight million runs."""


class Served:
    """A tracker of two workers and those who ask it."""

    def __init__(self, running, urls):
        self.running = running
        self._ids = itertools.count()
        self.http = next(url for url in urls if url.startswith("http")).removesuffix("/announce")
        self.udp = Address(
            "127.0.0.1", int(next(url for url in urls if url.startswith("udp")).split(":")[2].split("/")[0])
        )

    def new_id(self):
        """Of a client started anew, which is given peers however soon it comes."""
        return b"-TT0001-%012d" % next(self._ids)

    def fetch(self, path):
        with urlopen(self.http + path, timeout=DEADLINE) as answer:
            return answer.read()

    async def http_announce(self, info_hash, port, **fields):
        told = {"uploaded": 0, "downloaded": 0, "left": 9, "numwant": 200, **fields}
        ids = f"info_hash={quote_from_bytes(info_hash, safe='')}&peer_id={self.new_id().decode()}&port={port}"
        query = "&".join(f"{name}={value}" for name, value in told.items())
        reply = http_tracker.decode_announce(await asyncio.to_thread(self.fetch, f"/announce?{ids}&{query}"))
        return {peer.port for peer in reply.peers}

    def udp_exchange(self, *make):
        """Connect from a port of its own, then what each of `make` makes of the connection id; the last answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(self.udp)
            sock.send(encode_request(ConnectRequest(1)))
            answer = decode_response(sock.recv(2_048), self.udp)
            for each in make:
                sock.send(encode_request(each(answer.connection_id)))
                last = decode_response(sock.recv(2_048), self.udp)
        return last

    async def udp_announce(self, info_hash, port, left=9):
        request = AnnounceRequest(
            info_hash=info_hash, peer_id=self.new_id(), port=port, uploaded=0, downloaded=0, left=left, num_want=200
        )
        answer = await asyncio.to_thread(self.udp_exchange, lambda number: UdpAnnounceRequest(number, 2, request))
        return {peer.port for peer in answer.reply.peers}

    async def udp_scrape(self, *hashes):
        answer = await asyncio.to_thread(self.udp_exchange, lambda number: UdpScrapeRequest(number, 2, hashes))
        return answer.entries

    def stats(self):
        return json.loads(self.fetch("/stats"))

    def workers(self):
        return {child.pid for child in psutil.Process(self.running.process.pid).children()}


@pytest.fixture
async def served(commands):
    running = await commands.start("tracker", "serve", *HERE)
    return Served(running, (await running.event("listening"))["urls"])


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.01)


async def known_to_all(served, info_hash, ports, ask):
    """Wait until whoever answers gives out these ports; `MANY` in turn, as nobody says which worker answered."""

    async def all_given():
        for n in range(MANY):
            if not ports <= await ask(info_hash, 40_000 + n):
                return False
        return True

    await until(all_given)


@pytest.mark.parametrize("info_hash", HASHES)
async def test_a_peer_announced_at_one_is_given_out_by_the_other(served, info_hash):
    assert len(served.workers()) == 2
    by_http = set(range(1_000, 1_000 + MANY))
    for port in by_http:
        await served.http_announce(info_hash, port)
    by_udp = set(range(2_000, 2_000 + MANY))
    for port in by_udp:
        await served.udp_announce(info_hash, port)
    await known_to_all(served, info_hash, by_http | by_udp, served.http_announce)
    for n in range(MANY):
        assert by_http | by_udp <= await served.udp_announce(info_hash, 50_000 + n)

    async def counted():
        stats = served.stats()
        return (stats["workers"], stats["peers"]) == (2, 4 * MANY)

    await until(counted)


async def test_scrapes_and_stops_are_the_same_at_both(served):
    for info_hash in HASHES:
        await served.http_announce(info_hash, 1_000, left=0)
        await served.udp_announce(info_hash, 1_001)
    for info_hash in HASHES:
        await known_to_all(served, info_hash, {1_000, 1_001}, served.http_announce)
    await served.http_announce(HASHES[0], 1_000, event="stopped")

    query = "&".join(f"info_hash={quote_from_bytes(each, safe='')}" for each in HASHES)

    async def gone():
        """As told by UDP, where the first info-hash decides who answers, and by HTTP, where chance does."""
        counts = [await served.udp_scrape(*HASHES), (await served.udp_scrape(*HASHES[::-1]))[::-1]]
        for _ in range(MANY):
            found = http_tracker.decode_scrape(await asyncio.to_thread(served.fetch, f"/scrape?{query}"))
            counts.append([found[each] for each in HASHES])
        return all([entry.seeders for entry in each] == [0, 1] for each in counts)

    await until(gone)


async def test_a_worker_that_is_killed_is_replaced_and_no_swarm_is_lost(served):
    ports = set(range(1_000, 1_000 + MANY))
    for info_hash in HASHES:
        for port in ports:
            await served.udp_announce(info_hash, port)
    for info_hash in HASHES:
        await known_to_all(served, info_hash, ports, served.http_announce)
    for _ in range(2):
        before = served.workers()
        victim = min(before)
        os.kill(victim, signal.SIGKILL)

        async def replaced(before=before, victim=victim):
            now = served.workers()
            return len(now) == 2 and victim not in now

        await until(replaced)
        event = await served.running.event("worker died, another takes its place")
        assert event["status"] == -signal.SIGKILL
        for info_hash in HASHES:
            await known_to_all(served, info_hash, ports, served.http_announce)
            for n in range(MANY):
                assert ports <= await served.udp_announce(info_hash, 50_000 + n)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_stop_ends_all_in_good_order(served, number, status):
    workers = served.workers()
    ended = await served.running.stop(number)
    assert (ended.status, ended.stderr) == (status, "")
    assert [event["event"] for event in ended.events] == ["listening", "stopping", "stopped"]
    assert not any(psutil.pid_exists(pid) for pid in workers)


async def test_workers_go_when_the_first_process_is_killed(served):
    workers = served.workers()
    served.running.process.kill()

    async def gone():
        return not any(psutil.pid_exists(pid) for pid in workers)

    await until(gone)


async def test_swarms_of_all_workers_outlive_a_restart(commands):
    for expected in ([], [1_000, 1_001]):
        running = await commands.start("tracker", "serve", *HERE, "--snapshot", "swarms")
        served = Served(running, (await running.event("listening"))["urls"])
        for info_hash in HASHES:
            await known_to_all(served, info_hash, set(expected), served.http_announce)
            for port in (1_000, 1_001):
                await served.udp_announce(info_hash, port)
            await known_to_all(served, info_hash, {1_000, 1_001}, served.http_announce)
        assert (await running.stop()).status == 0


async def test_a_port_that_is_taken_is_an_error_in_one_line(commands):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await commands.run(
            "tracker", "serve", "--bind", "127.0.0.1", "--http-port", port, "--udp-port", "0", "--workers", "2"
        )
    assert ended.failed_with(1) == f"127.0.0.1:{port}: address already in use"


async def test_what_stops_one_tracker_from_starting_stops_all(commands):
    ended = await commands.run("tracker", "serve", *HERE, "--snapshot", "nowhere/swarms")
    assert ended.status == 1
    assert "error: swarms cannot be saved to nowhere/swarms" in ended.stderr
    assert "Traceback" not in ended.stderr
