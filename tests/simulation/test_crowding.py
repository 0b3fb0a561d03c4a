"""Places at a torrent: nobody keeps others out for ever, and every slot that is taken is given back."""

from __future__ import annotations

import asyncio

from p2p.errors import NetworkError
from p2p.ids import Address, PeerId
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.swarm.peer_list import PeerSource

KEEP_ALIVE = bytes(4)


def test_a_host_that_holds_every_place_it_can_keeps_nobody_out(play):
    async def scenario(world):
        calls = 0

        async def squat(line):
            nonlocal calls
            calls += 1
            await line.shake(world.metainfo.wire_info_hashes()[0], PeerId(b"-XX0001-%012d" % calls))
            await line.receive_handshake()
            while True:
                await line.send(KEEP_ALIVE)
                await asyncio.sleep(100)

        leecher = await world.add_peer("leecher", settings=Settings(max_connections_per_torrent=10))
        squatter = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, squat))
        for _ in range(30):
            try:
                await squatter.call(leecher.address)
            except NetworkError:
                continue
        await asyncio.sleep(10)
        assert len(leecher.torrent.exchange.peers) == 5
        others = []
        for _ in range(5):
            other = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, squat))
            await other.call(leecher.address)
            others.append(other)
        await asyncio.sleep(10)
        assert len(leecher.torrent.exchange.peers) == 10
        seed = await world.add_peer("seed", seeding=True)
        leecher.torrent.add_peers([seed.address], PeerSource.TRACKER)
        await world.completed([leecher], 600)

    play(scenario)


def test_a_copied_id_displaces_nobody_who_is_alive(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=50_000))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(3)
        (before,) = leecher.torrent.exchange.peers.values()

        async def copy(line):
            await line.shake(world.metainfo.wire_info_hashes()[0], seed.torrent.peer_id)
            await line.receive_handshake()
            while True:
                await line.receive()

        copier = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, copy))
        for _ in range(3):
            await copier.call(leecher.address)
            await asyncio.sleep(1)
        assert list(leecher.torrent.exchange.peers.values()) == [before]
        assert len(copier.ended) == 3
        await world.completed([leecher], 120)

    play(scenario)


def test_connections_that_begin_as_a_torrent_stops_give_their_slots_back(play):
    async def scenario(world):
        leecher = await world.add_peer("leecher")
        await asyncio.sleep(1)
        nowhere = [Address(f"10.99.0.{n}", 6881) for n in range(1, 60)]
        leecher.torrent.add_peers(nowhere, PeerSource.MANUAL)
        leecher.torrent.request_stop()
        await leecher.torrent.stopped()
        assert leecher.session._open.slots.connecting == 0

    play(scenario)


def test_an_address_of_our_own_costs_its_place_for_a_moment_only(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", settings=Settings(max_connections_per_torrent=1))
        leecher.torrent.add_peers([leecher.address], PeerSource.MANUAL)
        await asyncio.sleep(0)
        leecher.torrent.add_peers([seed.address], PeerSource.TRACKER)
        await world.completed([leecher], 60)

    play(scenario)


def test_a_peer_that_never_answers_holds_the_only_slot_for_its_timeout_and_no_longer(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", settings=Settings(max_connecting=1))
        leecher.torrent.add_peers([Address("10.99.0.1", 6881), seed.address], PeerSource.MANUAL)
        await world.completed([leecher], 60)

    play(scenario)
