"""What every form of the network port keeps for multicast groups. Real ones stay on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork

GROUP = {False: "239.192.152.143", True: "ff15::efc0:988f"}


def loopback_carries_ipv6_multicast():
    """Whether this machine does that; Linux has no route for it unless somebody made one."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        try:
            index = socket.if_nametoindex("lo")
            group = struct.pack("@16sI", socket.inet_pton(socket.AF_INET6, GROUP[True]), index)
            probe.bind(("::", 0))
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            probe.sendto(b"heard", (GROUP[True], probe.getsockname()[1]))
            return probe.recv(5) == b"heard"
        except OSError:
            return False


def plain(network):
    """The network below one that only changes streams."""
    return getattr(network, "inner", network)


async def place(world):
    """A group of the world's family at a port that nobody uses, and how to join it."""
    real = isinstance(plain(world.near), AsyncioNetwork)
    ipv6 = ":" in world.near_host
    if real and ipv6 and not loopback_carries_ipv6_multicast():
        pytest.skip("the loopback interface carries no IPv6 multicast here")
    free = await world.near.open_datagrams(Address(world.near_host, 0), lambda *_: None)
    group = Address(GROUP[ipv6], free.local.port)
    free.close()

    def join(network, on_datagram):
        return plain(network).open_multicast(group, on_datagram, interface="lo" if real else None)

    return group, join


def test_what_a_member_sends_reaches_all_members_itself_too(run):
    async def case(world):
        group, join = await place(world)
        arrived = {name: asyncio.Queue() for name in ("near", "far", "beside")}
        near = await join(world.near, lambda *packet: arrived["near"].put_nowait(packet))
        far = await join(world.far, lambda *packet: arrived["far"].put_nowait(packet))
        beside = await join(world.far, lambda *packet: arrived["beside"].put_nowait(packet))
        assert near.local == group
        near.send(b"hello", group)
        packets = [await queue.get() for queue in arrived.values()]
        assert [data for data, _ in packets] == [b"hello"] * 3
        source = packets[0][1]
        assert [sender for _, sender in packets] == [source] * 3
        assert source.host != group.host
        assert source.port == group.port
        far.send(b"back", group)
        assert (await arrived["near"].get())[0] == b"back"
        for member in (near, far, beside):
            member.close()

    run(case)


def test_who_left_hears_and_says_nothing(run):
    async def case(world):
        group, join = await place(world)
        heard, arrived = [], asyncio.Queue()
        gone = await join(world.near, lambda *packet: heard.append(packet))
        stays = await join(world.far, lambda *packet: arrived.put_nowait(packet))
        gone.close()
        gone.close()
        gone.send(b"from the dead", group)
        stays.send(b"still here", group)
        assert (await arrived.get())[0] == b"still here"
        assert heard == []
        assert arrived.empty()
        stays.close()

    run(case)


def test_what_goes_to_no_group_is_not_heard(run):
    async def case(world):
        group, join = await place(world)
        heard = []
        member = await join(world.far, lambda *packet: heard.append(packet))
        beside = await world.near.open_datagrams(Address(world.near_host, 0), lambda *_: None)
        beside.send(b"to the port", Address(world.far_host, group.port))
        member.send(b"x" * 70_000, group)
        await asyncio.sleep(0.05)
        assert heard == []
        beside.close()
        member.close()

    run(case)


async def test_an_interface_that_is_not_there_is_refused():
    from p2p.errors import NetworkError

    with pytest.raises(NetworkError):
        await AsyncioNetwork().open_multicast(Address(GROUP[False], 6771), lambda *_: None, interface="nosuch0")
