"""Neighbours find each other by multicast (BEP 14), in a simulated local network and on the loopback interface."""

from __future__ import annotations

import asyncio
import random

import pytest

from p2p.codec import lsd
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.local_discovery import MAX_HEARD_A_SECOND, LocalDiscovery
from p2p.simulation import SimInternet, run

HASH, OTHER = bytes(20), bytes(range(20))


def neighbours(*names):
    internet = SimInternet(random.Random(1))
    return [internet.host(name) for name in names]


async def discover(network, number, heard, **options):
    discovery = LocalDiscovery(
        network,
        port=6881 + number,
        cookie=bytes([number]) * 16,
        on_peer=lambda info_hash, address: heard.append((number, info_hash, address)),
        **options,
    )
    return discovery, asyncio.create_task(discovery.run())


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_neighbours_with_a_torrent_hear_of_each_other_and_not_of_themselves(family):
    names = ("10.0.0.1", "10.0.0.2", "10.0.0.3") if family == "ipv4" else ("fd00::1", "fd00::2", "fd00::3")

    async def main():
        heard, found = [], []
        for number, host in enumerate(neighbours(*names)):
            found.append(await discover(host.network, number, heard))
            await asyncio.sleep(1)
        for (discovery, _), info_hash in zip(found, (HASH, HASH, OTHER), strict=True):
            assert discovery.groups == ((lsd.GROUP,) if family == "ipv4" else (lsd.GROUP6,))
            discovery.add(info_hash)
            await asyncio.sleep(1)
        assert heard == [(0, HASH, Address(names[1], 6882))]
        await asyncio.sleep(400)
        assert {entry[:2] for entry in heard} == {(0, HASH), (1, HASH)}
        found[0][0].remove(HASH)
        heard.clear()
        await asyncio.sleep(400)
        assert heard == []
        for _, task in found:
            task.cancel()
        await asyncio.gather(*[task for _, task in found], return_exceptions=True)

    run(main())


def test_floods_and_garbage_are_bounded():
    async def main():
        heard = []
        here, there = neighbours("10.0.0.1", "10.0.0.2")
        discovery, task = await discover(here.network, 0, heard)
        discovery.add(HASH)
        bad = await there.network.open_multicast(lsd.GROUP, lambda *_: None)
        good = lsd.encode(lsd.GROUP, lsd.LocalAnnounce(1, (HASH,)))
        await asyncio.sleep(1)
        for datagram in (b"", b"\xff" * 1_400, good[:50], good + bytes(9_000)):
            bad.send(datagram, lsd.GROUP)
        await asyncio.sleep(2)
        assert heard == []
        for _ in range(10 * MAX_HEARD_A_SECOND):
            bad.send(good, lsd.GROUP)
        await asyncio.sleep(0.5)
        assert 0 < len(heard) <= 2 * MAX_HEARD_A_SECOND
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bad.close()

    run(main())


async def test_on_a_real_machine_two_programs_share_the_port():
    heard, group = [], lsd.GROUP._replace(port=lsd.PORT)
    options = {"groups": (group,), "interface": "lo"}
    one, first = await discover(AsyncioNetwork(), 0, heard, **options)
    other, second = await discover(AsyncioNetwork(), 1, heard, **options)
    async with asyncio.timeout(10):
        while not (one.groups and other.groups):
            await asyncio.sleep(0.01)
        one.add(HASH)
        other.add(HASH)
        while not heard:
            await asyncio.sleep(0.01)
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert {number for number, _, _ in heard} <= {0, 1}


async def test_a_machine_without_multicast_goes_without():
    heard = []
    discovery, task = await discover(AsyncioNetwork(), 0, heard, interface="nosuch0")
    async with asyncio.timeout(5):
        await task
    assert discovery.groups == ()
