"""Peers find each other by the DHT alone, torrents and peers name nodes, and a private torrent has no part in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.session.dht_announcer import ALONE_INTERVAL, INTERVAL
from p2p.session.environment import real_environment
from p2p.session.session import Session
from p2p.session.settings import WELL_KNOWN_ROUTERS, Settings, TorrentOptions
from p2p.simulation.sim_network import SimDatagrams
from p2p.simulation.world import PEER_PORT, TRACKER

ROUTER = "router.example"


async def first_node(world):
    """A session that knows nobody, and by whom the others join."""
    first = await world.add_peer("first", bootstrap=())
    return first, [(first.host.addresses[0], PEER_PORT)]


@pytest.fixture
def sent(monkeypatch):
    """Every datagram that anybody sends."""
    sent = []
    send = SimDatagrams.send

    def record(datagrams, datagram, remote):
        sent.append(bytes(datagram))
        send(datagrams, datagram, remote)

    monkeypatch.setattr(SimDatagrams, "send", record)
    return sent


def make_private(world):
    """The world's content as a private torrent, which names a node and a tracker."""
    size = world.metainfo.total_size
    plan = CreationPlan("content", [((), size)], version="1", piece_length=world.metainfo.piece_length)
    hashes = [hash_job(job, [world.content[job.index]]) for job in plan.jobs()]
    envelope = Envelope(trackers=((f"http://{TRACKER}/announce",),), nodes=((ROUTER, PEER_PORT),))
    world.metainfo = Metainfo.from_bytes(plan.finish(hashes, private=True, envelope=envelope))


def test_a_swarm_without_a_tracker_comes_together(play):
    async def scenario(world):
        first, bootstrap = await first_node(world)
        slow = Settings(peer_exchange=False, limit_up=20_000)
        await world.add_peer("seed", seeding=True, bootstrap=bootstrap, settings=slow)
        names = [f"leecher-{number}" for number in range(9)]
        others = [await world.add_peer(name, bootstrap=bootstrap, settings=slow) for name in names]
        await asyncio.sleep(15)
        found = [peer.source for each in world.peers for peer in each.torrent.snapshot().peers]
        assert set(found) == {"dht", "incoming"}
        assert len(found) >= 2 * len(others)
        await world.completed([first, *others], within=300)
        assert all(world.holds(peer) for peer in [first, *others])

    play(scenario, size=200_000, piece_length=16 << 10)


def test_who_comes_late_is_found_by_who_waits(play):
    async def scenario(world):
        leecher, bootstrap = await first_node(world)
        await asyncio.sleep(1_000)
        await world.add_peer("seed", seeding=True, bootstrap=bootstrap)
        await world.completed([leecher], within=ALONE_INTERVAL + 30)

    play(scenario, size=100_000)


def test_a_torrent_names_a_node_and_peers_tell_of_theirs(play):
    async def scenario(world):
        world.internet.name(ROUTER, "10.1.0.1")
        world.metainfo = replace(world.metainfo, nodes=((ROUTER, PEER_PORT),))
        await first_node(world)
        seed = await world.add_peer("seed", seeding=True, bootstrap=())
        told = await world.add_peer("told", bootstrap=())
        await world.completed([told], within=60)
        world.metainfo = replace(world.metainfo, nodes=())
        alone = await world.add_peer("alone", bootstrap=(), options=TorrentOptions(peers=(seed.address,)))
        await asyncio.wait_for(alone.session.dht.ready(), 30)

    play(scenario, size=100_000)


def test_a_private_torrent_says_nothing_to_the_dht(play, sent):
    async def scenario(world):
        world.internet.name(ROUTER, "10.1.0.1")
        make_private(world)
        await world.start_tracker()
        first, bootstrap = await first_node(world)
        await world.add_peer("seed", seeding=True, bootstrap=bootstrap)
        greetings = []
        leecher = await world.add_peer("leecher", bootstrap=bootstrap)
        for peer in world.peers:
            peer.session.dht.add_node = greetings.append
        await world.completed([first, leecher], within=60)
        await asyncio.sleep(2 * INTERVAL)
        assert any(b"find_node" in datagram for datagram in sent)
        info_hash = world.metainfo.info_hash_v1
        assert [datagram for datagram in sent if info_hash in datagram] == []
        assert greetings == []
        for peer in world.peers:
            assert not peer.torrent._members.greeting.handshake(info_hash).dht
            assert peer.session.dht.snapshot().families[0].hashes == ()

    play(scenario, size=100_000, until=7_200)


def test_a_node_takes_another_port_where_its_own_is_taken(play):
    async def scenario(world):
        host = world.add_host()
        taken = await host.network.open_datagrams(Address(host.addresses[0], PEER_PORT), lambda *_: None)
        peer = await world.add_peer("peer", host=host, bootstrap=())
        assert peer.session.dht.port not in {0, PEER_PORT}
        taken.close()

    play(scenario)


def test_a_session_on_loopback_alone_asks_for_no_public_router():
    asked = []

    class Listening(AsyncioNetwork):
        async def resolve(self, host, port):
            asked.append(host)
            raise NetworkError("nobody is asked in a test")

    async def session(bind, bootstrap):
        environment = replace(real_environment(hash_workers=1, open_files=8), network=Listening())
        settings = Settings(bind=(bind,), bootstrap=bootstrap, local_discovery=False)
        async with Session(settings, environment=environment) as running:
            assert running.dht is not None
            await asyncio.sleep(0.01)
        await environment.http.close()
        await environment.hasher.close()

    asyncio.run(session("127.0.0.1", WELL_KNOWN_ROUTERS))
    assert asked == []
    asyncio.run(session("127.0.0.1", (("router.example", 1),)))
    assert asked == ["router.example"]
