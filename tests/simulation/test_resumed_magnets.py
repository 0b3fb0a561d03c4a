"""Links that are added again: metadata is kept, so nobody has to be asked for it, whatever ended the run before."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from magnet_sessions import PIECE, SETTINGS, add_fetcher, as_version_1, link, make_torrent

from p2p.errors import StarlingError
from p2p.metainfo.metainfo import Metainfo
from p2p.session.metadata_fetch import LAYER_PATIENCE
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.swarm.peer_list import PeerSource
from p2p.wire.connection import Connection
from p2p.wire.messages import encode_port

STINGY = Settings(limit_up=0)
"""Metadata is given outside of the upload limit, so a seed that may upload nothing gives that and no piece."""

ALL = ("1", "2", "hybrid", "hybrid as 1")


def torrent_of(world, version):
    """Sets the world's torrent; returns the link's."""
    whole, world.content = make_torrent(version.split()[0], (20 * PIECE, 5))
    world.metainfo = as_version_1(whole) if version.endswith("as 1") else whole
    return whole


@pytest.mark.parametrize("version", ALL)
def test_a_link_that_is_added_again_needs_nobody_to_know_its_torrent(play, tmp_path, version):
    """The first run had no piece; in the second there is nobody at all, and then a peer that gives no metadata."""

    async def scenario(world):
        whole = torrent_of(world, version)
        magnet = link(whole)
        seed = await world.add_peer("seed", seeding=True, settings=STINGY)
        settings = replace(SETTINGS, state_dir=tmp_path)
        before = await add_fetcher(world, settings=settings)
        torrent = await before.session.add(magnet, TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(LAYER_PATIENCE + 5)
        assert torrent.snapshot().metadata_progress == 1.0
        assert torrent.snapshot().pieces_had == 0
        await before.session.__aexit__(None, None, None)

        again = await add_fetcher(world, settings=settings)
        torrent = await again.session.add(replace(magnet, trackers=("http://10.9.9.9/announce",)))
        assert torrent.metainfo.info_bytes == whole.info_bytes
        assert torrent.metainfo.piece_layers == world.metainfo.piece_layers
        assert torrent.metainfo.trackers == (("http://10.9.9.9/announce",),)
        await asyncio.sleep(5)
        assert torrent.state is TorrentState.DOWNLOADING
        seed.session.set_limits(down=None, up=None)
        torrent.add_peers([seed.address], PeerSource.MANUAL)
        async with asyncio.timeout(30):
            await torrent.completed()
        assert again.disks[0].content == world.content

    play(scenario)


def test_the_peers_that_the_link_names_are_tried_though_nothing_is_fetched(play, tmp_path):
    async def scenario(world):
        whole = torrent_of(world, "1")
        seed = await world.add_peer("seed", seeding=True)
        magnet = link(whole, peers=[seed.address])
        settings = replace(SETTINGS, state_dir=tmp_path)
        for _ in range(2):
            fetcher = await add_fetcher(world, settings=settings)
            torrent = await fetcher.session.add(magnet)
            async with asyncio.timeout(30):
                await torrent.completed()
            await fetcher.session.__aexit__(None, None, None)
            for record in (tmp_path / "resume").iterdir():
                record.unlink()

    play(scenario)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_kept_metadata_that_is_cut_or_another_torrents_is_fetched_again(play, tmp_path, cut):
    async def scenario(world):
        whole = torrent_of(world, "hybrid")
        seed = await world.add_peer("seed", seeding=True)
        other, _ = make_torrent("1", (PIECE,))
        settings = replace(SETTINGS, state_dir=tmp_path)
        (tmp_path / "metadata").mkdir()
        for name in whole.wire_info_hashes():
            (tmp_path / "metadata" / f"{name.hex()}.torrent").write_bytes(whole.raw[:cut] if cut else other.raw)
        fetcher = await add_fetcher(world, settings=settings)
        torrent = await fetcher.session.add(link(whole, peers=[seed.address]))
        assert torrent.metainfo is None
        async with asyncio.timeout(30):
            await torrent.completed()
        for name in whole.wire_info_hashes():
            kept = Metainfo.from_bytes((tmp_path / "metadata" / f"{name.hex()}.torrent").read_bytes())
            assert kept.info_bytes == whole.info_bytes

    play(scenario)


def test_where_metadata_cannot_be_kept_the_download_goes_on(play, tmp_path):
    async def scenario(world):
        whole = torrent_of(world, "1")
        seed = await world.add_peer("seed", seeding=True)
        (tmp_path / "metadata").write_text("a file where the folder should be")
        fetcher = await add_fetcher(world, settings=replace(SETTINGS, state_dir=tmp_path))
        torrent = await fetcher.session.add(link(whole, peers=[seed.address]))
        async with asyncio.timeout(30):
            await torrent.completed()

    play(scenario)


def test_the_same_link_twice_is_refused_though_one_has_metadata(play, tmp_path):
    async def scenario(world):
        whole = torrent_of(world, "hybrid")
        seed = await world.add_peer("seed", seeding=True)
        fetcher = await add_fetcher(world, settings=replace(SETTINGS, state_dir=tmp_path))
        torrent = await fetcher.session.add(link(whole, peers=[seed.address]))
        async with asyncio.timeout(30):
            await torrent.completed()
        for hashes in (("v1",), ("v2",)):
            with pytest.raises(StarlingError, match="in this session already"):
                await fetcher.session.add(link(whole, hashes=hashes))

    play(scenario)


def test_pieces_that_were_there_before_the_metadata_are_told_to_who_was_connected_before(play):
    """Half of the content lies on the disk of a fetcher without a record; a leecher is connected while it fetches."""

    async def scenario(world):
        whole = torrent_of(world, "1")
        half = {piece: data for piece, data in world.content.items() if piece % 2}
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(latency=0.5))
        leecher = await world.add_peer("leecher", settings=Settings(peer_exchange=False))
        fetcher = await add_fetcher(world, content=half, settings=replace(SETTINGS, peer_exchange=False))
        torrent = await fetcher.session.add(link(whole), TorrentOptions(peers=(leecher.address,)))
        await asyncio.sleep(10)
        assert torrent.metainfo is None or torrent.snapshot().pieces_had == len(half)
        torrent.add_peers([seed.address], PeerSource.MANUAL)
        async with asyncio.timeout(60):
            await torrent.completed()
            await leecher.torrent.completed()
        assert world.holds(leecher)
        missing = whole.total_size - sum(map(len, half.values()))
        assert missing <= torrent.snapshot().session_downloaded < missing + 5 * PIECE
        # The leecher knows of nobody else, so all that it has came over the connection that was there before.
        assert leecher.torrent.snapshot().session_downloaded == whole.total_size

    play(scenario)


@pytest.mark.parametrize("port", [6881, 0])
def test_where_a_peer_has_its_node_is_heard_while_metadata_is_fetched(play, monkeypatch, port):
    """The seed tells of its node once, as it greets, and is not told of the fetcher's."""
    monkeypatch.setattr(
        Connection, "send_port", lambda connection, _: connection._outbox.add_control(encode_port(port))
    )

    async def scenario(world):
        whole = torrent_of(world, "1")
        seed = await world.add_peer("seed", seeding=True, bootstrap=())
        fetcher = await add_fetcher(world, settings=replace(SETTINGS, dht=True, bootstrap=()))
        torrent = await fetcher.session.add(link(whole, peers=[seed.address]))
        while not torrent.connected_peers and torrent.current_run is None:
            await asyncio.sleep(0)
        torrent._members._dht.greet = lambda _: None
        async with asyncio.timeout(30):
            await torrent.completed()
        await asyncio.sleep(10)
        assert fetcher.session.dht.is_ready == (port != 0)

    play(scenario)
