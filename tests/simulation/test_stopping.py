"""Stopping at any moment leaves nothing behind; what was stopped can go on."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import StarlingError
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, sim_environment

MOMENTS = [0.0, 0.03, 0.05, 0.07, 0.09, 0.11, 0.15, 0.2, 0.5, 1.0, 2.0, 5.0]


async def swarm(world):
    """A seed and four leechers in the middle of things, on disks that take their time."""
    knobs = DiskKnobs(store_time=0.05, read_time=0.02)
    await world.add_peer("seed", seeding=True, settings=Settings(limit_up=500_000), knobs=knobs)
    for index in range(4):
        known = tuple(peer.address for peer in world.peers)
        settings = Settings(limit_down=300_000)
        options = TorrentOptions(peers=known)
        knobs = DiskKnobs(store_time=0.05, read_time=0.02)
        await world.add_peer(f"leecher-{index}", settings=settings, options=options, knobs=knobs)


@pytest.mark.parametrize("moment", MOMENTS)
def test_sessions_end_in_the_middle_of_everything(play, moment):
    async def scenario(world):
        await world.start_tracker()
        await swarm(world)
        await asyncio.sleep(moment)
        for peer in world.peers:
            began = asyncio.get_running_loop().time()
            await peer.leave()
            assert asyncio.get_running_loop().time() - began < 6
            if peer.name != "seed":
                with pytest.raises(StarlingError, match="stopped before it completed"):
                    await peer.torrent.completed()

    play(scenario, size=8 << 20, announce="http")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_program_is_cancelled_in_the_middle_of_everything(play, moment):
    async def scenario(world):
        async def program():
            await swarm(world)
            await asyncio.sleep(1_000)

        task = asyncio.create_task(program())
        await asyncio.sleep(moment)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for peer in world.peers:
            await peer.leave()

    play(scenario, size=8 << 20)


@pytest.mark.parametrize("moment", [0.0, 0.1, 1.0])
def test_a_session_whose_body_fails_stops_its_torrents(play, moment):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        host = world.add_host()
        environment = sim_environment(host, world.new_rng(), lambda layout: SimDisk(layout, None, DiskKnobs()))
        torrents = []

        async def program():
            async with Session(
                Settings(port=PEER_PORT, bind=("0.0.0.0",), dht=False, local_discovery=False), environment=environment
            ) as session:
                torrents.append(await session.add(world.metainfo, TorrentOptions(peers=(seed.address,))))
                await asyncio.sleep(moment)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await program()
        assert torrents[0].snapshot().state is TorrentState.STOPPED

    play(scenario, size=8 << 20)


def test_a_torrent_that_was_removed_can_be_added_again(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=500_000))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        with pytest.raises(StarlingError, match="is in this session already"):
            await leecher.session.add(world.metainfo)
        await asyncio.sleep(2)
        assert leecher.torrent.snapshot().pieces_had > 0
        await leecher.session.remove(leecher.torrent)
        assert leecher.session.torrents == []
        assert leecher.session._open.arenas.in_use == 0
        await asyncio.sleep(5)
        leecher.torrent = await leecher.session.add(world.metainfo, TorrentOptions(peers=(seed.address,)))
        await world.completed([leecher], 60)

    play(scenario, size=4 << 20)


def test_seeding_ends_at_its_goals(play):
    async def scenario(world):
        by_ratio = await world.add_peer("ratio", seeding=True, options=TorrentOptions(seed_ratio=1.0))
        by_time = await world.add_peer("time", seeding=True, options=TorrentOptions(seed_time=90.0))
        first = await world.add_peer("first", options=TorrentOptions(peers=(by_ratio.address,)))
        await world.completed([first], 60)
        async with asyncio.timeout(5):
            await by_ratio.torrent.stopped()
        assert by_ratio.torrent.snapshot().message == "ratio 1 reached"
        assert by_ratio.torrent.snapshot().state is TorrentState.STOPPED
        began = asyncio.get_running_loop().time()
        await by_time.torrent.stopped()
        assert by_time.torrent.snapshot().message == "seeded for 1.5 min"
        assert 80 < asyncio.get_running_loop().time() < began + 95

    play(scenario)
