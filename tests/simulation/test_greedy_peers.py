"""Peers that take requests back, or ask for more than their due: they get their share, and cost others nothing."""

from __future__ import annotations

import asyncio
import logging
import struct

import pytest

from p2p.errors import LocalProtocolError
from p2p.ids import BLOCK_SIZE, Block, PeerId
from p2p.session.exchange import Exchange
from p2p.session.peer_task import EndKind
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.simulation.sim_disk import DiskKnobs
from p2p.swarm.choker import Choker
from p2p.swarm.peer_list import PeerSource
from p2p.swarm.request_queue import RequestQueue
from p2p.wire import messages as wire


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def span(kind, piece, begin, length=BLOCK_SIZE):
    return message(kind, struct.pack(">III", piece, begin, length))


async def greet(line, world, *, fast=True, first=wire.HAVE_NONE):
    """Shake hands as one that has nothing, unless `first` says something else."""
    peer_id = PeerId(b"-XX0001-" + line.stream.local.host.encode().rjust(12, b"-"))
    await line.shake(world.metainfo.wire_info_hashes()[0], peer_id, fast=fast)
    await line.receive_handshake()
    if fast and first is not None:
        await line.send(message(first))


async def greet_and_wait_for_unchoke(line, world, *, fast=True):
    await greet(line, world, fast=fast)
    await line.send(message(wire.INTERESTED))
    await line.receive_kind(wire.UNCHOKE)


async def silence(line):
    """Read until the other side goes."""
    while True:
        await line.receive()


async def seed_and_caller(world, script, **arguments):
    """A seed, and a peer that calls it and follows `script`."""
    seed = await world.add_peer("seed", seeding=True, **arguments)
    caller = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
    await asyncio.sleep(1)
    await caller.call(seed.address)
    return seed, caller


async def receive_block(line, world):
    """The next block, which must be right."""
    body = (await line.receive_kind(wire.PIECE)).payload
    piece, begin = struct.unpack_from(">II", body)
    assert body[8:] == world.content[piece][begin : begin + len(body) - 8]
    return Block(piece, begin, len(body) - 8)


@pytest.mark.parametrize("order", ["taken back and asked again", "asked again in one breath"])
@pytest.mark.parametrize("limit", [None, 20_000.0])
@pytest.mark.parametrize("fast", [False, True])
def test_a_request_taken_back_and_made_again_in_one_segment_is_answered_once(play, fast, limit, order):
    async def scenario(world):
        got = []

        async def script(line):
            await greet_and_wait_for_unchoke(line, world, fast=fast)
            again = span(wire.CANCEL, 0, 0) + span(wire.REQUEST, 0, 0)
            if order == "asked again in one breath":
                await line.send(span(wire.REQUEST, 0, 0) + again)
            else:
                await line.send(span(wire.REQUEST, 0, 0))
                await asyncio.sleep(0.05)
                await line.send(again)
            await line.send(span(wire.REQUEST, 0, BLOCK_SIZE))
            while True:
                got.append(await receive_block(line, world))

        seed, caller = await seed_and_caller(
            world, script, knobs=DiskKnobs(read_time=0.2), settings=Settings(limit_up=limit)
        )
        await asyncio.sleep(30)
        assert seed.torrent.state is TorrentState.SEEDING
        assert not caller.ended
        first, second = Block(0, 0, BLOCK_SIZE), Block(0, BLOCK_SIZE, BLOCK_SIZE)
        # With the fast extension a cancel is answered, by its block or a reject, and one answer serves both requests.
        assert got == [second] if fast else got == [first, second]

    play(scenario)


def test_a_bug_found_as_bytes_go_out_ends_that_connection_and_no_more(play, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL, "p2p.session.peer_task")

    async def scenario(world):
        async def script(line):
            await greet_and_wait_for_unchoke(line, world)
            await asyncio.sleep(2)
            await line.send(span(wire.REQUEST, 0, 0))
            await silence(line)

        seed, caller = await seed_and_caller(world, script)
        await asyncio.sleep(1)

        def refill(*_):
            raise LocalProtocolError("a bug")

        monkeypatch.setattr(seed.torrent.exchange, "refill", refill)
        await asyncio.sleep(3)
        assert caller.ended
        assert seed.torrent.state is TorrentState.SEEDING

    play(scenario)


def test_a_bug_in_one_torrents_tick_ends_that_torrent_and_is_told(play, caplog, monkeypatch):
    caplog.set_level(logging.CRITICAL, "p2p.session.session")

    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True)
        await asyncio.sleep(1)

        def on_tick(now):
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(seed.torrent.exchange, "on_tick", on_tick)
        async with asyncio.timeout(10):
            await seed.torrent.stopped()
        assert seed.torrent.state is TorrentState.ERROR
        assert "a bug" in seed.torrent.snapshot().message
        await seed.session.remove(seed.torrent)
        await asyncio.sleep(2)
        again = await seed.session.add(world.metainfo)
        await asyncio.sleep(2)
        assert again.state is not TorrentState.ERROR  # the session still ticks

    play(scenario)


