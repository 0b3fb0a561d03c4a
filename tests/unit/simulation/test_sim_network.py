"""The simulated internet: rates, latencies, sharing, loss, partitions."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.simulation import SimInternet, SimulationError, run

PORT = 6881


def now():
    return asyncio.get_running_loop().time()


class Sink:
    """A host's listener that reads everything: `sizes` in bytes and `done` in seconds, each by source host."""

    def __init__(self):
        self.sizes, self.done = {}, {}
        self.ended = asyncio.Event()
        self._view = memoryview(bytearray(1 << 20))

    async def listen(self, host):
        return await host.network.listen(Address("0.0.0.0", PORT), self._on_stream)

    def _on_stream(self, stream):
        stream.on_readable(partial(self._read, stream))

    def _read(self, stream):
        source = stream.remote.host
        count = stream.receive_into([self._view])
        if count == 0:
            stream.close()
            self.done[source] = now()
            self.ended.set()
        elif count is not None:
            self.sizes[source] = self.sizes.get(source, 0) + count


async def upload(host, target, size, *, block=16_397):
    """Connect and send `size` bytes as fast as they are taken; returns when all are."""
    stream = await host.network.connect(Address(target, PORT))
    done = asyncio.get_running_loop().create_future()
    left = size
    content = bytes(block)

    def more():
        nonlocal left
        left -= stream.send([content[:left]])
        if not left:
            stream.close()
            done.set_result(None)

    stream.on_writable(more)
    await done


async def sink_at(host):
    sink = Sink()
    await sink.listen(host)
    return sink


async def all_done(sinks):
    while not all(sink.done for sink in sinks):
        await asyncio.sleep(0.01)


def test_connecting_takes_a_round_trip():
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1", latency=0.02), internet.host("10.0.0.2", latency=0.03)
        await sink_at(other)
        stream = await one.network.connect(Address("10.0.0.2", PORT))
        assert now() == pytest.approx(0.1)
        internet.set_latency(one, other, 0.5)
        await one.network.connect(Address("10.0.0.2", PORT))
        assert now() == pytest.approx(1.1)
        stream.close()

    run(main())


@pytest.mark.parametrize(("up", "down"), [(100_000, None), (None, 100_000), (100_000, 400_000), (400_000, 100_000)])
def test_bytes_take_the_time_of_the_slowest_link(up, down):
    async def main():
        internet = SimInternet(random.Random(1))
        one = internet.host("10.0.0.1", up=up, latency=0.01)
        other = internet.host("10.0.0.2", down=down, latency=0.01)
        sink = await sink_at(other)
        await upload(one, "10.0.0.2", 1_000_000)
        await all_done([sink])
        assert sink.sizes == {"10.0.0.1": 1_000_000}
        assert sink.done["10.0.0.1"] == pytest.approx(10.0, rel=0.03)
        assert one.up.carried == other.down.carried == 1_000_000

    run(main())


def test_without_rates_only_distance_takes_time():
    """A round trip to connect and one for 10, 20, 40, 80, 160 packets each; the rest takes half of one more."""

    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1", latency=0.01), internet.host("10.0.0.2", latency=0.01)
        sink = await sink_at(other)
        await upload(one, "10.0.0.2", 500_000)
        await sink.ended.wait()
        assert sink.done["10.0.0.1"] == pytest.approx(0.04 + 5 * 0.04 + 0.02)

    run(main())


def test_an_uplink_is_shared_equally_whatever_the_block_sizes():
    async def main():
        internet = SimInternet(random.Random(1))
        seeder = internet.host("10.0.0.1", up=1_000_000)
        sinks = [await sink_at(internet.host(f"10.0.1.{number}")) for number in range(4)]
        uploads = [
            asyncio.ensure_future(upload(seeder, f"10.0.1.{number}", 10_000_000, block=block))
            for number, block in enumerate((500, 16_397, 100_000, 1_000_000))
        ]
        await asyncio.sleep(10)
        received = [sink.sizes["10.0.0.1"] for sink in sinks]
        assert sum(received) == pytest.approx(10_000_000, rel=0.03)
        assert max(received) / min(received) < 1.05
        assert not any(upload.done() for upload in uploads)

    run(main())


