"""Ports of several processes: which socket hears what."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.shared_ports import SharedPorts

COUNT = 3


@pytest.fixture(params=["127.0.0.1", "::1"])
def place(request):
    return Address(request.param, 0)


@pytest.fixture
def ports():
    ports = SharedPorts(COUNT)
    yield ports
    ports.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux steers datagrams")
async def test_a_datagram_goes_to_the_process_that_its_info_hash_says(ports, place):
    ports.bind(tcp=[], udp=[place])
    heard = asyncio.Queue()

    def answerer(number):
        def answer(packets, sources):
            for packet in packets:
                heard.put_nowait((number, packet))
            return [b""] * len(packets)

        return answer

    opened = [await ports.network(n).open_answering(place, answerer(n)) for n in range(COUNT)]
    assert len({each.local for each in opened}) == 1
    client = await AsyncioNetwork().open_datagrams(place, lambda *_: None)
    for first in range(256):
        packet = bytes(16) + bytes([first]) + bytes(81)
        client.send(packet, opened[0].local)
        assert await heard.get() == (first % COUNT, packet)
    for size in range(17):  # too short for an info-hash: anybody's
        client.send(bytes(size), opened[0].local)
        assert (await heard.get())[1] == bytes(size)
    for each in (*opened, client):
        each.close()


async def test_connections_are_shared_out_and_those_of_a_closed_process_wait(ports, place):
    ports.bind(tcp=[place], udp=[])
    arrived = [[] for _ in range(COUNT)]

    async def listen(n):
        return await ports.network(n).listen_answering(
            place, lambda received, remote: None, lambda stream, _: arrived[n].append(stream)
        )

    listeners = [await listen(n) for n in range(COUNT)]
    network = AsyncioNetwork()
    streams = []

    async def come(count):
        expected = sum(map(len, arrived)) + count
        streams.extend([await network.connect(listeners[0].local) for _ in range(count)])
        return expected

    expected = await come(48)
    async with asyncio.timeout(10):
        while sum(map(len, arrived)) < expected:
            await asyncio.sleep(0.001)
    assert all(arrived)
    listeners[1].close()
    before = len(arrived[1])
    streams.extend([await network.connect(listeners[0].local) for _ in range(48)])
    again = await listen(1)
    async with asyncio.timeout(10):
        while sum(map(len, arrived)) < 96:
            await asyncio.sleep(0.001)
    assert len(arrived[1]) > before
    for each in (*listeners, again, *streams, *(stream for part in arrived for stream in part)):
        each.close()


async def test_a_listener_that_answers_at_once_is_shared_too(ports, place):
    ports.bind(tcp=[place], udp=[])
    network = ports.network(1)
    first = await network.listen_answering(
        place, lambda received, remote: received[::-1], lambda stream, _: stream.abort()
    )
    assert first.local.port
    again = await ports.network(2).listen_answering(
        place, lambda received, remote: None, lambda stream, _: stream.abort()
    )
    assert again.local == first.local
    first.close()
    again.close()


async def test_other_addresses_are_those_of_any_network(ports, place):
    ports.bind(tcp=[place], udp=[])
    listener = await ports.network(0).listen(Address("127.0.0.2", 0), lambda stream: stream.abort())
    datagrams = await ports.network(0).open_answering(Address("127.0.0.2", 0), lambda packets, sources: packets)
    assert listener.local.host == datagrams.local.host == "127.0.0.2"
    listener.close()
    datagrams.close()


async def test_a_listener_of_one_process_takes_no_connections_of_all(ports, place):
    ports.bind(tcp=[place], udp=[])
    shared = await ports.network(0).listen_answering(place, lambda *_: None, lambda stream, _: stream.abort())
    own = await ports.network(0).listen(place, lambda stream: stream.abort())
    assert own.local.port not in (0, shared.local.port)
    with pytest.raises(NetworkError, match="address already in use"):
        await ports.network(0).listen(shared.local, lambda stream: stream.abort())
    own.close()
    shared.close()


async def test_datagrams_may_be_for_the_first_process_alone(place):
    ports = SharedPorts(COUNT, 1)
    ports.bind(tcp=[], udp=[place])
    heard = []
    first = await ports.network(0).open_answering(
        place, lambda packets, _: [heard.extend(packets) or b"!"] * len(packets)
    )
    answered = asyncio.Queue()
    client = await AsyncioNetwork().open_datagrams(place, lambda data, _: answered.put_nowait(data))
    for n in range(20):
        client.send(bytes(16) + bytes([n]) + bytes(81), first.local)
        assert await answered.get() == b"!"
    assert len(heard) == 20
    for each in (first, client):
        each.close()
    ports.close()


def test_a_port_that_is_taken_is_an_error_that_names_it(ports):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(NetworkError, match=f"^{place}: address already in use$"):
            ports.bind(tcp=[place], udp=[])