@pytest.mark.parametrize("slots", [1, 100], ids=["no slot is free", "slots are free"])
@pytest.mark.parametrize("flood", ["interested", "off and on", "on and off"])
def test_a_flood_of_interest_costs_a_look_a_turn_at_most(play, monkeypatch, flood, slots):
    looks = 0
    fill = Choker.fill

    def count(choker, *arguments, **named):
        nonlocal looks
        looks += 1
        return fill(choker, *arguments, **named)

    monkeypatch.setattr(Choker, "fill", count)
    floods = {
        "interested": message(wire.INTERESTED),
        "off and on": message(wire.NOT_INTERESTED) + message(wire.INTERESTED),
        "on and off": message(wire.INTERESTED) + message(wire.NOT_INTERESTED),
    }

    async def scenario(world):
        async def idle(line):
            await greet_and_wait_for_unchoke(line, world)
            await silence(line)

        async def script(line):
            await greet(line, world)
            for _ in range(50):
                await line.send(floods[flood] * 100)
                await asyncio.sleep(0.1)
            await silence(line)

        seed, _ = await seed_and_caller(world, idle, settings=Settings(upload_slots=slots))
        other = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, idle))
        flooding = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        await other.call(seed.address)
        await asyncio.sleep(1)
        await flooding.call(seed.address)
        await asyncio.sleep(8)
        assert looks <= 4 + 10  # and one a second, while others wait
        assert not flooding.ended

    play(scenario)


def test_who_unchokes_and_rejects_everything_is_asked_a_few_times_a_second(play):
    async def scenario(world):
        asked = 0

        async def script(line):
            nonlocal asked
            await greet(line, world, first=wire.HAVE_ALL)
            await line.send(message(wire.UNCHOKE))
            while True:
                request = await line.receive_kind(wire.REQUEST)
                asked += 1
                await line.send(message(wire.REJECT, request.payload))

        rejecting = await world.stack.enter_async_context(ScriptedPeer(world.add_host(latency=0.0005), 6881, script))
        options = TorrentOptions(peers=(rejecting.address,))
        leecher = await world.add_peer("leecher", host=world.add_host(latency=0.0005), options=options)
        await asyncio.sleep(30)
        assert 30 < asked < 30 * 32
        seed = await world.add_peer("seed", seeding=True)
        leecher.torrent.add_peers([seed.address], PeerSource.TRACKER)
        await world.completed([leecher], 30)

    play(scenario)


def test_a_choked_peer_gets_its_allowed_pieces_twice_over_and_no_more(play):
    async def scenario(world):
        got = refused = 0
        offered = []

        async def script(line):
            nonlocal got, refused
            await greet(line, world)  # never interested, so never unchoked
            ask = None
            while True:
                reply = await line.receive()
                if reply.kind == wire.ALLOWED_FAST:
                    offered.append(reply.payload)
                    if ask is None:
                        ask = message(wire.REQUEST, reply.payload + struct.pack(">II", 0, BLOCK_SIZE))
                        await line.send(ask)
                elif reply.kind == wire.PIECE:
                    got += len(reply.payload) - 8
                    await line.send(ask)
                elif reply.kind == wire.REJECT:
                    refused += 1
                    await asyncio.sleep(1)
                    await line.send(ask)

        async def has_most(line):
            await greet(line, world, first=None)
            await line.send(message(wire.BITFIELD, b"\xff" * (world.metainfo.piece_count // 8 - 1) + b"\xfe"))
            await silence(line)

        seed = await world.add_peer("seed", seeding=True)
        other = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, has_most))
        caller = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        await asyncio.sleep(1)
        await other.call(seed.address)
        await asyncio.sleep(1)
        await caller.call(seed.address)
        await asyncio.sleep(60)
        assert len(offered) == 5
        assert got == 2 * 5 * world.metainfo.piece_length
        assert 40 < refused < 70
        assert not caller.ended

    play(scenario, size=16 << 20)


def test_a_newcomer_is_allowed_nothing_that_only_seeds_have(play):
    """A crowd of them would take the same few pieces of the seed at once, and nothing else would come out of it."""

    async def scenario(world):
        kinds = []

        async def script(line):
            await greet(line, world)
            while True:
                kinds.append((await line.receive()).kind)

        await seed_and_caller(world, script)
        await asyncio.sleep(10)
        assert kinds
        assert wire.ALLOWED_FAST not in kinds

    play(scenario, size=16 << 20)


@pytest.mark.parametrize("place", ["at a block", "at another message"])
def test_a_turn_cut_short_by_a_bug_gives_its_buffers_back(play, monkeypatch, place):
    async def scenario(world):
        raised = 0

        async def script(line):
            await greet(line, world, first=wire.HAVE_ALL)
            await asyncio.sleep(1)
            blocks = [wire.encode_block_header(Block(0, begin, 1)) + bytes(1) for begin in range(10)]
            await line.send(b"".join([*blocks[:3], message(wire.HAVE, bytes(4)), *blocks[3:]]))
            await silence(line)

        def cut_short():
            exchange = leecher.torrent.exchange

            def bug(*_):
                raise ZeroDivisionError("a bug")

            def on_peer_events(peer, events, now):
                nonlocal raised
                try:
                    Exchange.on_peer_events(exchange, peer, events, now)
                except ZeroDivisionError:
                    raised += 1
                    peer.end(EndKind.BROKEN, "a bug")

            monkeypatch.setattr(exchange, "on_peer_events", on_peer_events)
            if place == "at a block":
                monkeypatch.setattr(RequestQueue, "on_block", bug)
            else:
                monkeypatch.setattr(exchange.picker, "on_peer_have", bug)

        peer = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(peer.address,)))
        await asyncio.sleep(0.5)
        cut_short()
        await asyncio.sleep(1)
        assert raised == 1
        assert leecher.session._open.arenas.in_use == 0

    play(scenario)
