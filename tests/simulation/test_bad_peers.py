"""Peers that break the rules, by malice or by accident: the torrent completes from an honest seed all the same."""

from __future__ import annotations

import asyncio
import struct

import pytest

from p2p.errors import NetworkError
from p2p.ids import BLOCK_SIZE, Address, Block, PeerId
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.wire import messages as wire

BAD_ID = PeerId(b"-XX0001-badbadbadbad")
SIZE = 2 << 20
SLOW_SEED = Settings(limit_up=200_000)
"""The honest seed needs ten seconds alone: time enough for the bad peer to matter."""


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def everything(world):
    """The bitfield of a peer that has every piece."""
    count = world.metainfo.piece_count
    return ((1 << count) - 1 << (-count % 8)).to_bytes((count + 7) // 8, "big")


async def greet(line, world, *, fast=True):
    """Shake hands as one that has everything, and unchoke."""
    await line.shake(world.metainfo.wire_info_hashes()[0], BAD_ID, fast=fast)
    theirs = await line.receive_handshake()
    await line.send(message(wire.HAVE_ALL) if fast else message(wire.BITFIELD, everything(world)))
    await line.send(message(wire.UNCHOKE))
    return theirs


def content_of(world, block):
    return world.content[block.piece][block.begin : block.begin + block.length]


async def silence(line):
    """Read until the other side goes."""
    while True:
        await line.receive()


async def download_beside(world, script, *, within=120, calls=False):
    """A leecher with a slow honest seed and a peer that follows `script`, found by the leecher or calling it.

    Returns the leecher and the scripted peer once the leecher has everything.
    """
    seed = await world.add_peer("seed", seeding=True, settings=SLOW_SEED)
    bad = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
    known = (seed.address,) if calls else (bad.address, seed.address)
    leecher = await world.add_peer("leecher", options=TorrentOptions(peers=known))
    if calls:
        await asyncio.sleep(1)
        await bad.call(leecher.address)
    await world.completed([leecher], within)
    assert world.holds(leecher)
    exchange = leecher.torrent.exchange
    assert not exchange.picker._open
    assert all(peer.requests.outstanding == 0 and not peer.uploads for peer in exchange.peers.values())
    return leecher, bad


BROKEN = {
    "bitfield of the wrong length": lambda world: message(wire.BITFIELD, everything(world) + b"\0"),
    "bitfield with spare bits": lambda world: message(wire.BITFIELD, b"\xff" * len(everything(world))),
    "oversized message": lambda _: struct.pack(">IB", 1 << 31, wire.PIECE),
    "oversized unknown message": lambda _: struct.pack(">IB", 20_000, 99),
    "have out of range": lambda _: message(wire.HAVE, struct.pack(">I", 10_000)),
    "request out of range": lambda _: message(wire.REQUEST, struct.pack(">III", 0, 1 << 30, BLOCK_SIZE)),
    "request of too much": lambda _: message(wire.REQUEST, struct.pack(">III", 0, 0, 1 << 17)),
    "block out of range": lambda _: message(wire.PIECE, struct.pack(">II", 10_000, 0) + bytes(BLOCK_SIZE)),
    "not bittorrent": lambda _: b"GET / HTTP/1.1\r\nHost: peer\r\n\r\n" * 10,
}


@pytest.mark.parametrize("calls", [False, True], ids=["found", "calling"])
@pytest.mark.parametrize("broken", BROKEN)
def test_who_breaks_the_protocol_is_dropped_and_in_the_end_banned(play, broken, calls):
    async def scenario(world):
        async def script(line):
            await line.shake(world.metainfo.wire_info_hashes()[0], BAD_ID)
            await line.receive_handshake()
            await line.send(BROKEN[broken](world))
            await silence(line)

        leecher, bad = await download_beside(world, script, calls=calls)
        assert bad.ended, "the connection is still open"
        assert all(isinstance(end, NetworkError) for end in bad.ended)
        if not calls:
            assert bad.connections == 3
            assert leecher.torrent.peer_list.is_banned(bad.address.host)

    if broken == "bitfield with spare bits":
        play(scenario, size=SIZE + 1)
    else:
        play(scenario, size=SIZE)


def test_blocks_nobody_asked_for_are_a_nuisance_and_then_an_offence(play):
    async def scenario(world):
        callers = []

        async def script(line):
            callers.append(line.stream.remote.host)
            await greet(line, world)
            while True:
                block = Block(0, 0, BLOCK_SIZE)
                await line.send_block(block, content_of(world, block))
                await asyncio.sleep(0.01)

        leecher, bad = await download_beside(world, script)
        assert callers.count(leecher.address.host) == 3  # the seed, which was told of it, may have called too
        assert leecher.torrent.peer_list.is_banned(bad.address.host)
        snapshot = leecher.torrent.snapshot()
        assert 0 < snapshot.wasted <= 3 * 80 * BLOCK_SIZE
        assert snapshot.corrupt == 0

    play(scenario, size=SIZE)


@pytest.mark.parametrize("fast", [True, False])
def test_who_sends_corrupt_blocks_is_banned_and_the_honest_stay(play, fast):
    async def scenario(world):
        async def script(line):
            await greet(line, world, fast=fast)
            while True:
                asked = (await line.receive_kind(wire.REQUEST)).block
                await line.send_block(asked, bytes(asked.length))

        leecher, bad = await download_beside(world, script)
        snapshot = leecher.torrent.snapshot()
        assert snapshot.corrupt > 0
        assert [ban.host for ban in leecher.torrent.peer_list.bans] == [bad.address.host]
        assert bad.connections == 1
        assert "10.1.0.1" in {peer.address.split(":")[0] for peer in snapshot.peers} or snapshot.complete

    play(scenario, size=SIZE)


@pytest.mark.parametrize("offset", range(3))
def test_in_a_piece_of_two_senders_only_the_one_who_lied_is_banned(play, seed, offset):
    """One piece of many blocks, so that both have a part in it whatever the picker does."""

    async def scenario(world):
        async def script(line):
            await greet(line, world)
            for number in range(10_000):
                asked = (await line.receive_kind(wire.REQUEST)).block
                good = content_of(world, asked)
                await line.send_block(asked, bytes(asked.length) if number % 4 == 1 else good)
                await asyncio.sleep(0.05)

        leecher, bad = await download_beside(world, script)
        assert leecher.torrent.snapshot().corrupt > 0
        assert [ban.host for ban in leecher.torrent.peer_list.bans] == [bad.address.host]

    play(scenario, size=SIZE, piece_length=SIZE, seed=seed + offset)


def test_who_stalls_is_snubbed_and_others_take_over(play):
    async def scenario(world):
        async def script(line):
            await greet(line, world)
            await silence(line)

        seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=20_000))
        bad = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(bad.address, seed.address)))
        await asyncio.sleep(90)
        (stalled,) = [peer for peer in leecher.torrent.snapshot().peers if peer.address == str(bad.address)]
        assert stalled.snubbed
        assert stalled.requests_out <= 1
        await world.completed([leecher], 60)
        assert world.holds(leecher)

    play(scenario, size=SIZE)


