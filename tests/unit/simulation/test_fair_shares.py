"""Streams share links as max-min fairness says, within a tenth, after a start as slow as that of TCP."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.ids import Address
from p2p.simulation import SimInternet, run
from p2p.simulation.max_min import max_min_rates
from p2p.simulation.sim_stream import INITIAL_WINDOW

PORT = 6881
TOLERANCE = 0.1
"""How far a stream's rate over ten seconds may be from the exact one. The worst of a thousand topologies was 0.04."""


class Load:
    """Streams between hosts, each fed and read without a pause; `read` counts their bytes."""

    def __init__(self, internet, hosts):
        self.internet, self.hosts = internet, hosts
        self.read = []
        self._arrived = asyncio.Queue()
        self._view = memoryview(bytearray(1 << 20))
        self._content = memoryview(bytes(1 << 20))

    async def begin(self, pairs):
        for host in self.hosts:
            await host.network.listen(Address("0.0.0.0", PORT), self._arrived.put_nowait)
        for one, other in pairs:
            near = await self.hosts[one].network.connect(Address(self.hosts[other].addresses[0], PORT))
            far = await self._arrived.get()
            index = len(self.read)
            self.read.append(0)
            near.on_writable(lambda near=near: self._feed(near))
            far.on_readable(lambda far=far, index=index: self._drain(far, index))

    def _feed(self, near):
        while near.send([self._content]):
            pass

    def _drain(self, far, index):
        while count := far.receive_into([self._view]):
            self.read[index] += count

    async def rates(self, seconds):
        before = self.read[:]
        await asyncio.sleep(seconds)
        return [(now - then) / seconds for now, then in zip(self.read, before, strict=True)]


def make_hosts(internet, links):
    return [
        internet.host(f"10.0.0.{number}", up=up, down=down, latency=latency)
        for number, (up, down, latency) in enumerate(links, 1)
    ]


RATES = st.sampled_from([100_000, 250_000, 1_000_000, 3_000_000])
LINKS = st.lists(st.tuples(RATES, RATES | st.just(10_000_000), st.floats(0.001, 0.1)), min_size=2, max_size=6)


@settings(deadline=None, max_examples=40)
@given(links=LINKS, choice=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=12))
def test_streams_share_links_max_min_fairly(links, choice):
    pairs = [(one % len(links), (one + 1 + step % (len(links) - 1)) % len(links)) for one, step in choice]
    capacities = {}
    for number, (up, down, _) in enumerate(links):
        capacities |= {f"up {number}": up, f"down {number}": down}
    exact = max_min_rates(capacities, [(f"up {one}", f"down {other}") for one, other in pairs])

    async def main():
        internet = SimInternet(random.Random(1))
        load = Load(internet, make_hosts(internet, links))
        await load.begin(pairs)
        await asyncio.sleep(10)  # until windows of the slowest shares are full
        return await load.rates(10)

    assert run(main()) == pytest.approx(exact, rel=TOLERANCE)


def test_water_filling_gives_the_slow_what_they_can_and_the_rest_to_the_others():
    capacities = {"up": 90.0, "slow": 10.0, "fast": 1_000.0}
    paths = [("up", "slow"), ("up", "fast"), ("up", "fast"), ("fast",), ("elsewhere",)]
    assert max_min_rates(capacities, paths) == [10.0, 40.0, 40.0, 920.0, math.inf]


def test_a_stream_starts_with_ten_packets_and_doubles_each_round_trip():
    async def main():
        internet = SimInternet(random.Random(1))
        load = Load(internet, make_hosts(internet, [(None, None, 0.05), (None, None, 0.05)]))
        await load.begin([(0, 1)])
        seen = []
        for _ in range(5):
            await asyncio.sleep(0.2)
            seen.append(load.read[0] // INITIAL_WINDOW)
        return seen

    assert run(main()) == [1, 3, 7, 15, 31]


def test_the_start_ends_at_the_share():
    async def main():
        internet = SimInternet(random.Random(1))
        load = Load(internet, make_hosts(internet, [(1_000_000, None, 0.05), (None, None, 0.05)]))
        await load.begin([(0, 1)])
        [first] = await load.rates(0.4)
        await asyncio.sleep(1)
        [later] = await load.rates(4)
        return first, later

    first, later = run(main())
    assert first < 150_000
    assert later == pytest.approx(1_000_000, rel=0.03)


def test_a_link_that_becomes_faster_is_used_in_full():
    async def main():
        internet = SimInternet(random.Random(1))
        load = Load(internet, make_hosts(internet, [(50_000, None, 0.05), (None, 50_000_000, 0.05)]))
        await load.begin([(0, 1)])
        await asyncio.sleep(5)
        load.hosts[0].up.rate = 10_000_000
        await asyncio.sleep(5)
        [rate] = await load.rates(5)
        load.hosts[0].up.rate = None
        load.hosts[1].down.rate = 200_000
        await asyncio.sleep(10)
        return rate, *await load.rates(10)

    assert run(main()) == pytest.approx((10_000_000, 200_000), rel=0.05)


def test_a_small_message_does_not_wait_for_the_round_of_busy_streams():
    async def main():
        internet = SimInternet(random.Random(1))
        hosts = make_hosts(internet, [(100_000, None, 0.01), (None, None, 0.01)])
        load = Load(internet, hosts)
        await load.begin([(0, 1)] * 10)
        arrived = asyncio.Queue()
        await hosts[1].network.listen(Address("0.0.0.0", PORT + 1), arrived.put_nowait)
        near = await hosts[0].network.connect(Address("10.0.0.2", PORT + 1))
        far = await arrived.get()
        heard = asyncio.Event()
        await asyncio.sleep(5)
        begun = asyncio.get_running_loop().time()
        far.on_readable(heard.set)
        near.send([b"have"])
        await heard.wait()
        took = asyncio.get_running_loop().time() - begun
        far.on_readable(None)
        return took

    assert run(main()) < 0.05
