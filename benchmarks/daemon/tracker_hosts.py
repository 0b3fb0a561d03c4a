"""Trackers that answer every announce with an interval of half an hour at most and no peers, and count what comes.

One process serves many hosts, each a loopback address of its own, as daemons pace their announces by host.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import sys
import time
from collections import Counter

INTERVAL = 1_800


def answer_to(event: str, peers: bytes) -> bytes:
    """An HTTP answer. The first of a torrent names a part of the interval, drawn by chance: from then on announces are
    spread over the half hour, as they are after some hours."""
    interval = random.randint(60, INTERVAL) if event == "started" else INTERVAL
    body = b"d8:completei1e10:incompletei0e8:intervali%de5:peers%d:%be" % (interval, len(peers), peers)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % len(body) + body


class Counts:
    """What came: announces by event, the most connections at once of any host, the most in any second."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.seconds: Counter[int] = Counter()
        self.open: Counter[str] = Counter()
        self.most_open = 0

    def told(self) -> str:
        return json.dumps(
            {
                "announces": sum(self.events.values()),
                "events": dict(self.events),
                "most_at_once_of_a_host": self.most_open,
                "most_a_second": max(self.seconds.values(), default=0),
            }
        )


async def serve(host: str, port: int, counts: Counts, delay: float, peers: bytes) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts.open[host] += 1
        counts.most_open = max(counts.most_open, counts.open[host])
        event = ""
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            if b"/announce" in request:
                event = request.partition(b"event=")[2][:9].split(b"&")[0].split(b" ")[0].decode() or "none"
                counts.events[event] += 1
                counts.seconds[int(time.monotonic())] += 1
            await asyncio.sleep(delay)
            writer.write(answer_to(event, peers))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            counts.open[host] -= 1
            writer.close()

    return await asyncio.start_server(answer, host, port, backlog=1_000)


async def run(hosts: list[str], port: int, delay: float, peers: bytes) -> None:
    counts = Counts()
    servers = [await serve(host, port, counts, delay, peers) for host in hosts]
    print("listening", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(counts.told(), flush=True)
    for server in servers:
        server.close()


def peer(text: str) -> bytes:
    """An address as trackers write it (BEP 23)."""
    host, _, port = text.rpartition(":")
    return socket.inet_aton(host) + int(port).to_bytes(2, "big")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds until each answer")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="HOST:PORT", help="told to all")
    parser.add_argument("hosts", nargs="+", help="loopback addresses to listen on")
    options = parser.parse_args()
    asyncio.run(run(options.hosts, options.port, options.delay, b"".join(options.peer)))


if __name__ == "__main__":
    main()
