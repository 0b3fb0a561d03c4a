"""What only real sockets do: running out of descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from pathlib import Path

from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork


async def test_accepting_pauses_when_descriptors_run_out_and_goes_on_later():
    streams = asyncio.Queue()
    listener = await AsyncioNetwork().listen(Address("127.0.0.1", 0), streams.put_nowait)
    clients = [socket.create_connection(listener.local) for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    blockers = [os.open("/dev/null", os.O_RDONLY) for _ in range(highest)]  # fill the gaps below the highest
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(blockers) + 1, hard))
        before = os.times()
        await asyncio.sleep(0.3)
        after = os.times()
        assert streams.empty()
        assert after.user + after.system - before.user - before.system < 0.15  # it does not spin
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for blocker in blockers:
            os.close(blocker)
    async with asyncio.timeout(5):
        for _ in clients:
            (await streams.get()).close()
    for client in clients:
        client.close()
    listener.close()


async def test_a_listener_closed_while_it_pauses_stays_closed():
    streams = asyncio.Queue()
    listener = await AsyncioNetwork().listen(Address("127.0.0.1", 0), streams.put_nowait)
    client = socket.create_connection(listener.local)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        await asyncio.sleep(0.05)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    listener.close()
    await asyncio.sleep(1.1)
    assert streams.empty()
    client.close()