def test_a_flood_of_requests_is_answered_within_bounds(play):
    async def scenario(world):
        async def script(line):
            await line.shake(world.metainfo.wire_info_hashes()[0], BAD_ID)
            await line.receive_handshake()
            await line.send(message(wire.HAVE_NONE) + message(wire.INTERESTED))
            flood = b"".join(
                message(wire.REQUEST, struct.pack(">III", piece, begin, length))
                for piece in range(world.metainfo.piece_count)
                for begin in range(0, 64 << 10, 128)
                for length in range(100, 116)
            )
            while True:
                await line.send(flood)

        leecher, bad = await download_beside(world, script)
        assert bad.ended
        del leecher

    play(scenario, size=SIZE)


def test_a_trickle_of_single_bytes_holds_nothing_up(play):
    async def scenario(world):
        async def script(line):
            await greet(line, world)
            asked = (await line.receive_kind(wire.REQUEST)).block
            for byte in wire.encode_block_header(asked) + content_of(world, asked):
                await line.send(bytes([byte]))
                await asyncio.sleep(0.1)

        await download_beside(world, script)

    play(scenario, size=SIZE)


def test_who_has_everything_and_rejects_every_request_costs_little(play):
    async def scenario(world):
        rejected = 0

        async def script(line):
            nonlocal rejected
            await greet(line, world)
            while True:
                asked = await line.receive_kind(wire.REQUEST)
                rejected += 1
                await line.send(message(wire.REJECT, asked.payload))

        await download_beside(world, script)
        assert rejected < 2_000

    play(scenario, size=SIZE)


