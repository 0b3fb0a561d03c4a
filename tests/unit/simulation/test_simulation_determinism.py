"""One seed is one history, whatever the hash seed of the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys

SCENARIO = """
import asyncio, random, sys
from p2p.ids import Address
from p2p.simulation import SimInternet, TraceDigest, run

async def peer(internet, host, addresses, rng):
    view = memoryview(bytearray(50_000))
    def on_stream(stream):
        def read():
            count = stream.receive_into([view])
            if count:
                stream.send([view[: count // 2]])
            elif count == 0:
                stream.close()
        stream.on_readable(read)
    listener = await host.network.listen(Address("0.0.0.0", 6881), on_stream)
    datagrams = await host.network.open_datagrams(Address("0.0.0.0", 6881), lambda data, source: None)
    streams = []
    for target in sorted({rng.choice(addresses) for _ in range(5)} - set(host.addresses)):
        stream = await host.network.connect(Address(target, 6881))
        on_stream(stream)
        stream.send([rng.randbytes(rng.randrange(1, 200_000))])
        datagrams.send(rng.randbytes(100), Address(target, 6881))
        streams.append(stream)
        await asyncio.sleep(rng.random())
    await asyncio.sleep(30)
    for stream in streams:
        stream.close()

async def main(seed):
    digest = TraceDigest()
    rng = random.Random(seed)
    internet = SimInternet(random.Random(rng.random()), loss=0.1, jitter=0.01, reordering=0.1, trace=digest)
    addresses = [f"10.0.0.{number}" for number in range(20)]
    hosts = [internet.host(a, up=50_000, down=200_000, latency=rng.random() / 10) for a in addresses]
    await asyncio.gather(*(peer(internet, host, addresses, random.Random(rng.random())) for host in hosts))
    return f"{digest.hexdigest()} {digest.events}"

print(run(main(int(sys.argv[1]))))
"""


def trace(seed, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", SCENARIO, str(seed)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_same_seed_gives_the_same_trace_under_any_hash_seed():
    first = trace(1, 0)
    assert int(first.split()[1]) > 500
    assert trace(1, 1) == first
    assert trace(1, 4_242) == first
    assert trace(2, 0) != first
