"""Sessions under every pair of policies, beside peers that do not encrypt, and against strangers who send noise."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from p2p.errors import NetworkError, RemoteProtocolError
from p2p.ids import PeerId
from p2p.session.encryption import Attempt, Encryption
from p2p.session.handshaking import open_outgoing
from p2p.session.settings import TorrentOptions
from p2p.session.stream_io import read_exactly
from p2p.simulation.scripted_peer import ScriptedPeer
from p2p.simulation.swarm import SwarmPlan, run_swarm
from p2p.simulation.virtual_loop import run
from p2p.simulation.world import SINGLE_FILE, make_content
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake
from p2p.wire.mse import PLAIN_START, Method

OFF, ALLOW, PREFER, REQUIRE = Encryption
STRANGER = PeerId(b"-XX0001-strangerless")
HANDSHAKE_TIMEOUT = 10.0
MEET = {
    # who connects, who is reached -> whether the payload is encrypted, None where they cannot meet
    (OFF, OFF): False,
    (OFF, ALLOW): False,
    (OFF, PREFER): False,
    (OFF, REQUIRE): None,
    (ALLOW, OFF): False,
    (ALLOW, ALLOW): False,
    (ALLOW, PREFER): False,
    (ALLOW, REQUIRE): True,
    (PREFER, OFF): False,
    (PREFER, ALLOW): False,
    (PREFER, PREFER): True,
    (PREFER, REQUIRE): True,
    (REQUIRE, OFF): None,
    (REQUIRE, ALLOW): True,
    (REQUIRE, PREFER): True,
    (REQUIRE, REQUIRE): True,
}


@pytest.mark.parametrize(("near", "far"), MEET)
def test_two_policies_meet_where_they_can(play, near, far):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, encryption=far)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)), encryption=near)
        if MEET[near, far] is None:
            await asyncio.sleep(300)
            snapshot = leecher.torrent.snapshot()
            assert (snapshot.peers, snapshot.downloaded, seed.torrent.snapshot().peers) == ((), 0, ())
            return
        seen = {}
        async with asyncio.timeout(60):
            while not seen:
                await asyncio.sleep(0.05)
                seen = {p.torrent: tuple(q.encrypted for q in p.torrent.snapshot().peers) for p in (seed, leecher)}
                seen = seen if all(seen.values()) else {}
        assert list(seen.values()) == [(MEET[near, far],)] * 2
        await world.completed([leecher], 60)
        assert world.holds(leecher)

    play(scenario)


def test_a_swarm_that_requires_encryption_completes():
    plan = SwarmPlan(seed=5, leechers=4, size=1 << 20, piece_length=64 << 10, encryption=REQUIRE)
    result = run(run_swarm(plan), until=3_600)
    assert len(result.correct) == len(result.done_at) == 4
    assert all(result.correct.values())


class PlainOnly:
    """Knows nothing of encryption: shakes hands in plaintext and goes, and does `otherwise` with all else."""

    def __init__(self, info_hash, otherwise):
        self.info_hash = info_hash
        self.otherwise = otherwise
        self.plain = []
        """Of each connection, whether it began in plaintext."""

    async def __call__(self, line):
        self.plain.append(await read_exactly(line.stream, len(PLAIN_START)) == PLAIN_START)
        if self.plain[-1]:
            await line.shake(self.info_hash, STRANGER)
            await asyncio.sleep(1)
        else:
            await self.otherwise(line)


async def hang_up(line):
    pass


async def say_nothing(line):
    while True:
        await read_exactly(line.stream, 1)


async def answer_noise(line):
    await line.send(random.Random(3).randbytes(5_000))
    await say_nothing(line)


@pytest.mark.parametrize("otherwise", [hang_up, say_nothing, answer_noise])
def test_a_plain_peer_is_fallen_back_to_and_known_as_such_from_then_on(play, otherwise):
    async def scenario(world):
        script = PlainOnly(world.metainfo.wire_info_hashes()[0], otherwise)
        plain = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        await world.add_peer("leecher", options=TorrentOptions(peers=(plain.address,)), encryption=PREFER)
        await asyncio.sleep(2 * HANDSHAKE_TIMEOUT)
        assert script.plain[:2] == [False, True]
        await asyncio.sleep(300)
        assert len(script.plain) > 3
        assert all(script.plain[1:])

    play(scenario)


def test_who_cannot_be_reached_is_not_tried_another_way(play):
    async def scenario(world):
        nobody = ScriptedPeer(world.add_host(), 6881, say_nothing).address
        refused = []

        def note(time, kind, *_):
            if kind == "refuse":
                refused.append(time)

        world.internet.trace = note
        await world.add_peer("leecher", options=TorrentOptions(peers=(nobody,)), encryption=PREFER)
        await asyncio.sleep(200)
        assert len(refused) > 2
        assert min(later - earlier for earlier, later in pairwise(refused)) > 0.9, "tried again without a rest"

    play(scenario)


def test_where_encryption_is_required_plain_peers_are_neither_called_nor_answered(play):
    async def scenario(world):
        info_hash = world.metainfo.wire_info_hashes()[0]
        called = PlainOnly(info_hash, hang_up)
        plain = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, called))
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(plain.address,)), encryption=REQUIRE)

        async def call(line):
            await line.shake(info_hash, STRANGER)
            answers.append(await read_exactly(line.stream, 1))

        answers = []
        caller = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, call))
        await caller.call(leecher.address)
        await asyncio.sleep(120)
        assert called.plain
        assert not any(called.plain)
        assert (answers, len(caller.ended)) == ([], 1)
        assert leecher.torrent.snapshot().peers == ()

    play(scenario)


NOISE = {
    "a little": lambda rng: (rng.randbytes(7),),
    "a key and no more": lambda rng: (rng.randbytes(96),),
    "a key that is none": lambda _: (bytes(2_000),),
    "without end": lambda rng: (rng.randbytes(1_000) for _ in range(1_000)),
    "another protocol": lambda _: (b"GET /announce HTTP/1.1\r\nHost: here\r\n\r\n",),
    "half a plain handshake": lambda _: (PLAIN_START + bytes(8),),
    "byte by byte": lambda rng: (rng.randbytes(1) for _ in range(1_000)),
}


@pytest.mark.parametrize("policy", Encryption)
@pytest.mark.parametrize("noise", NOISE)
def test_noise_is_dropped_in_bounded_time(play, noise, policy):
    async def scenario(world):
        async def script(line):
            for piece in NOISE[noise](random.Random(4)):
                await line.send(piece)
                await asyncio.sleep(0.5)
            await say_nothing(line)

        seed = await world.add_peer("seed", seeding=True, encryption=policy)
        strangers = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, script))
        for _ in range(3):
            await strangers.call(seed.address)
        await asyncio.sleep(HANDSHAKE_TIMEOUT + 2)
        assert [type(end) for end in strangers.ended] == [NetworkError] * 3
        assert not seed.session.network.strangers
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)), encryption=policy)
        await world.completed([leecher], 60)

    play(scenario)


def test_the_torrent_asked_for_in_secret_is_the_one_asked_for_inside(play):
    """Of two torrents of one session, and of one that has been removed."""

    async def scenario(world):
        peer = await world.add_peer("peer", encryption=PREFER)
        other, _ = make_content(random.Random(5), [(SINGLE_FILE, 70_000)], 32_768, announce=None)
        added = await peer.session.add(other)
        one, two = world.metainfo.wire_info_hashes()[0], other.wire_info_hashes()[0]
        caller = world.add_host().network

        async def ask(skey, inside, method):
            ours = Handshake(inside, STRANGER, fast=True, extension=False, dht=False, v2=False).encode()
            stream = await caller.connect(peer.address)
            try:
                async with asyncio.timeout(HANDSHAKE_TIMEOUT + 2):
                    opened = await open_outgoing(stream, Attempt((method,)), skey, ours, random.Random(6).randbytes)
                    return Handshake.parse(await read_exactly(opened.stream, HANDSHAKE_SIZE)).info_hash
            except (NetworkError, RemoteProtocolError):
                return None
            finally:
                stream.abort()
                await asyncio.sleep(1)

        await asyncio.sleep(1)
        for method in Method:
            assert await ask(one, one, method) == one
            assert await ask(two, two, method) == two
            assert await ask(one, two, method) is None
            assert await ask(two, one, method) is None
        await peer.session.remove(added)
        for method in Method:
            assert await ask(two, two, method) is None
            assert await ask(two, one, method) is None
            assert await ask(one, one, method) == one

    play(scenario)


@pytest.mark.parametrize("moment", [0.0, 0.03, 0.05, 0.07, 0.09, 0.11, 0.15, 0.3, 5.0, 10.05, 10.15])
@pytest.mark.parametrize("answers", [False, True])
def test_a_stop_in_the_middle_of_a_handshake_leaves_nothing(play, moment, answers):
    """What is left, `play` looks at."""

    async def scenario(world):
        silent = await world.stack.enter_async_context(ScriptedPeer(world.add_host(), 6881, say_nothing))
        seed = await world.add_peer("seed", seeding=True, encryption=REQUIRE)
        target = seed.address if answers else silent.address
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(target,)), encryption=PREFER)
        await asyncio.sleep(moment)
        await (seed if answers and moment > 0.06 else leecher).leave()

    play(scenario)
