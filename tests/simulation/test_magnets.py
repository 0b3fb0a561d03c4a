"""Torrents added by a magnet link alone: from the link to every byte, and what is never said of private ones."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.encryption import Encryption
from p2p.session.event_bus import EventKind
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, sim_environment
from p2p.swarm.peer_list import PeerSource
from p2p.wire.connection import Connection

SETTINGS = Settings(port=PEER_PORT, bind=("0.0.0.0",), encryption=Encryption.OFF, dht=False, local_discovery=False)


async def fetcher(world, *, settings=SETTINGS):
    """A session that knows nothing, and where its content will be."""
    disks = []

    def make_storage(layout):
        disks.append(SimDisk(layout, None, DiskKnobs()))
        return disks[-1]

    environment = sim_environment(world.add_host(), world.new_rng(), make_storage)
    return await world.stack.enter_async_context(Session(settings, environment=environment)), disks


def as_private(metainfo):
    """The torrent that differs in nothing but that it is private (BEP 27)."""
    return Metainfo.from_info(metainfo.info_bytes[:-1] + b"7:privatei1ee")


@pytest.mark.parametrize("hashes", ["link", "str"])
def test_a_link_alone_is_enough(play, hashes):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        session, disks = await fetcher(world)
        magnet = replace(Magnet.from_metainfo(world.metainfo), peers=((seed.host.addresses[0], PEER_PORT),))
        with session.events.subscribe() as events:
            torrent = await session.add(magnet.uri() if hashes == "str" else magnet)
            before = torrent.snapshot()
            assert not before.complete
            assert (before.name, before.progress, before.piece_count) == ("content", 0.0, 0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert torrent.snapshot().state is TorrentState.METADATA
            async with asyncio.timeout(60):
                await torrent.completed()
            kinds = [event.kind for event in events.take()]
        assert kinds == [EventKind.ADDED, EventKind.METADATA, EventKind.CHECKING, EventKind.COMPLETE]
        assert torrent.snapshot().complete
        assert disks[0].content == world.content
        assert torrent.exchange.downloaded == world.metainfo.total_size
        assert torrent.metainfo.info_bytes == world.metainfo.info_bytes

    play(scenario)


def test_a_link_fetches_from_a_tracker_and_only_the_chosen_files(play):
    async def scenario(world):
        await world.start_tracker()
        await world.add_peer("seed", seeding=True)
        session, _ = await fetcher(world)
        magnet = replace(Magnet.from_metainfo(world.metainfo), select_only=(1,))
        torrent = await session.add(magnet)
        async with asyncio.timeout(60):
            await torrent.completed()
        assert torrent.snapshot().wanted_size == 3 << 16
        assert [bool(priority) for priority in torrent.file_priorities] == [False, True]

    play(scenario, files=[(("a",), 4 << 16), (("b",), 3 << 16)], announce="http")


def test_stopping_while_metadata_is_fetched_is_no_error(play):
    async def scenario(world):
        session, disks = await fetcher(world)
        torrent = await session.add(Magnet.from_metainfo(world.metainfo))
        await asyncio.sleep(30)
        assert torrent.state is TorrentState.METADATA
        await torrent.stop()
        assert torrent.state is TorrentState.STOPPED
        assert torrent.failure is None
        assert not torrent.snapshot().complete
        assert disks == []

    play(scenario)


def test_fetchers_of_one_link_help_each_other(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=200_000))
        magnet = Magnet.from_metainfo(world.metainfo)
        torrents = []
        for _ in range(3):
            session, _ = await fetcher(world)
            torrents.append(await session.add(magnet, TorrentOptions(peers=(seed.address,))))
        async with asyncio.timeout(100):
            for torrent in torrents:
                await torrent.completed()
        assert sum(torrent.snapshot().session_uploaded for torrent in torrents) > 0  # they met by peer exchange
        assert any(
            torrent.peer_list.source_of(address) is PeerSource.PEX
            for torrent in torrents
            for address in torrent.peer_list._peers
        )

    play(scenario, size=2 << 20)


def test_a_private_torrent_says_nothing_of_peers(play, monkeypatch):
    """Every extension message on the wire is looked at."""
    said, offered = [], []
    send, greet = Connection.send_extension, Connection.send_extension_handshake

    def send_extension(wire, name, payload):
        said.append(name)
        send(wire, name, payload)

    def send_handshake(wire, handshake):
        offered.append(handshake.messages.get("ut_pex"))
        greet(wire, handshake)

    monkeypatch.setattr(Connection, "send_extension", send_extension)
    monkeypatch.setattr(Connection, "send_extension_handshake", send_handshake)

    async def scenario(world):
        world.metainfo = as_private(world.metainfo)
        assert world.metainfo.private
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=20_000))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        session, _ = await fetcher(world)
        torrent = await session.add(
            Magnet.from_metainfo(world.metainfo), TorrentOptions(peers=(seed.address, leecher.address))
        )
        async with asyncio.timeout(600):
            await torrent.completed()
        assert torrent.private
        assert "ut_pex" not in said
        # The fetcher cannot know at first, and takes its offer back as soon as it does.
        assert offered.count(2) <= 2
        assert 0 in offered
        torrent.add_peers([leecher.address], PeerSource.PEX)
        assert torrent.peer_list.source_of(leecher.address) is PeerSource.MANUAL

    play(scenario)
