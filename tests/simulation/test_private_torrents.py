"""Private torrents on the wire (BEP 27): every byte that crosses the network is looked at for DHT, PEX and LSD.

Each scenario is played twice, with the private torrent and with a public twin that differs in nothing else: that all of
it is found there shows that it would be found here.
"""

from __future__ import annotations

import asyncio
import math

import pytest

from p2p.codec import bencode, lsd
from p2p.ids import PeerId
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.dht_announcer import INTERVAL
from p2p.session.dht_service import DhtService
from p2p.session.encryption import Encryption
from p2p.session.event_bus import EventKind
from p2p.session.extensions import OUR_PEX_ID
from p2p.session.session import Session
from p2p.session.settings import Settings
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import PEER_PORT, TRACKER, sim_environment
from p2p.wire.handshake import HANDSHAKE_SIZE

PORT, EXTENDED = 9, 20
SIGNS = {"DHT bit", "port message", "hash in the DHT", "PEX offer", "PEX", "LSD"}
CROSSING = 0.05
"""Seconds that anything in this network is under way at most; each host is 0.02 s from its middle."""

TWINS = pytest.mark.parametrize("private", [True, False], ids=["private", "public"])


class Line:
    """One direction of a connection between peers."""

    def __init__(self):
        self.buffer = bytearray()
        self.shaken = False

    def signs(self, payload):
        self.buffer += payload
        if not self.shaken:
            if len(self.buffer) < HANDSHAKE_SIZE:
                return
            self.shaken = True
            if self.buffer[27] & 1:
                yield "DHT bit"
            del self.buffer[:HANDSHAKE_SIZE]
        while len(self.buffer) >= 4 and len(self.buffer) >= (end := 4 + int.from_bytes(self.buffer[:4], "big")):
            message = bytes(self.buffer[4:end])
            del self.buffer[:end]
            if message[:1] == bytes([PORT]):
                yield "port message"
            elif message[:2] == bytes([EXTENDED, 0]) and bencode.decode(message[2:])[b"m"].get(b"ut_pex"):
                yield "PEX offer"
            elif message[:2] == bytes([EXTENDED, OUR_PEX_ID]):
                yield "PEX"


class Wire:
    """A trace that notes signs of finding peers beside trackers: when it arrived, what it was, and from which host."""

    def __init__(self, info_hash):
        self.info_hash = info_hash
        self.found = []
        self._lines = {}

    def __call__(self, time, kind, source, target, payload):
        if TRACKER in (source, target):
            return
        if kind in {"connect", "bytes"}:
            line = self._lines.setdefault((source, target), Line())
            signs = line.signs(bytes(payload)) if kind == "bytes" else ()
        elif target.host == lsd.GROUP.host:
            signs = ["LSD"] if self.info_hash.hex().encode() in bytes(payload).lower() else []
        else:
            signs = ["hash in the DHT"] if self.info_hash in bytes(payload) else []
        self.found += [(time, sign, source.host) for sign in signs]

    def seen(self, *, since=0.0, until=math.inf, host=None):
        return {sign for time, sign, by in self.found if since <= time < until and host in (None, by)}


def watch(world, *, private):
    """Make the world's torrent one that has a tracker, private or not, and watch it."""
    plan = CreationPlan(
        "content", [((), world.metainfo.total_size)], version="1", piece_length=world.metainfo.piece_length
    )
    hashes = [hash_job(job, [world.content[job.index]]) for job in plan.jobs()]
    envelope = Envelope(trackers=((f"http://{TRACKER}/announce",),))
    world.metainfo = Metainfo.from_bytes(plan.finish(hashes, private=private, envelope=envelope))
    world.internet.trace = Wire(world.metainfo.info_hash_v1)
    return world.internet.trace


@TWINS
def test_a_private_torrent_uses_none_of_dht_pex_and_lsd(play, private):
    async def scenario(world):
        wire = watch(world, private=private)
        await world.start_tracker()
        first = await world.add_peer("first", bootstrap=(), local_discovery=True)
        everything = {"bootstrap": [(first.host.addresses[0], PEER_PORT)], "local_discovery": True}
        await world.add_peer("seed", seeding=True, settings=Settings(limit_up=40_000), **everything)
        leechers = [await world.add_peer(f"leecher-{number}", **everything) for number in range(3)]
        await world.completed([first, *leechers], within=300)
        await asyncio.sleep(2 * INTERVAL)
        assert all(world.holds(peer) for peer in leechers)
        assert wire.seen() == (set() if private else SIGNS)

    play(scenario, size=200_000, piece_length=16 << 10, until=7_200)