def test_a_downlink_is_shared_equally():
    async def main():
        internet = SimInternet(random.Random(1))
        leecher = internet.host("10.0.0.1", down=1_000_000)
        sink = await sink_at(leecher)
        uploads = [
            asyncio.ensure_future(upload(internet.host(f"10.0.1.{number}"), "10.0.0.1", 10_000_000))
            for number in range(4)
        ]
        await asyncio.sleep(10)
        received = list(sink.sizes.values())
        assert sum(received) == pytest.approx(10_000_000, rel=0.03)
        assert max(received) / min(received) < 1.05
        assert not any(upload.done() for upload in uploads)

    run(main())


def test_what_a_slow_stream_cannot_use_falls_to_the_others():
    async def main():
        internet = SimInternet(random.Random(1))
        seeder = internet.host("10.0.0.1", up=1_000_000)
        slow = await sink_at(internet.host("10.0.1.1", down=100_000))
        fast = await sink_at(internet.host("10.0.1.2"))
        uploads = [asyncio.ensure_future(upload(seeder, target, 20_000_000)) for target in ("10.0.1.1", "10.0.1.2")]
        await asyncio.sleep(10)
        assert not any(upload.done() for upload in uploads)
        assert slow.sizes["10.0.0.1"] == pytest.approx(1_000_000, rel=0.05)
        assert fast.sizes["10.0.0.1"] == pytest.approx(9_000_000, rel=0.05)

    run(main())


def test_both_directions_of_a_host_are_their_own():
    async def main():
        internet = SimInternet(random.Random(1))
        hosts = [internet.host(f"10.0.0.{number}", up=100_000, down=100_000) for number in (1, 2)]
        sinks = [await sink_at(host) for host in hosts]
        await asyncio.gather(upload(hosts[0], "10.0.0.2", 500_000), upload(hosts[1], "10.0.0.1", 500_000))
        await all_done(sinks)
        assert now() == pytest.approx(5.0, rel=0.06)

    run(main())


def test_a_rate_may_change_under_way():
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1", up=100_000), internet.host("10.0.0.2")
        sink = await sink_at(other)
        uploading = asyncio.ensure_future(upload(one, "10.0.0.2", 10_000_000))
        await asyncio.sleep(5)
        before = sink.sizes["10.0.0.1"]
        one.up.rate = 400_000
        await asyncio.sleep(5)
        assert sink.sizes["10.0.0.1"] - before == pytest.approx(4 * before, rel=0.05)
        assert not uploading.done()

    run(main())


def test_a_reader_that_stops_stops_the_sender():
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2")
        streams = asyncio.Queue()
        await other.network.listen(Address("10.0.0.2", PORT), streams.put_nowait)
        near = await one.network.connect(Address("10.0.0.2", PORT))
        far = await streams.get()
        total = 0
        while taken := near.send([bytes(100_000)]):
            total += taken
            await asyncio.sleep(1)
        assert 65_536 <= total <= 4 << 20
        far.receive_into([memoryview(bytearray(1_000))])
        await asyncio.sleep(1)
        assert near.send([bytes(100_000)]) == 1_000

    run(main())


def test_a_partition_holds_streams_and_loses_datagrams_until_it_heals():
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2")
        sink = await sink_at(other)
        heard = []
        await other.network.open_datagrams(Address("10.0.0.2", PORT), lambda data, _: heard.append(data))
        datagrams = await one.network.open_datagrams(Address("10.0.0.1", 0), lambda *_: None)
        stream = await one.network.connect(Address("10.0.0.2", PORT))
        stream.send([b"before "])
        await asyncio.sleep(1)
        internet.partition([one], [other])
        stream.send([b"during "])
        stream.send([b"and on"])
        datagrams.send(b"lost", Address("10.0.0.2", PORT))
        await asyncio.sleep(60)
        assert sink.sizes == {"10.0.0.1": 7}
        internet.heal()
        datagrams.send(b"heard", Address("10.0.0.2", PORT))
        await asyncio.sleep(1)
        assert sink.sizes == {"10.0.0.1": 20}
        assert heard == [b"heard"]

    run(main())


