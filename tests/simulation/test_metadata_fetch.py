"""Metadata from production seeds beside bad peers, in virtual time, and what becomes of the connections."""

from __future__ import annotations

import asyncio
import itertools
import random
import struct
from contextlib import asynccontextmanager, suppress

import pytest

from p2p.codec import bencode
from p2p.errors import MagnetError, MetainfoError, NetworkError
from p2p.ids import BLOCK_SIZE, Block, PeerId, PieceIndex
from p2p.metainfo.create import CreationPlan, hash_job
from p2p.metainfo.metainfo import Metainfo
from p2p.session.agenda import Agenda
from p2p.session.connector import Connector
from p2p.session.encryption import Encryption
from p2p.session.extensions import TorrentExtensions
from p2p.session.metadata_fetch import MetadataFetch
from p2p.session.peer_task import Peer
from p2p.session.scope import Scope
from p2p.session.settings import Settings
from p2p.session.slots import Slots
from p2p.session.throttle import Throttle, Turns
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.swarm.peer_list import PeerList, PeerSource
from p2p.swarm.rate import RateLimiter
from p2p.wire import events as wire_events
from p2p.wire import messages as wire
from p2p.wire import ut_metadata
from p2p.wire.arena import ArenaPool
from p2p.wire.connection import Connection
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.handshake import Handshake
from p2p.wire.ut_metadata import MAX_METADATA, PIECE_SIZE, MetadataPiece, MetadataReject, MetadataRequest

PIECE = 16 << 10
OUR_ID = PeerId(b"-XX0001-fetchfetchfe")
BAD_IDS = (PeerId(b"-XX0001-badbadbad%03d" % number) for number in itertools.count())


def make_torrent(version, lengths, *, private=False):
    rng = random.Random(len(lengths))
    plan = CreationPlan(
        "content", [((f"file{i}",), n) for i, n in enumerate(lengths)], version=version, piece_length=PIECE
    )
    content, hashes = {}, []
    for job in plan.jobs():
        content[job.index] = rng.randbytes(job.length) + bytes(job.padding)
        hashes.append(hash_job(job, [content[job.index][: job.length]]))
    return Metainfo.from_bytes(plan.finish(hashes, private=private)), content


class Magnet:
    """The fetching side: a connector and a fetch on a host, as a torrent would hold them."""

    def __init__(self, host, metainfo, addresses, *, hash_v2=None):
        self.host, self.metainfo = host, metainfo
        self.banned = {}
        self.now = asyncio.get_running_loop().time
        self.peer_list = PeerList()
        self.peer_list.add(addresses, PeerSource.MANUAL, self.now())
        self.arenas, self.scope, self.keys = ArenaPool(), Scope(), itertools.count(1)
        self.extensions = TorrentExtensions(
            None, exchange_peers=True, on_peers=self.on_peers, seeding=lambda: False, now=self.now()
        )
        self.fetch = MetadataFetch(
            hash_v1=metainfo.info_hash_v1,
            hash_v2=hash_v2 or metainfo.info_hash_v2,
            extensions=self.extensions,
            extension_handshake=lambda _: ExtensionHandshake(self.extensions.messages),
            on_ban=self.on_ban,
            on_port=lambda *_: None,
        )

    def on_ban(self, host, reason):
        self.banned[host] = reason
        self.peer_list.ban(host, reason, self.now())

    def on_peers(self, addresses):
        self.peer_list.add(addresses, PeerSource.PEX, self.now())
        self.connector.wake()

    def make_peer(self, opened, theirs, address, source):
        connection = Connection(
            piece_count=None,
            piece_size=None,
            fast=theirs.fast,
            extension=theirs.extension,
            arenas=self.arenas,
            max_requests=100,
            now=self.now(),
        )
        free = Throttle(RateLimiter(None, 0.0), Turns(RateLimiter(None, 0.0)))
        return Peer(
            next(self.keys),
            opened.stream,
            theirs,
            connection,
            address=address,
            incoming=False,
            encrypted=opened.encrypted,
            source=source,
            owner=self.fetch,
            down=free,
            up=free,
            now=self.now(),
        )

    @asynccontextmanager
    async def running(self, *, as_version_1=False):
        info_hashes = self.metainfo.wire_info_hashes()
        if not as_version_1:
            info_hashes = info_hashes[::-1]
        agenda = Agenda()
        async with self.scope as scope:
            self.connector = Connector(
                network=self.host.network,
                scope=scope,
                slots=Slots(connections=50, connecting=10),
                peer_list=self.peer_list,
                own_id=OUR_ID,
                info_hashes=info_hashes,
                upgrade=None,
                handshake=lambda info_hash: Handshake(
                    info_hash=info_hash, peer_id=OUR_ID, fast=True, extension=True, dht=False, v2=False
                ),
                make_peer=self.make_peer,
                attach=self.fetch.attach,
                detach=self.fetch.detach,
                candidates=lambda count, now: self.peer_list.candidates(
                    count, now, own_address=None, rng=random.Random(1)
                ),
                bind=lambda _: None,
                encryption=Encryption.OFF,
                secrets=random.Random(2).randbytes,
                max_peers=50,
                key=1,
                agenda=agenda,
            )
            self.connector.wake()
            scope.start(self.tick(), name="tick")
            try:
                yield self
            finally:
                self.fetch.stop()
                agenda.close()
        assert self.arenas.in_use == 0

    async def tick(self):
        while True:
            await asyncio.sleep(1)
            self.fetch.on_tick(self.now())

    async def result(self, within=120):
        async with asyncio.timeout(within):
            fetched = await self.fetch.fetched()
        return Metainfo.from_info(fetched.info_bytes, piece_layers=fetched.piece_layers)


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def extended(name_id, payload):
    return message(wire.EXTENDED, bytes([name_id]) + payload)


