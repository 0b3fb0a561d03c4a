"""A hundred small swarms of mixed peers, each of another seed: whatever chance brings, the same things always hold."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from invariants import Invariants, check_bytes

from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.behaviours import BEHAVIOURS
from p2p.simulation.intruders import Intruder
from p2p.simulation.sim_disk import DiskKnobs

PEERS = 12
HONEST = 6
"""The first of them are a seed and honest leechers; chance decides about the rest."""

RATES = (100_000, 200_000, 400_000, None)
LOOK_INTERVAL = 0.25


async def add_member(world, chance, index):
    """Somebody of whom chance decides what it is; None for one that has no session."""
    way = None if index < HONEST else chance.choice([None, *BEHAVIOURS])
    behaviour = BEHAVIOURS[way] if way is not None else BEHAVIOURS["leaver"]
    rate = 200_000 if index == 0 else chance.choice(RATES)
    host = world.add_host(up=rate, down=chance.choice(RATES), latency=chance.uniform(0.001, 0.15))
    if behaviour.script is not None:
        await world.stack.enter_async_context(Intruder(world, host, behaviour.script, lines=min(behaviour.lines, 3)))
        return None, way
    peer = await world.add_peer(
        f"{way or 'peer'}-{index}",
        seeding=index == 0,
        host=host,
        settings=replace(Settings(), **(behaviour.settings if way is not None else {})),
        options=TorrentOptions(peers=tuple(other.address for other in world.peers)),
        knobs=DiskKnobs(lying=behaviour.lies, store_time=chance.choice((0.0, 0.01, 0.2))),
    )
    return peer, way


@pytest.mark.parametrize("offset", range(0, 100, 5))
def test_what_always_holds_in_a_mixed_swarm(play, seed, offset):
    async def scenario(world):
        chance = random.Random(world.rng.getrandbits(64))
        invariants = Invariants(world)
        watching = asyncio.create_task(invariants.watch(LOOK_INTERVAL), name="invariants")
        honest = []
        ways = []
        try:
            for index in range(PEERS):
                peer, way = await add_member(world, chance, index)
                ways.append(way)
                if peer is not None and way is None:
                    honest.append(peer)
                await asyncio.sleep(chance.choice((0.0, 0.0, 0.5, 3.0)))
                assert not watching.done(), watching.exception()
            waiting = asyncio.ensure_future(world.completed(honest, 900))
            await asyncio.wait([watching, waiting], return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                waiting.cancel()
                await watching
            await waiting
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        invariants.look()
        assert invariants.looks > 10
        assert all(world.holds(peer) for peer in honest)
        liars = {peer.host.addresses[0] for peer in world.peers if peer.knobs.lying}
        for peer in world.peers:
            assert {ban.host for ban in peer.torrent.peer_list.bans} <= liars, "somebody innocent is banned"
        check_bytes(world, lossless=False)

    for number in range(offset, offset + 5):
        play(scenario, size=400_000, piece_length=32 << 10, seed=1_000 * seed + number)
