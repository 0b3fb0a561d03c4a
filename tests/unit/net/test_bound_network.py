"""A network held to an interface: what it opens is on the interface's address, and nothing opens where it has none."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from p2p.errors import NetworkError, TrackerError
from p2p.ids import Address
from p2p.net.aiohttp_client import AiohttpClient
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.bound_network import BoundNetwork
from p2p.net.http_hold import HttpHold
from p2p.net.interface_binding import InterfaceBinding
from p2p.net.interfaces import addresses_of


async def found(host, port):
    return [Address("::1", port), Address("127.0.0.1", port)]


class Held:
    """Loopback, whose addresses the test gives and takes."""

    def __init__(self, *hosts):
        self.hosts = list(hosts)
        self.binding = InterfaceBinding("lo", lambda _: self.hosts)
        self.binding.refresh()
        self.network = BoundNetwork(AsyncioNetwork(device="lo"), self.binding, found)

    def have(self, *hosts):
        self.hosts[:] = hosts
        self.binding.refresh()


async def refuse(held):
    """Every door that is there; each has to be closed."""
    network, nowhere = held.network, lambda *_: None
    doors = [
        network.connect(Address("127.0.0.1", 9)),
        network.connect(Address("::1", 9)),
        network.connect(Address("127.0.0.1", 9), local=Address("127.0.0.1", 0)),
        network.listen(Address("0.0.0.0", 0), nowhere),
        network.listen(Address("::", 0), nowhere),
        network.listen_answering(Address("0.0.0.0", 0), nowhere, nowhere),
        network.open_datagrams(Address("0.0.0.0", 0), nowhere),
        network.open_answering(Address("0.0.0.0", 0), nowhere),
        network.open_multicast(Address("239.192.152.143", 6771), nowhere),
        network.resolve("tracker.example", 80),
    ]
    for door in doors:
        with pytest.raises(NetworkError, match="the interface lo has no address"):
            await door


async def test_everything_is_closed_while_the_interface_has_no_address():
    held = Held()
    await refuse(held)
    assert held.network.multicast_interfaces() == []
    held.have("127.0.0.1")
    (await held.network.listen(Address("0.0.0.0", 0), lambda _: None)).close()
    held.have()
    await refuse(held)


async def test_what_is_opened_is_on_the_interfaces_own_address():
    held = Held("127.0.0.1")
    streams = asyncio.Queue()
    listener = await held.network.listen(Address("0.0.0.0", 0), streams.put_nowait)
    datagrams = await held.network.open_datagrams(Address("0.0.0.0", 0), lambda *_: None)
    near = await held.network.connect(listener.local)
    far = await streams.get()
    assert listener.local.host == datagrams.local.host == near.local.host == far.remote.host == "127.0.0.1"
    for each in (near, far, listener, datagrams):
        each.close()
    with pytest.raises(NetworkError, match="no IPv6 address"):
        await held.network.connect(Address("::1", 9))
    with pytest.raises(NetworkError, match="does not use 127"):
        await held.network.listen(Address("127.0.0.2", 0), lambda _: None)
    with pytest.raises(NetworkError, match="only the interface lo is used"):
        await held.network.open_multicast(Address("239.192.152.143", 6771), lambda *_: None, interface="eth0")


async def test_names_have_the_addresses_that_can_be_reached():
    held = Held("127.0.0.1")
    assert await held.network.resolve("tracker.example", 80) == [Address("127.0.0.1", 80)]
    assert await held.network.resolve("::1", 80) == [Address("::1", 80)]
    with pytest.raises(NetworkError, match="names are not looked up"):
        await BoundNetwork(AsyncioNetwork(), held.binding).resolve("tracker.example", 80)


async def test_a_socket_that_cannot_be_held_to_its_device_is_not_opened():
    network = AsyncioNetwork(device="no-such-if0")
    with pytest.raises(NetworkError, match="no-such-if0: no such device"):
        await network.connect(Address("127.0.0.1", 9))
    with pytest.raises(NetworkError, match="no-such-if0: no such device"):
        await network.open_datagrams(Address("127.0.0.1", 0), lambda *_: None)


def test_the_system_tells_the_addresses_of_an_interface():
    assert "127.0.0.1" in addresses_of("lo")
    assert addresses_of("no-such-if0") == []


async def test_http_goes_by_the_interface_or_not_at_all():
    held = Held("127.0.0.1")
    seen = []

    async def answer(request):
        seen.append((request.host.partition(":")[0], request.remote))
        return web.Response(body=b"d8:intervali1800ee")

    runner = web.AppRunner(web.Application())
    runner.app.router.add_get("/announce", answer)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    client = AiohttpClient(hold=HttpHold(held.binding, held.network.resolve))
    url = f"http://tracker.example:{port}/announce"
    try:
        assert await client.get(url, timeout=10, max_body=100) == b"d8:intervali1800ee"
        held.have()
        with pytest.raises(TrackerError, match="the interface lo has no address"):
            await client.get(url, timeout=10, max_body=100)
        with pytest.raises(TrackerError, match="the interface lo has no address"):
            await client.get(f"http://127.0.0.1:{port}/announce", timeout=10, max_body=100)
        held.have("127.0.0.2")
        await client.get(url, timeout=10, max_body=100)
    finally:
        await client.close()
        await runner.cleanup()
    assert seen == [("tracker.example", "127.0.0.1"), ("tracker.example", "127.0.0.2")]