def test_a_connect_that_nobody_answers_times_out_as_a_kernel_does():
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2")
        with pytest.raises(NetworkError, match="timed out"):
            await one.network.connect(Address("10.9.9.9", 1))
        assert now() == pytest.approx(127.0)
        await sink_at(other)
        internet.partition([one], [other])
        asyncio.get_running_loop().call_later(2, internet.heal)
        await one.network.connect(Address("10.0.0.2", PORT))
        assert now() == pytest.approx(127.0 + 3.0 + 0.04)

    run(main())


def test_a_family_that_a_host_does_not_have_is_unreachable():
    async def main():
        internet = SimInternet(random.Random(1))
        host = internet.host("10.0.0.1")
        internet.host("2001:db8::1")
        with pytest.raises(NetworkError, match="unreachable"):
            await host.network.connect(Address("2001:db8::1", PORT))

    run(main())


def test_loss_takes_its_share_of_datagrams():
    async def main():
        internet = SimInternet(random.Random(7), loss=0.25)
        one, other = internet.host("10.0.0.1"), internet.host("10.0.0.2")
        heard = []
        await other.network.open_datagrams(Address("10.0.0.2", PORT), lambda data, _: heard.append(data))
        near = await one.network.open_datagrams(Address("10.0.0.1", 0), lambda *_: None)
        for number in range(2_000):
            near.send(number.to_bytes(4, "big"), Address("10.0.0.2", PORT))
        await asyncio.sleep(1)
        assert len(heard) == pytest.approx(1_500, rel=0.05)
        assert heard == sorted(heard)

    run(main())


def test_datagrams_beyond_the_queue_are_lost():
    async def main():
        internet = SimInternet(random.Random(1))
        one, other = internet.host("10.0.0.1", up=100_000), internet.host("10.0.0.2")
        heard = []
        await other.network.open_datagrams(Address("10.0.0.2", PORT), lambda data, _: heard.append(data))
        near = await one.network.open_datagrams(Address("10.0.0.1", 0), lambda *_: None)
        for _ in range(1_000):
            near.send(bytes(1_000), Address("10.0.0.2", PORT))
        await asyncio.sleep(60)
        assert 250 <= len(heard) <= 270

    run(main())


def test_loopback_is_free_of_rate_and_distance():
    async def main():
        internet = SimInternet(random.Random(1))
        host = internet.host("10.0.0.1", up=1_000, down=1_000, latency=5)
        sink = await sink_at(host)
        await upload(host, "127.0.0.1", 400_000)
        await sink.ended.wait()
        heard = []
        socket = await host.network.open_datagrams(Address("127.0.0.1", 0), lambda *packet: heard.append(packet))
        socket.send(b"self", socket.local)
        await asyncio.sleep(0.1)
        assert heard == [(b"self", socket.local)]
        assert now() < 0.5

    run(main())


def test_names_resolve_to_what_they_were_given():
    async def main():
        internet = SimInternet(random.Random(1))
        host = internet.host("10.0.0.1")
        internet.name("tracker.example", "2001:db8::1", "10.0.0.9")
        assert await host.network.resolve("tracker.example", 80) == [
            Address("2001:db8::1", 80),
            Address("10.0.0.9", 80),
        ]

    run(main())


@pytest.mark.parametrize(
    "options", [{"up": 0}, {"down": -1.0}, {"addresses": "10.0.0.1"}, {"addresses": "tracker.example"}]
)
def test_a_world_that_cannot_be_is_refused(options):
    internet = SimInternet(random.Random(1))
    internet.host("10.0.0.1")
    with pytest.raises(SimulationError):
        internet.host(**{"addresses": "10.0.0.2", **options})
