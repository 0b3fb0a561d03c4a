"""This project's tracker as a program: HTTP and UDP on the addresses given, each announce reported as a JSON line.

tracker_process.py HOST:PORT
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys

from p2p.codec import compact
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from tracker.logic import Rules
from tracker.server import Tracker, TrackerSettings


class ReportingTracker(Tracker):
    """A tracker that says what it has been told, once it knows it."""

    def announce(self, info_hash, peer, peer_id, left, event, want, lists):
        answer = super().announce(info_hash, peer, peer_id, left, event, want, lists)
        host, port = compact.unpack(peer)
        facts = {"said": event.value, "left": left, "whole": left == 0, "source": host, "port": port}
        report = {"event": "announce", "info_hash": info_hash.hex(), **facts, "peer_id": peer_id.hex()}
        print(json.dumps(report), flush=True)
        return answer


async def main() -> None:
    host, _, port = sys.argv[1].rpartition(":")
    address = Address.parse(host.strip("[]"), int(port))
    # Short, so that a client which was too early asks again; long enough that no peer expires within a test's time.
    settings = TrackerSettings(http=(address,), udp=(address,), rules=Rules(interval=30.0, min_interval=1.0))
    tracker = ReportingTracker(AsyncioNetwork(), rng=random.Random(1), secret=bytes(16), settings=settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await tracker.start()
    try:
        print(json.dumps({"event": "listening", "urls": tracker.announce_urls}), flush=True)
        await stop.wait()
    finally:
        await tracker.close()


asyncio.run(main())
