"""A read cache that holds next to nothing: uploads go on, and no span is read out of all proportion."""

from __future__ import annotations

import asyncio
import struct

import pytest

from p2p.ids import BLOCK_SIZE, PeerId
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.simulation.sim_disk import DiskKnobs
from p2p.wire import messages as wire

MEBIBYTE = 1 << 20


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def span(piece, begin, length=BLOCK_SIZE):
    return message(wire.REQUEST, struct.pack(">III", piece, begin, length))


async def shake_and_wait_for_unchoke(line, world):
    await line.shake(world.metainfo.wire_info_hashes()[0], PeerId(b"-XX0001-peerpeerpeer"))
    await line.receive_handshake()
    await line.send(message(wire.HAVE_NONE) + message(wire.INTERESTED))
    await line.receive_kind(wire.UNCHOKE)


@pytest.mark.parametrize("read_cache", [0, MEBIBYTE - 1, MEBIBYTE])
@pytest.mark.parametrize("piece_length", [64 << 10, 4 * MEBIBYTE])
def test_leechers_complete_from_a_seed_that_caches_nothing(play, read_cache, piece_length):
    async def scenario(world):
        knobs = DiskKnobs(read_time=0.005)
        seed = await world.add_peer(
            "seed", seeding=True, settings=Settings(read_cache=read_cache), knobs=knobs, host=world.add_host(up=2e6)
        )
        options = TorrentOptions(peers=(seed.address,))
        leechers = [await world.add_peer(f"leecher-{number}", options=options) for number in range(3)]
        await world.completed(leechers, 120)
        assert all(map(world.holds, leechers))
        assert knobs.reads * min(piece_length, MEBIBYTE) < 2 * 3 * world.metainfo.total_size

    play(scenario, size=8 * MEBIBYTE, piece_length=piece_length)


def test_a_block_across_two_spans_is_served_without_a_cache(play):
    async def scenario(world):
        got = []

        async def script(line):
            await shake_and_wait_for_unchoke(line, world)
            await line.send(span(0, MEBIBYTE - 5, 10))
            got.append((await line.receive_kind(wire.PIECE)).payload[8:])
            await line.receive()

        knobs = DiskKnobs(read_time=0.005)
        seed = await world.add_peer("seed", seeding=True, settings=Settings(read_cache=0), knobs=knobs)
        caller = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        await asyncio.sleep(1)
        await caller.call(seed.address)
        await asyncio.sleep(10)
        assert got == [world.content[0][MEBIBYTE - 5 : MEBIBYTE + 5]]
        assert knobs.reads == 2

    play(scenario, size=2 * MEBIBYTE, piece_length=2 * MEBIBYTE)
