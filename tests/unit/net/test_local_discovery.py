"""Neighbours find each other by multicast (BEP 14), in a simulated local network and on the loopback interface."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from types import SimpleNamespace

import psutil
import pytest

from p2p.codec import lsd
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net import interfaces
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.local_discovery import GATHER, LOOK_AGAIN, MAX_PLACES, LocalDiscovery, Place
from p2p.net.network import Interface
from p2p.simulation import SimInternet, run
from p2p.swarm.local_announce import INTERVAL, MAX_HEARD, MAX_HEARD_HOST

HASH, OTHER = bytes(20), bytes(range(20))
LO = Interface("lo", (ipaddress.ip_interface("127.0.0.1/8"),))


class Loopback(AsyncioNetwork):
    """A host whose loopback interface carries multicast, and which has no other."""

    def multicast_interfaces(self):
        return [LO]


class Recorded:
    """A network that notes what is joined and sent, and reaches nobody."""

    def __init__(self, *found):
        self.found = list(found)
        self.members, self.sent = {}, []

    def multicast_interfaces(self):
        if self.found == ["silence"]:
            raise NetworkError("nobody knows")
        return self.found

    async def open_multicast(self, group, on_datagram, *, interface, source):
        place = Place(group, interface, source)
        if interface == "broken":
            raise NetworkError("no such device")
        recorded = self

        class Member:
            hear = staticmethod(on_datagram)

            def send(self, data, to):
                recorded.sent.append((place, lsd.decode(data).info_hashes))

            def close(self):
                del recorded.members[place]

        assert place not in self.members
        self.members[place] = Member()
        return self.members[place]


def link(name, *places):
    return Interface(name, tuple(map(ipaddress.ip_interface, places)))


def neighbours(*names):
    internet = SimInternet(random.Random(1))
    return [internet.host(name) for name in names]


def discover(network, number=0, **options):
    discovery = LocalDiscovery(network, port=6881 + number, cookie=bytes([number]) * 16, **options)
    return discovery, asyncio.create_task(discovery.run())


async def end(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_neighbours_with_a_torrent_hear_of_each_other_and_not_of_themselves(family):
    names = ("10.0.0.1", "10.0.0.2", "10.0.0.3") if family == "ipv4" else ("fd00::1", "fd00::2", "fd00::3")

    async def main():
        heard, found = [], []
        for number, host in enumerate(neighbours(*names)):
            found.append(discover(host.network, number))
            await asyncio.sleep(1)
        for number, info_hash in enumerate((HASH, HASH, OTHER)):
            discovery = found[number][0]
            group = lsd.GROUP if family == "ipv4" else lsd.GROUP6
            assert discovery.places == (Place(group, "link", names[number]),)
            assert discovery.add(info_hash, lambda peer, number=number: heard.append((number, peer)))
            await asyncio.sleep(1)
        assert heard == [(0, Address(names[1], 6882))]
        await asyncio.sleep(400)
        assert {number for number, _ in heard} == {0, 1}
        found[0][0].remove(HASH)
        heard.clear()
        await asyncio.sleep(400)
        assert heard == []
        await end(*(task for _, task in found))

    run(main())


def test_floods_and_garbage_are_bounded():
    async def main():
        heard = []
        here, there = neighbours("10.0.0.1", "10.0.0.2")
        discovery, task = discover(here.network)
        discovery.add(HASH, heard.append)
        bad = await there.network.open_multicast(lsd.GROUP, lambda *_: None)
        good = lsd.encode(lsd.GROUP, lsd.LocalAnnounce(1, (HASH,)))
        await asyncio.sleep(1)
        for datagram in (b"", b"\xff" * 1_400, good[:50], good + bytes(9_000)):
            bad.send(datagram, lsd.GROUP)
        await asyncio.sleep(2)
        assert heard == []
        for _ in range(10 * MAX_HEARD):
            bad.send(good, lsd.GROUP)
        await asyncio.sleep(0.5)
        assert 0 < len(heard) <= 2 * MAX_HEARD_HOST
        await end(task)
        bad.close()

    run(main())


def test_all_interfaces_take_part_and_link_local_addresses_do_not():
    async def main():
        network = Recorded(
            link("eth0", "192.168.1.2/24", "fe80::1/64", "fd00::2/64", "fd00::3/64"),
            link("wifi0", "10.1.0.2/16", "fe80::2/64"),
            link("broken", "10.2.0.2/16"),
            link("lo", "127.0.0.1/8", "10.77.0.1/24", "::1/128"),
        )
        discovery, task = discover(network)
        discovery.add(HASH, print)
        await asyncio.sleep(1)
        assert discovery.places == (
            Place(lsd.GROUP, "eth0", "192.168.1.2"),
            Place(lsd.GROUP6, "eth0", "fd00::2"),
            Place(lsd.GROUP, "wifi0", "10.1.0.2"),
            Place(lsd.GROUP, "lo", "10.77.0.1"),
            Place(lsd.GROUP6, "lo", "::1"),
        )
        assert network.sent == [(place, (HASH,)) for place in discovery.places]
        await end(task)
        assert network.members == {}

    run(main())


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        (("0.0.0.0",), [(lsd.GROUP, "eth0", "192.168.1.2"), (lsd.GROUP, "lo", "127.0.0.1")]),
        (("fd00::3",), [(lsd.GROUP6, "eth0", "fd00::3")]),
        (("192.168.1.2", "fd00::2"), [(lsd.GROUP, "eth0", "192.168.1.2"), (lsd.GROUP6, "eth0", "fd00::2")]),
        (("127.0.0.1",), [(lsd.GROUP, "lo", "127.0.0.1")]),
        (("10.9.9.9",), []),
    ],
)
def test_an_address_that_is_bound_limits_where_we_announce(bind, expected):
    async def main():
        eth0 = link("eth0", "192.168.1.2/24", "fd00::2/64", "fd00::3/64")
        discovery, task = discover(Recorded(eth0, link("lo", "127.0.0.1/8", "::1/128")), bind=bind)
        await asyncio.sleep(0)
        assert list(discovery.places) == expected
        await end(task)

    run(main())


def test_networks_come_and_go():
    async def main():
        network = Recorded("silence")
        discovery, task = discover(network)
        discovery.add(HASH, print)
        await asyncio.sleep(2 * LOOK_AGAIN)
        assert network.sent == []
        network.found = [link("wifi0", "10.1.0.2/16")]
        await asyncio.sleep(LOOK_AGAIN + 1)
        assert network.sent == [(Place(lsd.GROUP, "wifi0", "10.1.0.2"), (HASH,))]
        network.found = [link("wifi0", "192.168.7.7/24")]
        await asyncio.sleep(LOOK_AGAIN)
        assert network.sent[1:] == [(Place(lsd.GROUP, "wifi0", "192.168.7.7"), (HASH,))]
        assert list(network.members) == [Place(lsd.GROUP, "wifi0", "192.168.7.7")]
        network.found = []
        await asyncio.sleep(INTERVAL)
        assert network.members == {}
        assert len(network.sent) == 2
        await end(task)

    run(main())


def test_a_host_with_many_links_joins_on_some():
    async def main():
        network = Recorded(*(link(f"veth{number}", f"10.{number}.0.1/24") for number in range(200)))
        discovery, task = discover(network)
        await asyncio.sleep(1)
        assert len(discovery.places) == MAX_PLACES
        await end(task)

    run(main())


def test_torrents_that_are_added_together_are_announced_together():
    async def main():
        network = Recorded(link("eth0", "192.168.1.2/24"))
        discovery, task = discover(network)
        await asyncio.sleep(1)
        hashes = [bytes([number]) * 20 for number in range(1, 13)]
        for info_hash in hashes:
            assert discovery.add(info_hash, print)
            assert not discovery.add(info_hash, print)
            await asyncio.sleep(GATHER / 20)
        await asyncio.sleep(GATHER)
        assert [sorted(said) for _, said in network.sent] == [hashes]
        await end(task)

    run(main())


def test_a_public_address_from_elsewhere_is_no_neighbour():
    async def main():
        heard = []
        network = Recorded(link("eth0", "192.168.1.2/24", "93.184.216.2/24"))
        discovery, task = discover(network)
        discovery.add(HASH, heard.append)
        await asyncio.sleep(1)
        (member,) = network.members.values()
        announce = lsd.encode(lsd.GROUP, lsd.LocalAnnounce(1, (HASH,)))
        for host in ("8.8.8.8", "93.184.216.9", "192.168.1.3", "10.0.0.1"):
            member.hear(announce, Address(host, lsd.PORT))
        assert [peer.host for peer in heard] == ["93.184.216.9", "192.168.1.3", "10.0.0.1"]
        await end(task)

    run(main())


async def test_on_a_real_machine_two_programs_share_the_port():
    heard = asyncio.Queue()
    one, first = discover(Loopback(), 0)
    other, second = discover(Loopback(), 1)
    async with asyncio.timeout(10):
        one.add(HASH, heard.put_nowait)
        other.add(HASH, heard.put_nowait)
        peer = await heard.get()
    await end(first, second)
    assert peer in (Address("127.0.0.1", 6881), Address("127.0.0.1", 6882))


def test_the_system_is_asked_for_interfaces_that_are_up_and_carry_multicast(monkeypatch):
    class State:
        def __init__(self, flags):
            self.isup = "up" in flags.split(",")
            self.flags = flags

    def address(text, netmask):
        return SimpleNamespace(address=text, netmask=netmask)

    states = {
        "lo": State("up,loopback,running"),
        "eth0": State("up,broadcast,running,multicast"),
        "eth1": State("broadcast,multicast"),
        "none0": State("up,multicast"),
    }
    addresses = {
        "lo": [address("127.0.0.1", "255.0.0.0")],
        "eth0": [
            address("02:fc:00:00:00:01", None),
            address("192.168.1.2", "255.255.255.0"),
            address("fe80::1%eth0", "ffff:ffff:ffff:ffff::"),
            address("fd00::2", None),
        ],
        "eth1": [address("10.0.0.1", "255.0.0.0")],
    }
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: addresses)
    expected = link("eth0", "192.168.1.2/24", "fe80::1/64", "fd00::2/128")
    assert AsyncioNetwork().multicast_interfaces() == [expected, link("none0")]

    def refuse():
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_if_stats", refuse)
    with pytest.raises(NetworkError, match="network interfaces"):
        interfaces.multicast_interfaces()