def test_who_goes_in_the_middle_of_a_piece_leaves_its_blocks_to_others(play):
    async def scenario(world):
        async def script(line):
            await greet(line, world)
            for _ in range(2):
                asked = (await line.receive_kind(wire.REQUEST)).block
                await line.send_block(asked, content_of(world, asked))
            asked = (await line.receive_kind(wire.REQUEST)).block
            await line.send((wire.encode_block_header(asked) + content_of(world, asked))[:5_000])

        leecher, bad = await download_beside(world, script)
        assert bad.connections >= 1
        assert leecher.torrent.snapshot().corrupt == 0

    play(scenario, size=SIZE)


@pytest.mark.parametrize("calls", [False, True], ids=["found", "calling"])
def test_a_handshake_for_another_torrent_ends_at_once(play, calls):
    async def scenario(world):
        async def script(line):
            if not calls:
                await line.receive_handshake()
            await line.shake(b"another torrent here", BAD_ID)
            await silence(line)

        leecher, bad = await download_beside(world, script, calls=calls)
        assert bad.ended
        assert str(bad.address) not in {peer.address for peer in leecher.torrent.snapshot().peers}

    play(scenario, size=SIZE)


@pytest.mark.parametrize("calls", [False, True], ids=["found", "calling"])
def test_who_never_shakes_hands_is_cut_off(play, calls):
    async def scenario(world):
        ended = []

        async def script(line):
            began = asyncio.get_running_loop().time()
            try:
                await line.receive_handshake()
                await silence(line)
            except NetworkError:
                ended.append(asyncio.get_running_loop().time() - began)
                raise

        await download_beside(world, script, calls=calls)
        await asyncio.sleep(15)
        assert ended
        assert max(ended) < 11

    play(scenario, size=SIZE)


def test_two_hundred_silent_strangers_do_not_shut_out_a_friend(play):
    async def scenario(world):
        async def script(line):
            await silence(line)

        seed = await world.add_peer("seed", seeding=True, settings=SLOW_SEED)
        bad = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        for _ in range(250):
            await bad.call(seed.address)
        await asyncio.sleep(1)
        assert bad.connections - len(bad.ended) <= 200
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await world.completed([leecher], 120)

    play(scenario, size=SIZE)


async def lines_between(one, other):
    """The connections of two sessions, as each of them sees it."""
    mine = [p for p in one.torrent.snapshot().peers if p.address.split(":")[0] == other.host.addresses[0]]
    theirs = [p for p in other.torrent.snapshot().peers if p.address.split(":")[0] == one.host.addresses[0]]
    return mine, theirs


@pytest.mark.parametrize("offset", range(5))
def test_two_peers_that_call_each_other_at_once_keep_exactly_one_connection(play, seed, offset):
    async def scenario(world):
        first, second = world.add_host(), world.add_host(latency=0.020 + offset * 0.0001)
        to_first, to_second = Address(first.addresses[0], 6881), Address(second.addresses[0], 6881)
        one = await world.add_peer("one", host=first, options=TorrentOptions(peers=(to_second,)))
        other = await world.add_peer("other", host=second, options=TorrentOptions(peers=(to_first,)))
        for _ in range(20):
            await asyncio.sleep(1)
            mine, theirs = await lines_between(one, other)
            assert len(mine) == len(theirs) == 1
            assert mine[0].incoming != theirs[0].incoming

    play(scenario, size=SIZE, seed=seed + offset)


def test_who_connects_again_and_again_is_connected_once(play):
    async def scenario(world):
        async def script(line):
            await greet(line, world)
            await silence(line)

        seed = await world.add_peer("seed", seeding=True, settings=SLOW_SEED)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        again = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        for _ in range(10):
            await again.call(leecher.address)
            await asyncio.sleep(0.2)
        snapshot = leecher.torrent.snapshot()
        assert [p.address.split(":")[0] for p in snapshot.peers].count(again.address.host) == 1
        assert len(again.ended) == 9
        await world.completed([leecher], 120)

    play(scenario, size=SIZE)


def test_a_session_that_finds_itself_lets_go_and_does_not_try_again(play):
    async def scenario(world):
        host = world.add_host()
        here = Address(host.addresses[0], 6881)
        connects = []
        world.internet.trace = lambda time, kind, source, target, payload: (
            connects.append(time) if kind == "connect" and target == here and source.host == here.host else None
        )
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", host=host, options=TorrentOptions(peers=(here, seed.address)))
        await world.completed([leecher], 60)
        await asyncio.sleep(300)
        assert len(connects) == 1
        assert leecher.torrent.snapshot().peers == ()

    play(scenario, size=SIZE)
