"""The network of a session changes while it runs: ways to find peers, refusals, limits, ports, an interface."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.metainfo import Metainfo
from p2p.net.bound_network import BoundNetwork
from p2p.net.interface_binding import InterfaceBinding
from p2p.session.blocklist import Blocklist, parse
from p2p.session.session import Session
from p2p.session.session_network import LOOK_INTERVAL
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, sim_environment
from p2p.swarm.announce import MIN_WAIT
from p2p.swarm.peer_list import PeerSource


async def until(condition, within=60.0):
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.1)


def hosts_of(torrent):
    return sorted(peer.address.host for peer in torrent.connected_peers)


def by(*others):
    """Slow, and with these as peers."""
    return TorrentOptions(peers=tuple(other.address for other in others), limit_down=1_000.0)


def private(world):
    """The world's content as a private torrent."""
    plan = CreationPlan("content", [((), world.metainfo.total_size)], version="1", piece_length=1 << 16)
    hashes = [hash_job(job, [world.content[job.index]]) for job in plan.jobs()]
    return Metainfo.from_bytes(plan.finish(hashes, private=True, envelope=Envelope()))


# -- the DHT


def test_the_dht_is_used_by_running_torrents_once_it_is_on_and_by_none_once_it_is_off(play):
    async def scenario(world):
        router = await world.add_peer("router", bootstrap=())
        names = ((router.host.addresses[0], PEER_PORT),)
        seed = await world.add_peer("seed", seeding=True, bootstrap=names)
        late = await world.add_peer("late", settings=Settings(limit_down=300.0))
        await asyncio.sleep(60)
        assert late.torrent.connected_peers == []
        late.session._open.settings = replace(late.session.settings, bootstrap=names)
        await late.session.network.set_dht(wanted=True)
        await until(lambda: seed.host.addresses[0] in hosts_of(late.torrent), 300)
        assert late.torrent.snapshot().sources == (("dht", len(late.torrent.connected_peers)),)
        await late.session.network.set_dht(wanted=False)
        assert late.session.dht is None
        assert late.host.sockets == {}
        late.torrent.reannounce()
        await asyncio.sleep(1_200)
        assert late.host.sockets == {}
        await late.session.network.set_dht(wanted=True)
        await asyncio.wait_for(late.session.dht.ready(), 60)
        late.session.set_limits(down=None, up=None)
        await world.completed([late], 600)

    play(scenario, until=10_000.0)


def test_the_dht_node_moves_with_the_port_and_keeps_its_table(play):
    async def scenario(world):
        router = await world.add_peer("router", bootstrap=())
        names = ((router.host.addresses[0], PEER_PORT),)
        seed = await world.add_peer("seed", seeding=True, bootstrap=names)
        await until(lambda: seed.session.dht.is_ready, 120)
        node, [before] = seed.session.dht, seed.session.dht.snapshot().families
        assert before.good
        await seed.session.set_port(7000)
        assert seed.session.dht is node
        assert node.port == 7000
        [after] = node.snapshot().families
        assert (after.node_id, after.good) == (before.node_id, before.good)
        leecher = await world.add_peer("leecher", bootstrap=names)
        await world.completed([leecher], 600)
        assert all(peer.listens_at.port == 7000 for peer in leecher.torrent.connected_peers if peer.listens_at)

    play(scenario, until=10_000.0)


# -- local discovery and peer exchange


def test_local_discovery_begins_and_ends_in_running_torrents(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, local_discovery=True)
        late = await world.add_peer("late", settings=Settings(limit_down=10_000.0))
        await asyncio.sleep(60)
        assert late.torrent.connected_peers == []
        await late.session.network.set_local_discovery(wanted=True)
        await until(lambda: late.torrent.connected_peers, 600)
        await late.session.network.set_local_discovery(wanted=False)
        await seed.session.network.set_local_discovery(wanted=False)
        third = await world.add_peer("third", local_discovery=True)
        await asyncio.sleep(900)
        assert third.torrent.connected_peers == []
        await world.completed([late], 600)

    play(scenario, until=10_000.0)


