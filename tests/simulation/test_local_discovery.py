"""Peers find each other on the local network alone: no tracker, no DHT, no peer that anybody names (BEP 14)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from p2p.codec import lsd
from p2p.ids import Address
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, sim_environment
from p2p.swarm.local_announce import INTERVAL
from p2p.swarm.peer_list import PeerSource


@pytest.fixture
def announced():
    """Watches a world: every announce that arrived anywhere, by sender, as the port and the info-hashes."""

    def watch(world):
        heard = {}

        def trace(time, kind, source, target, payload):
            if target == lsd.GROUP:
                told = lsd.decode(bytes(payload))
                heard.setdefault(source.host, []).append((told.port, *sorted(told.info_hashes)))

        world.internet.trace = trace
        return heard

    return watch


def make_hybrid(world):
    """The world's content as a hybrid torrent."""
    plan = CreationPlan(
        "content", [((), world.metainfo.total_size)], version="hybrid", piece_length=world.metainfo.piece_length
    )
    return Metainfo.from_bytes(plan.finish([hash_job(job, [world.content[job.index]]) for job in plan.jobs()]))


def test_a_swarm_on_one_link_comes_together(play, announced):
    async def scenario(world):
        heard = announced(world)
        slow = Settings(peer_exchange=False, limit_up=100_000)
        seed = await world.add_peer("seed", seeding=True, settings=slow, local_discovery=True)
        leechers = [await world.add_peer(f"leecher-{n}", settings=slow, local_discovery=True) for n in range(5)]
        await asyncio.sleep(3)
        sources = {peer.source for each in world.peers for peer in each.torrent.snapshot().peers}
        assert sources == {"lsd", "incoming"}
        assert [len(peer.torrent.connected_peers) for peer in world.peers] == [5] * 6
        await world.completed(leechers, within=60)
        assert all(world.holds(peer) for peer in leechers)
        assert set(heard) == {peer.host.addresses[0] for peer in (seed, *leechers)}
        assert {told for each in heard.values() for told in each} == {(PEER_PORT, world.metainfo.info_hash_v1)}

    play(scenario, size=400_000)


def test_who_wants_no_local_discovery_neither_speaks_nor_finds(play, announced):
    async def scenario(world):
        heard = announced(world)
        seed = await world.add_peer("seed", seeding=True, local_discovery=True)
        quiet = await world.add_peer("quiet")
        await asyncio.sleep(2 * INTERVAL)
        assert set(heard) == {seed.host.addresses[0]}
        assert quiet.torrent.connected_peers == []
        assert len(quiet.torrent.peer_list) == 0

    play(scenario)


def test_a_torrent_that_has_stopped_is_announced_no_more_and_again_once_it_is_back(play, announced):
    async def scenario(world):
        heard = announced(world)
        await world.add_peer("other", local_discovery=True)
        peer = await world.add_peer("peer", seeding=True, local_discovery=True)
        here = peer.host.addresses[0]
        await asyncio.sleep(1)
        assert len(heard[here]) == 2  # both hear it, the sender too
        await peer.torrent.stop()
        await asyncio.sleep(3 * INTERVAL)
        assert len(heard[here]) == 2
        await peer.session.remove(peer.torrent)
        await peer.session.add(world.metainfo, TorrentOptions(trust=True))
        await asyncio.sleep(1)
        assert len(heard[here]) == 4

    play(scenario, until=7_200)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_hybrid_is_found_under_either_of_its_names(play, announced, version):
    async def scenario(world):
        heard = announced(world)
        world.metainfo = make_hybrid(world)
        seed = await world.add_peer("seed", seeding=True, local_discovery=True)
        magnet = Magnet.from_metainfo(world.metainfo)
        name = replace(magnet, info_hash_v2=None) if version == "1" else replace(magnet, info_hash_v1=None)
        await asyncio.sleep(10)  # the seed has spoken and will not again for minutes: it has to come by itself
        host = world.add_host()
        environment = sim_environment(host, world.new_rng(), lambda layout: SimDisk(layout, None, DiskKnobs()))
        settings = Settings(port=PEER_PORT, bind=("0.0.0.0",), dht=False, peer_exchange=False)
        session = await world.stack.enter_async_context(Session(settings, environment=environment))
        torrent = await session.add(name)
        async with asyncio.timeout(60):
            await torrent.completed()
        assert seed.torrent.peer_list.source_of(Address(host.addresses[0], PEER_PORT)) is PeerSource.LSD
        both = tuple(sorted(world.metainfo.wire_info_hashes()))
        await asyncio.sleep(2 * INTERVAL)
        for each in (seed.host, host):
            assert (PEER_PORT, *both) in heard[each.addresses[0]]

    play(scenario)


def test_two_torrents_of_one_session_are_announced_together(play, announced):
    async def scenario(world):
        heard = announced(world)
        peer = await world.add_peer("peer", seeding=True, local_discovery=True)
        hybrid = make_hybrid(world)
        await peer.session.add(hybrid, TorrentOptions(download_dir="elsewhere", trust=True))
        await asyncio.sleep(2)
        names = {world.metainfo.info_hash_v1, *hybrid.wire_info_hashes()}
        (told,) = heard[peer.host.addresses[0]]
        assert set(told[1:]) == names

    play(scenario)