async def offer(line, world, size):
    """Shake hands as one that has metadata of `size` bytes; returns the id under which our messages are wanted."""
    ours = Handshake(
        info_hash=world.metainfo.wire_info_hashes()[-1],
        peer_id=next(BAD_IDS),
        fast=True,
        extension=True,
        dht=False,
        v2=False,
    )
    await line.send(ours.encode())
    await line.receive_handshake()
    await line.send(message(wire.HAVE_NONE))
    await line.send(extended(0, bencode.encode({b"m": {b"ut_metadata": 9}, b"metadata_size": size})))
    theirs = ExtensionHandshake.decode((await line.receive_kind(wire.EXTENDED)).payload[1:])
    return theirs.messages["ut_metadata"]


async def requests(line):
    """The pieces that are asked for, one by one."""
    while True:
        heard = await line.receive_kind(wire.EXTENDED)
        if heard.payload[0] == 9:
            asked = ut_metadata.decode(heard.payload[1:])
            if isinstance(asked, MetadataRequest):
                yield asked.piece


def answering(size_of, content_of):
    """A script that serves false metadata."""

    def make(world):
        size = size_of(len(world.metainfo.info_bytes))

        async def script(line):
            theirs = await offer(line, world, size)
            async for piece in requests(line):
                content = content_of(world, piece)[: max(0, min(PIECE_SIZE, size - piece * PIECE_SIZE))]
                await line.send(extended(theirs, ut_metadata.encode(MetadataPiece(piece, size, content))))

        return script

    return make


def rejecting(world):
    async def script(line):
        theirs = await offer(line, world, len(world.metainfo.info_bytes))
        async for piece in requests(line):
            await line.send(extended(theirs, ut_metadata.encode(MetadataReject(piece))))

    return script


def never(size):
    def make(world):
        async def script(line):
            await offer(line, world, size or len(world.metainfo.info_bytes))
            async for _ in requests(line):
                pass

        return script

    return make


def garbage(world):
    async def script(line):
        theirs = await offer(line, world, len(world.metainfo.info_bytes))
        await line.send(extended(theirs, b"not bencoded"))
        await line.receive_kind(99)

    return script


BAD = {
    "wrong bytes": (answering(lambda size: size, lambda *_: bytes(PIECE_SIZE)), True),
    "a wrong size": (answering(lambda size: size + PIECE_SIZE, lambda *_: bytes(PIECE_SIZE)), True),
    "one byte": (answering(lambda _: 1, lambda *_: b"x"), True),
    "an absurd size": (answering(lambda _: MAX_METADATA, lambda *_: bytes(PIECE_SIZE)), True),
    "never answers": (never(None), False),
    "never answers of an absurd size": (never(MAX_METADATA), True),
    "rejects": (rejecting, False),
    "sends garbage": (garbage, False),
}


@pytest.fixture
def fetch_from(play):
    """Plays `scenario(world, magnet)` with so many seeds of a torrent, and scripts beside them."""

    def fetch_from(
        scenario, *, version="1", lengths=(200 << 20,), seeds=1, bad=(), private=False, hash_v2=None, as_version_1=False
    ):
        async def main(world):
            world.metainfo, world.content = torrent
            served = [await world.add_peer(f"seed {n}", seeding=True) for n in range(seeds)]
            scripted = [
                await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, make(world))) for make in bad
            ]
            addresses = [peer.address for peer in (*scripted, *served)]
            async with Magnet(world.add_host(), world.metainfo, addresses, hash_v2=hash_v2).running(
                as_version_1=as_version_1
            ) as magnet:
                magnet.scripted = [peer.address.host for peer in scripted]
                await scenario(world, magnet)

        torrent = make_torrent(version, lengths, private=private)
        play(main)

    return fetch_from


