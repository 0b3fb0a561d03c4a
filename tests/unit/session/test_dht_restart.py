"""A node over real sockets that starts again with nothing but the table it saved."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.dht_service import DhtService

HASH = bytes(range(20))


def node(number, **options):
    rng = random.Random(number)
    host = f"127.0.11.{number}"
    return DhtService(AsyncioNetwork(), rng=rng, secret=rng.randbytes(16), bind=(host,), **options)


@pytest.mark.timeout(30)
async def test_a_restart_finds_peers_and_answers_within_a_second(tmp_path):
    table = tmp_path / "dht.table"
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(node(1))]
        router = ("127.0.11.1", nodes[0].port)
        for number in range(2, 10):
            nodes.append(await stack.enter_async_context(node(number, bootstrap=[router])))
            await nodes[-1].ready()
        await nodes[3].announce(HASH, 1_000)
        async with node(50, state_path=table, bootstrap=[router]) as first:
            await first.ready()
            port = first.port
            before = first.snapshot().families[0].node_id

        loop = asyncio.get_running_loop()
        began = loop.time()
        async with node(51, state_path=table, port=port) as again:
            peers = [peer async for found in again.get_peers(HASH) for peer in found]
            pong = await nodes[0].ping(Address("127.0.11.51", port))
            took = loop.time() - began
        assert peers == [Address("127.0.11.4", 1_000)]
        assert pong.node_id == before
        assert took < 1.0