def test_peer_exchange_is_taken_back_and_offered_again(play):
    async def scenario(world):
        slow = Settings(limit_down=1_000.0)
        seed = await world.add_peer("seed", seeding=True)
        first = await world.add_peer("first", settings=slow, options=by(seed))
        second = await world.add_peer("second", settings=slow, options=by(seed))
        seed.session.network.set_peer_exchange(wanted=False)
        await asyncio.sleep(180)
        assert hosts_of(first.torrent) == hosts_of(second.torrent) == seed.host.addresses
        seed.session.network.set_peer_exchange(wanted=True)
        await until(lambda: len(first.torrent.connected_peers) == 2, 300)
        assert second.host.addresses[0] in hosts_of(first.torrent)

    play(scenario)


def test_a_private_torrent_takes_part_in_nothing_that_is_turned_on(play):
    async def scenario(world):
        world.metainfo = private(world)
        router = await world.add_peer("router", bootstrap=(), local_discovery=True)
        names = ((router.host.addresses[0], PEER_PORT),)
        quiet = Settings(peer_exchange=False, limit_down=1_000.0)
        one = await world.add_peer("one", seeding=True, settings=quiet)
        two = await world.add_peer("two", settings=quiet, options=by(one))
        for peer in (one, two):
            peer.session._open.settings = replace(peer.session.settings, bootstrap=names)
            await peer.session.network.set_dht(wanted=True)
            await peer.session.network.set_local_discovery(wanted=True)
            peer.session.network.set_peer_exchange(wanted=True)
        await asyncio.sleep(600)
        assert router.torrent.connected_peers == []
        assert hosts_of(two.torrent) == one.host.addresses
        assert [name for peer in two.torrent.connected_peers for name in peer.wire.peer_extension.messages] == [
            "ut_metadata"
        ]

    play(scenario)


# -- refusals and limits


