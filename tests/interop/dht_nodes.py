"""Nodes of this project's DHT, many in one process: each says when it has joined, and which info-hashes it stores.

dht_nodes.py BOOTSTRAP_HOST:PORT HOST:PORT...
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from contextlib import AsyncExitStack

from p2p.metainfo.urls import parse_endpoint
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.dht_service import DhtService

LOOK = 0.1
"""Seconds between looks at what the nodes store, of which they tell nobody by themselves."""


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


async def watch(nodes: list[DhtService]) -> None:
    told: dict[bytes, None] = {}
    while True:
        for node in nodes:
            for family in node.snapshot().families:
                for info_hash, _ in family.hashes:
                    if info_hash not in told:
                        told[info_hash] = None
                        say("stored", info_hash=info_hash.hex())
        await asyncio.sleep(LOOK)


async def main() -> None:
    bootstrap, *places = (parse_endpoint(text) for text in sys.argv[1:])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        nodes = []
        for number, (host, port) in enumerate(places):
            rng, secret = random.Random(number), bytes([number]) * 16
            service = DhtService(
                AsyncioNetwork(), rng=rng, secret=secret, port=port, bind=(host,), bootstrap=(bootstrap,)
            )
            nodes.append(await stack.enter_async_context(service))
        for node in nodes:
            await node.ready()
        say("joined", nodes=len(nodes))
        watching = asyncio.create_task(watch(nodes))
        await stop.wait()
        watching.cancel()
        await asyncio.wait([watching])


asyncio.run(main())
