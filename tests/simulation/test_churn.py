"""Half of the peers come and go at drawn moments; those who stay lose nothing by it, and who comes last finishes."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from invariants import Invariants

STAYERS = 8
GOERS = 8


async def come_and_go(world, chance, name, came):
    """Be there, be away, again and again: half the time somebody new comes in place of who went."""
    visits = 0
    while True:
        peer = await world.add_peer(f"{name}-{visits}", host=world.add_host(up=100_000))
        came.append(peer)
        visits += 1
        while True:
            await asyncio.sleep(chance.uniform(1.0, 12.0))
            if chance.random() < 0.5:
                await peer.leave()
                break
            await peer.torrent.stop()
            await asyncio.sleep(chance.uniform(0.5, 5.0))
            peer.torrent.start()
        await asyncio.sleep(chance.uniform(0.5, 5.0))


def test_who_stays_finishes_while_half_of_the_peers_come_and_go(play):
    async def scenario(world):
        await world.start_tracker()
        invariants = Invariants(world)
        watching = asyncio.create_task(invariants.watch(0.5))
        await world.add_peer("seed", seeding=True, host=world.add_host(up=100_000))
        stayers = [await world.add_peer(f"stayer-{i}", host=world.add_host(up=100_000)) for i in range(STAYERS)]
        came = []
        goers = [
            asyncio.create_task(come_and_go(world, random.Random(world.rng.getrandbits(64)), f"goer-{index}", came))
            for index in range(GOERS)
        ]
        await world.completed(stayers, 300)
        last = max(peer.done_at for peer in stayers)
        print(f"stayers done after {last:.0f} s, {len(came)} came and went")
        for task in (watching, *goers):
            assert not task.done(), task
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert len(came) > GOERS
        assert all(world.holds(peer) for peer in stayers)
        # One copy takes the seed 10 s; what goers carry away comes again from others.
        assert last < 60
        newcomer = await world.add_peer("newcomer")
        await world.completed([newcomer], 60)
        assert world.holds(newcomer)
        assert invariants.looks > 20

    play(scenario, announce="http")