def test_who_is_on_the_blocklist_goes_and_is_neither_called_nor_taken(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        other = await world.add_peer("other", seeding=True)
        leecher = await world.add_peer("leecher", options=by(seed, other))
        await until(lambda: len(leecher.torrent.connected_peers) == 2)
        refused = parse(f"x:{seed.host.addresses[0]}-{seed.host.addresses[0]}".encode())
        leecher.session.network.set_blocklist(refused)
        await until(lambda: hosts_of(leecher.torrent) == other.host.addresses, 5)
        for source in PeerSource:
            leecher.torrent.add_peers([seed.address], source)
        assert seed.address not in leecher.torrent.peer_list
        seed.torrent.add_peers([leecher.address], PeerSource.MANUAL)
        await asyncio.sleep(60)
        assert hosts_of(leecher.torrent) == other.host.addresses
        leecher.session.network.set_blocklist(Blocklist())
        seed.torrent.add_peers([leecher.address], PeerSource.MANUAL)
        await until(lambda: seed.host.addresses[0] in hosts_of(leecher.torrent), 120)

    play(scenario)


def test_dht_nodes_on_the_blocklist_are_not_spoken_to(play):
    async def scenario(world):
        router = await world.add_peer("router", bootstrap=())
        place = (router.host.addresses[0], PEER_PORT)
        lonely = await world.add_peer("lonely", bootstrap=())
        lonely.session.network.set_blocklist(parse(f"{place[0]}/32".encode()))
        lonely.session.dht.add_bootstrap(*place)
        router.session.dht.add_bootstrap(lonely.host.addresses[0], PEER_PORT)
        await asyncio.sleep(300)
        assert not lonely.session.dht.is_ready
        assert not router.session.dht.is_ready
        lonely.session.network.set_blocklist(Blocklist())
        router.session.dht.add_node(Address(lonely.host.addresses[0], PEER_PORT))
        await until(lambda: lonely.session.dht.snapshot().families[0].good, 300)

    play(scenario)


def test_limits_of_peers_hold_at_once(play):
    async def scenario(world):
        seeds = [await world.add_peer(f"seed{number}", seeding=True) for number in range(4)]
        leecher = await world.add_peer("leecher", options=by(*seeds))
        await until(lambda: len(leecher.torrent.connected_peers) == 4)
        leecher.torrent.set_peer_limit(3)
        await until(lambda: len(leecher.torrent.connected_peers) == 3, 5)
        leecher.session.network.set_max_connections_per_torrent(1)
        await asyncio.sleep(30)
        assert len(leecher.torrent.connected_peers) == 3
        leecher.session.set_max_connections(2)
        await until(lambda: len(leecher.torrent.connected_peers) == 2, 5)
        leecher.torrent.set_peer_limit(None)
        await until(lambda: len(leecher.torrent.connected_peers) == 1, 5)
        leecher.session.set_max_connections(50)
        leecher.session.network.set_max_connections_per_torrent(50)
        await until(lambda: len(leecher.torrent.connected_peers) == 4, 120)

    play(scenario)


def test_a_changed_port_is_announced_as_early_as_the_tracker_allows(play):
    async def scenario(world):
        ports = []
        await world.start_tracker(tell=lambda word, **facts: ports.append(facts["port"]))
        seed = await world.add_peer("seed", seeding=True)
        await until(lambda: ports)
        await seed.session.set_port(7000)  # while the first announce is under way
        await until(lambda: ports == [PEER_PORT, 7000], MIN_WAIT + 5)
        leecher = await world.add_peer("leecher")
        await world.completed([leecher], 300)

    play(scenario, announce="udp")


# -- an interface


class Tunnel:
    """A session held to an interface whose address the test gives and takes."""

    def __init__(self, world, host):
        self.hosts = []
        self._host = host
        self.binding = InterfaceBinding("tun0", lambda _: self.hosts)
        environment = sim_environment(host, world.new_rng(), lambda layout: SimDisk(layout, None, DiskKnobs()))

        async def look_up(host, port):
            raise NetworkError("no names here")

        network = BoundNetwork(host.network, self.binding, look_up)
        self.environment = replace(environment, network=network, interface=self.binding)
        self.settings = Settings(
            port=PEER_PORT, bind=("0.0.0.0",), interface="tun0", dht=True, bootstrap=(), local_discovery=True
        )

    def up(self):
        self.hosts[:] = self._host.addresses

    def down(self):
        self.hosts.clear()


def test_nothing_goes_out_while_the_interface_has_no_address_and_all_begins_when_it_has(play):
    async def scenario(world):
        await world.start_tracker()
        seed = await world.add_peer("seed", seeding=True)
        host = world.add_host()
        tunnel = Tunnel(world, host)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(Session(tunnel.settings, environment=tunnel.environment))
            torrent = await session.add(world.metainfo, TorrentOptions(peers=(seed.address,)))
            await asyncio.sleep(120)
            why = "the interface tun0 has no address"
            assert session.network.facts.obstacle == torrent.snapshot().message == why
            assert torrent.snapshot().trackers[0].error == f"cannot send to 10.0.0.1: {why}"
            assert host.listeners == host.sockets == {}
            assert seed.torrent.connected_peers == []
            tunnel.up()
            await asyncio.wait_for(torrent.completed(), 120)
            assert session.network.facts.obstacle is None
            assert session.network.facts.addresses == tuple(host.addresses)
            assert session.port == PEER_PORT
            assert torrent.snapshot().message is None
            assert session.dht is not None
            tunnel.down()
            await asyncio.sleep(LOOK_INTERVAL + 1)
            assert host.listeners == host.sockets == {}
            assert torrent.connected_peers == []
            assert session.dht is None
            assert torrent.snapshot().message == why
            tunnel.up()
            await asyncio.sleep(LOOK_INTERVAL + 1)
            assert session.port == PEER_PORT
            leecher = await world.add_peer(
                "leecher", options=TorrentOptions(peers=(Address(host.addresses[0], PEER_PORT),))
            )
            await seed.leave()
            await world.completed([leecher], 300)

    play(scenario, announce="udp", until=10_000.0)
