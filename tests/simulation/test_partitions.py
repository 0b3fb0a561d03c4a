"""A swarm cut into two halves: each goes on with what it has, and once they meet again all have everything."""

from __future__ import annotations

import asyncio

import pytest
from invariants import Invariants, check_bytes, verified

from p2p.session.settings import TorrentOptions


def together(world, peers):
    """The pieces that these have, as bits."""
    mask = 0
    for peer in peers:
        mask |= verified(world, peer)
    return mask


@pytest.mark.parametrize("length", [20, 600], ids=["while connections last", "until all have ended"])
def test_two_halves_of_a_swarm_go_on_and_finish_once_they_meet(play, length):
    """The seed is in one half, so that the other can but share out what it had when the cable was cut."""

    async def scenario(world):
        invariants = Invariants(world)
        watching = asyncio.create_task(invariants.watch(0.5))
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=200_000))
        leechers = []
        for index in range(8):
            known = (seed.address, *(peer.address for peer in leechers))
            host = world.add_host(up=200_000)
            leechers.append(await world.add_peer(f"leecher-{index}", host=host, options=TorrentOptions(peers=known)))
        near, far = leechers[::2], leechers[1::2]
        while together(world, far).bit_count() < world.metainfo.piece_count // 3:
            await asyncio.sleep(0.25)
        world.internet.partition([seed.host, *(peer.host for peer in near)], [peer.host for peer in far])
        await asyncio.sleep(1.0)  # what was under way still arrives
        there = together(world, far)
        before = sum(verified(world, peer).bit_count() for peer in far)
        await asyncio.sleep(length - 1.0)
        assert together(world, far) == there
        assert there.bit_count() < world.metainfo.piece_count
        after = [verified(world, peer).bit_count() for peer in far]
        assert sum(after) > before
        far_hosts = {peer.host.addresses[0] for peer in far}
        lines = [line for peer in (seed, *near) for line in peer.torrent.exchange.peers.values()]
        across = [line for line in lines if line.address.host in far_hosts]
        assert bool(across) == (length < 60)
        if not across:
            assert after == [there.bit_count()] * len(far)
            assert all(world.holds(peer) for peer in near)
        world.internet.heal()
        healed = asyncio.get_running_loop().time()
        await world.completed(leechers, 900)
        print(f"done {max(peer.done_at for peer in leechers) - healed:.0f} s after they met again")
        assert all(world.holds(peer) for peer in leechers)
        watching.cancel()
        assert isinstance((await asyncio.gather(watching, return_exceptions=True))[0], asyncio.CancelledError)
        assert invariants.looks > length
        check_bytes(world, lossless=False)

    play(scenario, size=2 << 20)
