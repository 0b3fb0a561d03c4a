"""What shares a limit: torrents take turns, control messages pass, and little is asked where little may come."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest

from p2p.ids import BLOCK_SIZE, Address, PeerId
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.simulation.sim_disk import DiskKnobs, SimDisk
from p2p.simulation.world import SINGLE_FILE, make_content, sim_environment
from p2p.wire import messages as wire

PORT = 6_881
TRADER = PeerId(b"-XX0001-tradetradetr")


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


async def add_session(world, contents, *, limit_up=None, limit_down=None):
    """A session on a host of its own; `contents` maps metainfo to what is there already, or None."""
    held = {metainfo.piece_count: content for metainfo, content in contents.items()}

    def make_storage(layout):
        return SimDisk(layout, held[layout.piece_count], DiskKnobs())

    host = world.add_host()
    environment = sim_environment(host, world.new_rng(), make_storage)
    alone = {"dht": False, "local_discovery": False}
    settings = Settings(port=PORT, bind=("0.0.0.0",), limit_up=limit_up, limit_down=limit_down, **alone)
    session = await world.stack.enter_async_context(Session(settings, environment=environment))
    return session, Address(host.addresses[0], PORT)


async def growth(seconds, read):
    before = read()
    await asyncio.sleep(seconds)
    return [after - at for after, at in zip(read(), before, strict=True)]


@pytest.mark.parametrize("limit", [50_000, 300_000, 1_000_000])
def test_torrents_share_the_upload_limit_of_their_session(play, limit):
    async def scenario(world):
        small, small_content = make_content(random.Random(9), [(SINGLE_FILE, 64 << 20)], 256 << 10, announce=None)
        contents = {world.metainfo: world.content, small: small_content}
        session, address = await add_session(world, contents, limit_up=limit)
        torrents = [await session.add(metainfo, TorrentOptions(trust=True)) for metainfo in contents]
        # One torrent has one leecher and the other three: that gives it no larger part.
        for metainfo, leechers in zip(contents, (1, 3), strict=True):
            for _ in range(leechers):
                other, _ = await add_session(world, {metainfo: None})
                await other.add(metainfo, TorrentOptions(peers=(address,)))
        await asyncio.sleep(5)
        moved = await growth(40, lambda: [torrent.snapshot().session_uploaded for torrent in torrents])
        assert sum(moved) == pytest.approx(40 * limit, rel=0.05)
        assert min(moved) > 0.9 * max(moved), moved

    play(scenario, size=96 << 20, piece_length=256 << 10)


def test_torrents_share_the_download_limit_of_their_session(play):
    limit = 300_000

    async def scenario(world):
        small, small_content = make_content(random.Random(9), [(SINGLE_FILE, 32 << 20)], 256 << 10, announce=None)
        contents = {world.metainfo: world.content, small: small_content}
        leecher, _ = await add_session(world, dict.fromkeys(contents), limit_down=limit)
        torrents = []
        for (metainfo, content), seeds in zip(contents.items(), (1, 4), strict=True):
            addresses = []
            for _ in range(seeds):
                seed, address = await add_session(world, {metainfo: content})
                await seed.add(metainfo, TorrentOptions(trust=True))
                addresses.append(address)
            torrents.append(await leecher.add(metainfo, TorrentOptions(peers=tuple(addresses))))
        await asyncio.sleep(5)
        moved = await growth(40, lambda: [torrent.snapshot().session_downloaded for torrent in torrents])
        assert sum(moved) == pytest.approx(40 * limit, rel=0.05)
        assert min(moved) > 0.9 * max(moved), moved

    play(scenario, size=48 << 20, piece_length=256 << 10)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "no fast extension"])
@pytest.mark.parametrize("limit", [0, 1_024])
def test_requests_pass_the_blocks_that_an_upload_limit_holds_back(play, limit, fast):
    """The trader asks for whatever we get: what it is owed must not stand before what we ask of it."""

    async def scenario(world):
        def everything():
            count = world.metainfo.piece_count
            return ((1 << count) - 1 << (-count % 8)).to_bytes((count + 7) // 8, "big")

        async def trade(line):
            await line.shake(world.metainfo.wire_info_hashes()[0], TRADER, fast=fast)
            await line.receive_handshake()
            await line.send(message(wire.HAVE_ALL) if fast else message(wire.BITFIELD, everything()))
            await line.send(message(wire.INTERESTED) + message(wire.UNCHOKE))
            while True:
                got = await line.receive()
                if got.kind == wire.REQUEST:
                    block = got.block
                    await asyncio.sleep(0.02)
                    await line.send_block(block, world.content[block.piece][block.begin : block.begin + block.length])
                elif got.kind == wire.HAVE:
                    (piece,) = struct.unpack(">I", got.payload)
                    for begin in range(0, 64 << 10, BLOCK_SIZE):
                        await line.send(message(wire.REQUEST, struct.pack(">III", piece, begin, BLOCK_SIZE)))

        trader = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), PORT, trade))
        leecher = await world.add_peer(
            "leecher", settings=Settings(limit_up=limit), options=TorrentOptions(peers=(trader.address,))
        )
        await world.completed([leecher], 30)  # 512 blocks at 20 ms are 10 s
        assert leecher.torrent.snapshot().session_uploaded <= limit * 30 + BLOCK_SIZE

    play(scenario, size=8 << 20)


def test_a_peer_that_may_send_nothing_stays_alive(play):
    """Keep-alives go out, though blocks were asked for that a limit of 0 holds back."""

    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=0))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await asyncio.sleep(10)
        connected = next(iter(seed.torrent.exchange.peers.values()))
        for _ in range(60):
            await asyncio.sleep(10)
            assert list(seed.torrent.exchange.peers.values()) == [connected]
        assert leecher.torrent.snapshot().session_downloaded == 0
        seed.session.set_limits(down=None, up=None)
        await world.completed([leecher], 60)

    play(scenario)


@pytest.mark.parametrize("limit", [0, 1_024])
def test_a_download_limit_leaves_the_upload_alone(play, limit):
    """What peers ask of us is read, however little may come of blocks."""

    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_down=limit))
        leechers = [
            await world.add_peer(f"leecher-{index}", options=TorrentOptions(peers=(seed.address,)))
            for index in range(5)
        ]
        await world.completed(leechers, 60)

    play(scenario, size=8 << 20)


@pytest.mark.parametrize(("limit", "seeds"), [(1_024, 1), (4_096, 5), (10_240, 30), (1_024, 100)])
def test_a_low_download_limit_wastes_nothing_however_many_peers(play, limit, seeds):
    async def scenario(world):
        sources = [await world.add_peer(f"seed-{index}", seeding=True) for index in range(seeds)]
        leecher = await world.add_peer(
            "leecher",
            settings=Settings(limit_down=limit),
            options=TorrentOptions(peers=tuple(source.address for source in sources)),
        )
        await asyncio.sleep(60)
        moved = await growth(240, lambda: [leecher.torrent.snapshot().session_downloaded])
        assert moved[0] == pytest.approx(240 * limit, rel=0.05, abs=BLOCK_SIZE)
        snapshot = leecher.torrent.snapshot()
        assert snapshot.wasted == 0
        assert len(snapshot.peers) == seeds
        # Few pieces are begun: what came is whole but for some.
        assert snapshot.done_size >= snapshot.session_downloaded - 4 * (32 << 10) - 0.05 * snapshot.session_downloaded

    play(scenario, size=8 << 20, piece_length=32 << 10)


@pytest.mark.parametrize("peer_exchange", [True, False])
def test_slow_peers_do_not_keep_a_fast_one_from_filling_the_limit(play, peer_exchange):
    limit = 500_000

    async def scenario(world):
        slow = [
            await world.add_peer(
                f"slow-{index}", seeding=True, settings=Settings(limit_up=3_000, peer_exchange=peer_exchange)
            )
            for index in range(8)
        ]
        fast = await world.add_peer("fast", seeding=True)
        leecher = await world.add_peer(
            "leecher",
            settings=Settings(limit_down=limit, peer_exchange=peer_exchange),
            options=TorrentOptions(peers=tuple(peer.address for peer in (*slow, fast))),
        )
        await asyncio.sleep(10)
        moved = await growth(30, lambda: [leecher.torrent.snapshot().session_downloaded])
        assert moved[0] == pytest.approx(30 * limit, rel=0.02)

    play(scenario, size=32 << 20)


def test_a_download_limit_of_nothing_can_be_lifted_again(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        leecher.session.set_limits(down=50_000, up=None)
        await asyncio.sleep(10)
        leecher.session.set_limits(down=0, up=None)
        await asyncio.sleep(120)  # what was on its way has come by now, a little each second
        moved = await growth(300, lambda: [leecher.torrent.snapshot().session_downloaded])
        assert moved == [0]
        assert len(leecher.torrent.snapshot().peers) == 1
        leecher.session.set_limits(down=None, up=None)
        await world.completed([leecher], 60)

    play(scenario, size=8 << 20)