LARGE = (30 << 20,)
"""Content of 1,900 pieces: 38 KB of metadata in version 1, in version 2 a layer of four spans."""


@pytest.mark.parametrize("version", ["1", "2", "hybrid"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_metadata_and_layers_come_from_seeds_alone(fetch_from, version, seeds):
    async def scenario(world, magnet):
        metainfo = await magnet.result(within=10)
        assert metainfo.info_bytes == world.metainfo.info_bytes
        assert metainfo.piece_layers == world.metainfo.piece_layers
        assert magnet.banned == {}
        assert magnet.fetch.progress == 1.0

    fetch_from(scenario, version=version, lengths=(*LARGE, 5, 3 * PIECE), seeds=seeds)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("version", ["1", "hybrid"])
def test_bad_peers_hold_nothing_up_and_liars_are_banned(fetch_from, bad, version):
    make, lies = BAD[bad]

    async def scenario(world, magnet):
        metainfo = await magnet.result()
        assert metainfo.info_bytes == world.metainfo.info_bytes
        assert set(magnet.banned) <= set(magnet.scripted)
        assert lies == bool(magnet.banned)

    fetch_from(scenario, version=version, lengths=LARGE, seeds=2, bad=[make])


def lying_of_hashes(world):
    """Serves the metadata, and zeros for hashes."""

    async def script(line):
        info = world.metainfo.info_bytes
        theirs = await offer(line, world, len(info))
        while True:
            heard = await line.receive()
            if heard.kind == wire.HASH_REQUEST:
                (length,) = struct.unpack_from(">I", heard.payload, 40)
                await line.send(message(wire.HASHES, heard.payload + bytes(32 * length)))
            elif heard.kind == wire.EXTENDED and heard.payload[0] == 9:
                asked = ut_metadata.decode(heard.payload[1:])
                if isinstance(asked, MetadataRequest):
                    await line.send(extended(theirs, ut_metadata.encode(ut_metadata.piece_of(info, asked.piece))))

    return script


def test_who_sends_false_hashes_is_banned(fetch_from):
    async def scenario(world, magnet):
        metainfo = await magnet.result()
        assert metainfo.piece_layers == world.metainfo.piece_layers
        assert magnet.banned == dict.fromkeys(magnet.scripted, "sent false hashes")

    fetch_from(scenario, version="2", lengths=LARGE, bad=[lying_of_hashes])


def test_who_says_two_sizes_is_left(fetch_from):
    ended = []

    def make(world):
        async def script(line):
            size = len(world.metainfo.info_bytes)
            await offer(line, world, size)
            await line.send(extended(0, bencode.encode({b"m": {b"ut_metadata": 9}, b"metadata_size": size + 1})))
            with suppress(NetworkError):
                while True:
                    await line.receive()
            ended.append(asyncio.get_running_loop().time())

        return script

    async def scenario(world, magnet):
        await magnet.result()
        await asyncio.sleep(5)
        assert ended

    fetch_from(scenario, lengths=LARGE, bad=[make])


def test_few_hosts_are_remembered_however_many_come_and_go(fetch_from, monkeypatch):
    monkeypatch.setattr("p2p.session.metadata_fetch.MAX_REMEMBERED", 2)

    async def scenario(world, magnet):
        await magnet.result()
        assert len(magnet.fetch._hosts) == 2

    fetch_from(scenario, lengths=LARGE, seeds=4)


def test_bad_peers_of_every_kind_at_once_cannot_keep_one_honest_seed_away(fetch_from):
    async def scenario(world, magnet):
        metainfo = await magnet.result(within=600)
        assert metainfo.info_bytes == world.metainfo.info_bytes
        assert set(magnet.banned) <= set(magnet.scripted)

    fetch_from(scenario, lengths=LARGE, bad=[make for make, _ in BAD.values()])


def test_connections_outlive_the_fetch(fetch_from):
    async def scenario(world, magnet):
        metainfo = await magnet.result()
        heard = asyncio.Queue()

        class Owner:
            def on_peer_events(self, peer, events, now):
                for event in events:
                    heard.put_nowait(event)

            def refill(self, peer): ...
            def may_read(self, peer):
                return True

            def on_sent(self, peer, payload, now): ...

        ((peer, events),) = magnet.fetch.hand_over(metainfo.layout)
        assert events[0] == wire_events.HaveAll()
        assert {type(event) for event in events[1:]} <= {wire_events.AllowedFast}
        peer.hand_over(Owner())
        peer.wire.send_interested()
        peer.flush()
        async with asyncio.timeout(60):
            while not isinstance(await heard.get(), wire_events.Unchoked):
                pass
            peer.wire.send_requests([Block(PieceIndex(3), 0, BLOCK_SIZE)])
            peer.flush()
            while not isinstance(event := await heard.get(), wire_events.BlockReceived):
                pass
        assert bytes(event.view) == world.content[3][:BLOCK_SIZE]
        event.arena.unpin()
        peer.release()

    fetch_from(scenario, lengths=LARGE)


def test_over_connections_of_version_1_nobody_is_asked_for_hashes(fetch_from):
    async def scenario(world, magnet):
        while magnet.fetch.progress or not magnet.fetch._info:
            await asyncio.sleep(1)
        await asyncio.sleep(30)
        assert magnet.fetch.progress == 0.0
        assert magnet.fetch.info_hash_v2 == world.metainfo.info_hash_v2[:20]
        (peer,) = magnet.fetch.peers.values()
        assert not peer.ended.done()
        assert peer.connected_at < 5

    fetch_from(scenario, version="hybrid", lengths=LARGE, as_version_1=True)


def test_a_link_of_two_torrents_is_refused(fetch_from):
    async def scenario(world, magnet):
        with pytest.raises(MagnetError):
            await magnet.result()
        assert magnet.banned == {}

    fetch_from(scenario, version="1", lengths=LARGE, hash_v2=bytes(32))


def test_peers_told_of_by_peers_are_asked_too(fetch_from):
    async def scenario(world, magnet):
        other = await world.add_peer("other", settings=Settings(limit_down=20_000))
        other.torrent.add_peers([world.peers[0].address], PeerSource.MANUAL)
        async with asyncio.timeout(100):
            while len(magnet.peer_list) < 2:
                await asyncio.sleep(1)
        assert magnet.peer_list.source_of(other.address) is PeerSource.PEX

    fetch_from(scenario, lengths=(1 << 20,))


@pytest.mark.parametrize("private", [False, True])
def test_a_private_torrent_offers_no_peer_exchange(fetch_from, private):
    async def scenario(world, magnet):
        metainfo = await magnet.result()
        assert metainfo.private == private
        assert [("ut_pex" in peer.wire.peer_extension.messages) for peer in magnet.fetch.peers.values()] == [
            not private
        ]
        assert magnet.extensions.messages["ut_pex"] != 0
        magnet.extensions.on_metadata(metainfo)
        assert magnet.extensions.messages["ut_pex"] == (0 if private else 2)

    fetch_from(scenario, lengths=LARGE, private=private)


def test_what_is_no_torrent_ends_the_fetch(play):
    async def main(world):
        info = bencode.encode({b"meta version": 2, b"name": b"x"})

        class Nothing:
            info_bytes, info_hash_v1 = info, None
            wire_info_hashes = staticmethod(lambda: (info_hash,))

        import hashlib

        Nothing.info_hash_v2 = hashlib.sha256(info).digest()
        info_hash = Nothing.info_hash_v2[:20]
        world.metainfo = Nothing
        make = answering(lambda size: size, lambda _, piece: info)
        peer = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, make(world)))
        async with Magnet(world.add_host(), Nothing, [peer.address]).running() as magnet:
            with pytest.raises(MetainfoError):
                await magnet.result()
            assert magnet.banned == {}

    play(main)


def test_a_flood_of_metadata_requests_is_bounded(fetch_from):
    async def scenario(world, magnet):
        del magnet
        line_host = world.add_host()
        counts = {"data": 0, "reject": 0}

        async def script(line):
            theirs = await offer(line, world, 1)
            for _ in range(20):
                await line.send(extended(theirs, ut_metadata.encode(MetadataRequest(0))) * 20)
                await asyncio.sleep(0.1)
            try:
                async with asyncio.timeout(30):
                    while True:
                        heard = await line.receive_kind(wire.EXTENDED)
                        if heard.payload[0] == 9:
                            answer = ut_metadata.decode(heard.payload[1:])
                            counts["data" if isinstance(answer, MetadataPiece) else "reject"] += 1
            except (TimeoutError, NetworkError):
                return

        peer = ScriptedPeer(line_host, 6881, script)
        async with peer:
            await peer.call(world.peers[0].address)
            await asyncio.sleep(60)
        pieces = -(-len(world.metainfo.info_bytes) // PIECE_SIZE)
        assert 0 < counts["data"] <= 3 * pieces + 16
        assert counts["data"] + counts["reject"] == 400

    fetch_from(scenario, lengths=LARGE)
