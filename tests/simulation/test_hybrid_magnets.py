"""Links to hybrids: as version 1 where peers know no more, in both swarms where they do; and version 2 alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from magnet_sessions import SETTINGS, add_fetcher, as_version_1, link, make_torrent

from p2p.session.metadata_fetch import LAYER_PATIENCE
from p2p.session.settings import Settings, TorrentOptions
from p2p.swarm.peer_list import PeerSource

SIZES = (30 * 16_384, 5, 3 * 16_384 + 1)


async def finish(torrent, within=60):
    async with asyncio.timeout(within):
        await torrent.completed()


@pytest.mark.parametrize("hashes", [("v1",), ("v1", "v2")])
def test_where_all_peers_are_of_version_1_a_hybrid_is_downloaded_as_that(play, hashes):
    async def scenario(world):
        hybrid, world.content = make_torrent("hybrid", SIZES)
        world.metainfo = as_version_1(hybrid)
        seed = await world.add_peer("seed", seeding=True)
        fetcher = await add_fetcher(world)
        torrent = await fetcher.session.add(link(hybrid, hashes=hashes, peers=[seed.address]))
        await asyncio.sleep(LAYER_PATIENCE - 1)
        (peer,) = torrent.connected_peers  # nobody is dropped for being of version 1
        assert peer.connected_at < 1
        await finish(torrent, 5)
        assert fetcher.disks[0].content == world.content
        assert torrent.metainfo.info_bytes == hybrid.info_bytes
        assert torrent.metainfo.version == "1"
        assert torrent.info_hashes == hybrid.wire_info_hashes()[:1]
        # The name that it gave up is free again.
        await fetcher.session.remove(torrent)
        assert fetcher.session.torrents == []
        await fetcher.session.add(link(hybrid, hashes=("v2",)))

    play(scenario)


def test_layers_are_waited_for_while_they_come_and_while_somebody_may_still_give_them(play):
    """The peer that knows version 2 comes late, and then it is a hybrid after all."""

    async def scenario(world):
        hybrid, world.content = make_torrent("hybrid", SIZES)
        world.metainfo = as_version_1(hybrid)
        old = await world.add_peer("old", seeding=True)
        world.metainfo = hybrid
        new = await world.add_peer("new", seeding=True)
        fetcher = await add_fetcher(world)
        torrent = await fetcher.session.add(link(hybrid, hashes=("v1",), peers=[old.address]))
        await asyncio.sleep(LAYER_PATIENCE - 5)
        assert torrent.metainfo is None
        torrent.add_peers([new.address], PeerSource.MANUAL)
        await finish(torrent, 5)
        assert torrent.metainfo.version == "hybrid"
        assert torrent.metainfo.piece_layers == hybrid.piece_layers

    play(scenario)


@pytest.mark.parametrize(
    ("version", "hashes"),
    [("2", ("v2",)), ("hybrid", ("v1",)), ("hybrid", ("v2",)), ("hybrid", ("v1", "v2"))],
)
def test_layers_come_from_peers_whatever_hash_the_link_has(play, version, hashes):
    async def scenario(world):
        world.metainfo, world.content = make_torrent(version, SIZES)
        seed = await world.add_peer("seed", seeding=True)
        fetcher = await add_fetcher(world)
        torrent = await fetcher.session.add(link(world.metainfo, hashes=hashes, peers=[seed.address]))
        await finish(torrent, 5)
        assert torrent.metainfo.version == version
        assert torrent.metainfo.piece_layers == world.metainfo.piece_layers
        assert fetcher.disks[0].content == world.content

    play(scenario)


@pytest.mark.parametrize("sizes", [SIZES, (5, 16_384)], ids=["layers", "no layers"])
def test_a_link_of_version_1_leads_into_both_swarms(play, sizes):
    async def scenario(world):
        hybrid, world.content = make_torrent("hybrid", sizes)
        world.metainfo = hybrid
        seed = await world.add_peer("seed", seeding=True, bootstrap=())
        join = ((seed.host.addresses[0], 6881),)
        fetcher = await add_fetcher(world, settings=replace(SETTINGS, dht=True, bootstrap=join))
        torrent = await fetcher.session.add(link(hybrid, hashes=("v1",), peers=[seed.address]))
        assert torrent.info_hashes == hybrid.wire_info_hashes()[:1]
        await finish(torrent, 30)
        assert torrent.info_hashes == hybrid.wire_info_hashes()
        await asyncio.sleep(60)
        # It is announced under both names at once, and takes those who know the other name alone.
        for name in hybrid.wire_info_hashes():
            found = [peer async for peers in seed.session.dht.get_peers(name) for peer in peers]
            assert fetcher.address in found
        await seed.leave()
        other = await add_fetcher(world)
        of_version_2 = await other.session.add(link(hybrid, hashes=("v2",), peers=[fetcher.address]))
        await finish(of_version_2, 5)
        assert other.disks[0].content == world.content

    play(scenario)


def test_a_tracker_hears_of_the_other_name_as_soon_as_it_allows(play):
    async def scenario(world):
        await world.start_tracker()
        hybrid, world.content = make_torrent("hybrid", SIZES)
        world.metainfo = hybrid
        options = TorrentOptions(trackers=(("http://10.0.0.1:6969/announce",),))
        seed = await world.add_peer("seed", seeding=True, options=options, settings=Settings(limit_up=200))
        fetcher = await add_fetcher(world)
        magnet = link(hybrid, hashes=("v1",), peers=[seed.address])
        torrent = await fetcher.session.add(magnet, options)
        await asyncio.sleep(120)
        assert len(torrent.info_hashes) == 2
        # Somebody who knows the version 2 hash alone learns from the tracker of both.
        other = await add_fetcher(world)
        found = await other.session.add(link(hybrid, hashes=("v2",)), options)
        await asyncio.sleep(5)
        assert {fetcher.address, seed.address} <= set(found.peer_list._peers)

    play(scenario, announce="http")