async def say_nothing(line):
    """Shake hands, and listen."""
    theirs = await line.receive_handshake()
    await line.shake(theirs.info_hash, PeerId(str(line.stream.local).encode().ljust(20)))
    while True:
        await line.receive()


class Acquaintances:
    """Peers of no tracker: one nearby, one in the DHT, and one nearby that answers after `at_last` only."""

    def __init__(self, world, info_hash):
        self._world = world
        self._info_hash = info_hash
        self.at_last = asyncio.Event()
        self.near, self.late, self.far = (self._peer(say) for say in (say_nothing, self._answer_late, say_nothing))

    def _peer(self, script):
        return ScriptedPeer(self._world.add_host(), PEER_PORT, script)

    async def _answer_late(self, line):
        await self.at_last.wait()
        await say_nothing(line)

    async def begin(self, router):
        """Listen, and be found from now on."""
        world = self._world
        for peer in (self.near, self.late, self.far):
            await world.stack.enter_async_context(peer)
        dht = DhtService(
            self.far._host.network,
            rng=world.new_rng(),
            secret=bytes(16),
            port=PEER_PORT,
            bind=("0.0.0.0",),
            bootstrap=[router],
        )
        await world.stack.enter_async_context(dht)
        assert (await dht.announce(self._info_hash, PEER_PORT)).stored

    async def call_out(self):
        """Announce the two that are near."""
        for peer in (self.near, self.late):
            member = await peer._host.network.open_multicast(lsd.GROUP, lambda *_: None)
            member.send(lsd.encode(lsd.GROUP, lsd.LocalAnnounce(PEER_PORT, (self._info_hash,))), lsd.GROUP)
            member.close()


async def fetcher(world, router):
    """A session with everything on, which knows nothing."""
    disks = []

    def make_storage(layout):
        disks.append(SimDisk(layout, None, DiskKnobs()))
        return disks[-1]

    settings = Settings(
        port=PEER_PORT,
        bind=("0.0.0.0",),
        encryption=Encryption.OFF,
        bootstrap=[router],
        local_discovery=True,
    )
    host = world.add_host()
    environment = sim_environment(host, world.new_rng(), make_storage)
    return host, await world.stack.enter_async_context(Session(settings, environment=environment)), disks


@TWINS
def test_a_link_that_turns_out_private_stops_all_three_and_drops_whom_they_found(play, private):
    async def scenario(world):
        loop = asyncio.get_running_loop()
        wire = watch(world, private=private)
        info_hash = world.metainfo.info_hash_v1
        await world.start_tracker()
        seed = await world.add_peer("seed", seeding=True)
        router_host = world.add_host()
        node = DhtService(router_host.network, rng=world.new_rng(), secret=bytes(16), port=PEER_PORT, bind=("0.0.0.0",))
        await world.stack.enter_async_context(node)
        router = (router_host.addresses[0], PEER_PORT)
        others = Acquaintances(world, info_hash)
        await others.begin(router)

        host, session, disks = await fetcher(world, router)
        here = host.addresses[0]
        world.internet.partition([seed.host], [host])
        with session.events.subscribe() as events:
            torrent = await session.add(Magnet.from_metainfo(world.metainfo))
            await asyncio.sleep(1)
            await others.call_out()
            async with asyncio.timeout(100):
                while not (others.near.connections and others.far.connections and others.late.connections):
                    await asyncio.sleep(0.1)
            await asyncio.sleep(1)
            connected = {peer.address.host: peer.source.value for peer in torrent.connected_peers}
            assert connected == {others.near.address.host: "lsd", others.far.address.host: "dht"}
            world.internet.heal()
            async with asyncio.timeout(200):
                while not any(event.kind is EventKind.METADATA for event in events.take()):
                    await events.ready()
        others.at_last.set()
        known = loop.time()
        assert {"DHT bit", "hash in the DHT", "LSD"} <= wire.seen(until=known, host=here)
        async with asyncio.timeout(60):
            await torrent.completed()
        assert disks[0].content == world.content
        strangers = {peer.address.host for peer in (others.near, others.late, others.far)}
        await asyncio.sleep(1)
        left = strangers & {peer.address.host for peer in torrent.connected_peers}
        assert left == (set() if private else strangers)

        await others.call_out()
        await asyncio.sleep(2 * INTERVAL)
        after = wire.seen(since=known + CROSSING, host=here)
        if private:
            assert after == set()
            assert [peer.connections for peer in (others.near, others.late, others.far)] == [1, 1, 1]
            assert len(torrent.peer_list) == 1
            assert seed.address in torrent.peer_list
        else:
            assert {"hash in the DHT", "LSD"} <= after

    play(scenario, size=200_000, piece_length=16 << 10, until=7_200)
