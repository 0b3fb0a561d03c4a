"""Regions, jitter, packets lost or out of order, and queues that are full."""

from __future__ import annotations

import asyncio
import random

import pytest

from p2p.ids import Address
from p2p.simulation import SimInternet, SimulationError, run

PORT = 6881


def now():
    return asyncio.get_running_loop().time()


async def datagrams_between(internet, one, other, count, *, size=100, spacing=0.0):
    """Send numbered datagrams; what arrived within a while, as (number, seconds under way)."""
    heard = []
    sent = {}

    def on_datagram(data, _):
        number = int.from_bytes(data[:4], "big")
        heard.append((number, now() - sent[number]))

    await other.network.open_datagrams(Address(other.addresses[0], PORT), on_datagram)
    near = await one.network.open_datagrams(Address(one.addresses[0], 0), lambda *_: None)
    for number in range(count):
        sent[number] = now()
        near.send(number.to_bytes(4, "big") + bytes(size - 4), Address(other.addresses[0], PORT))
        if spacing:
            await asyncio.sleep(spacing)
    await asyncio.sleep(60)
    return heard


async def time_to_carry(one, other, size):
    """Seconds until the far end has read `size` bytes of one stream."""
    arrived = asyncio.Queue()
    await other.network.listen(Address(other.addresses[0], PORT), arrived.put_nowait)
    near = await one.network.connect(Address(other.addresses[0], PORT))
    far = await arrived.get()
    begun, left, received = now(), size, bytearray()
    content = random.Random(1).randbytes(size)
    view = memoryview(bytearray(1 << 16))
    done = asyncio.Event()

    def feed():
        nonlocal left
        left -= near.send([content[size - left :]])
        if not left:
            near.close()

    def drain():
        while count := far.receive_into([view]):
            received.extend(view[:count])
        if count == 0:
            done.set()
            far.close()

    near.on_writable(feed)
    far.on_readable(drain)
    await done.wait()
    assert received == content
    return now() - begun


def test_latency_follows_regions_and_access():
    async def main():
        internet = SimInternet(random.Random(1))
        internet.latencies.set_regions("europe", "asia", 0.1)
        internet.latencies.set_regions("europe", "europe", 0.01)
        one = internet.host("10.0.0.1", latency=0.001, region="europe")
        near = internet.host("10.0.0.2", latency=0.002, region="europe")
        far = internet.host("10.0.0.3", latency=0.003, region="asia")
        nowhere = internet.host("10.0.0.4", latency=0.004)
        found = [internet.latency(one, other) for other in (one, near, far, nowhere)]
        assert found == pytest.approx([0.0, 0.013, 0.104, 0.005])
        assert internet.latency(far, one) == internet.latency(one, far)
        internet.set_latency(far, one, 0.5)
        assert internet.latency(one, far) == 0.5
        [(_, took)] = await datagrams_between(internet, one, near, 1)
        assert took == pytest.approx(0.013)

    run(main())


@pytest.mark.parametrize("latency", [-0.1, float("nan"), float("inf")])
def test_a_latency_that_cannot_be_is_refused(latency):
    internet = SimInternet(random.Random(1))
    with pytest.raises(SimulationError):
        internet.latencies.set_regions("here", "there", latency)


def test_jitter_makes_packets_late_within_its_bound():
    async def main():
        internet = SimInternet(random.Random(1), jitter=0.03)
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2")
        heard = await datagrams_between(internet, one, other, 500, spacing=0.001)
        times = [took for _, took in heard]
        assert len(heard) == 500
        assert min(times) == pytest.approx(0.02, abs=0.001)
        assert max(times) == pytest.approx(0.05, abs=0.001)
        assert [number for number, _ in heard] != sorted(number for number, _ in heard)

    run(main())


def test_a_share_of_datagrams_is_overtaken():
    async def main():
        internet = SimInternet(random.Random(1), reordering=0.1)
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2")
        heard = await datagrams_between(internet, one, other, 1_000, spacing=0.001)
        assert len(heard) == 1_000
        assert sum(took > 0.03 for _, took in heard) == pytest.approx(100, rel=0.3)
        late = {number for number, took in heard if took > 0.03}
        order = {number: place for place, (number, _) in enumerate(heard)}
        pairs = [(number, number + 10) for number in late if number + 10 in order and number + 10 not in late]
        assert pairs
        assert all(order[following] < order[number] for number, following in pairs)

    run(main())


def test_loss_delays_a_stream_by_round_trips_and_takes_nothing_from_it():
    async def main(loss):
        internet = SimInternet(random.Random(3), loss=loss)
        one = internet.host("10.0.0.1", up=1_000_000, latency=0.05)
        return await time_to_carry(one, internet.host("10.0.0.2", latency=0.05), 2_000_000)

    whole = run(main(0.0))
    assert run(main(0.01)) > whole + 0.1
    assert run(main(0.01)) < 3 * whole


def test_jitter_never_turns_the_order_of_a_stream():
    async def main():
        internet = SimInternet(random.Random(3), jitter=0.2, loss=0.02)
        one = internet.host("10.0.0.1", up=1_000_000)
        await time_to_carry(one, internet.host("10.0.0.2"), 500_000)  # compares what arrives

    run(main())


@pytest.mark.parametrize("limit", [10_000, 50_000])
def test_datagrams_that_find_no_room_in_the_queue_are_lost(limit):
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2", down=20_000, datagram_queue=limit)
        heard = await datagrams_between(internet, one, other, 200, size=1_000)
        assert limit / 1_000 <= len(heard) <= limit / 1_000 + 6  # and what the link took at once
        assert [number for number, _ in heard] == list(range(len(heard)))

    run(main())
