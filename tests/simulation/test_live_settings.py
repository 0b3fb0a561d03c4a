"""What a user changes of a session takes effect while it runs."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.session.encryption import Encryption
from p2p.session.settings import Settings, TorrentOptions
from p2p.swarm.peer_list import PeerSource


def test_another_port_takes_peers_and_the_old_one_does_not(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        await seed.session.set_port(7000)
        assert seed.session.port == 7000
        host = seed.host.addresses[0]
        late = await world.add_peer("late", options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(30)
        assert late.torrent.snapshot().pieces_had == 0
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(Address(host, 7000),)))
        await world.completed([leecher], 60)

    play(scenario)


def test_a_port_that_is_taken_is_refused_and_the_old_one_stays(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        taken = await seed.host.network.listen(Address("0.0.0.0", 7000), lambda stream: stream.abort())
        with pytest.raises(NetworkError):
            await seed.session.set_port(7000)
        taken.close()
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await world.completed([leecher], 60)
        assert seed.session.port == seed.address.port

    play(scenario)


def test_connections_that_are_allowed_later_are_made(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        settings = Settings(max_connections=0)
        leecher = await world.add_peer("leecher", settings=settings, options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(30)
        assert leecher.torrent.connected_peers == []
        leecher.session.set_max_connections(5)
        await world.completed([leecher], 60)

    play(scenario)


def test_encryption_that_is_required_later_is_asked_of_all_that_follow(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, encryption=Encryption.PREFER)
        leecher = await world.add_peer("leecher")
        leecher.session.set_encryption(Encryption.REQUIRE)
        await asyncio.sleep(0.1)
        leecher.torrent.set_limits(down=50_000.0, up=None)
        leecher.torrent.add_peers([seed.address], PeerSource.MANUAL)
        await asyncio.sleep(5)
        assert [peer.encrypted for peer in leecher.torrent.snapshot().peers] == [True]

    play(scenario)
