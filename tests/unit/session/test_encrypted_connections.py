"""Connections between two of us under every pair of policies, and what strangers may try, in simulated time."""

from __future__ import annotations

import asyncio
import random

import pytest

from p2p.errors import NetworkError, RemoteProtocolError
from p2p.ids import Address, InfoHash, PeerId
from p2p.session.encryption import Acceptable, Attempt, Encryption, acceptable, attempts
from p2p.session.handshaking import draw_secrets, open_incoming, open_outgoing
from p2p.session.stream_io import read_exactly, write_all
from p2p.simulation import SimInternet, VirtualLoop
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake
from p2p.wire.mse import MAX_PAD, PLAIN_START, Method, respond, skey_digest

SKEY = InfoHash(b"t" * 20)
TORRENTS = {skey_digest(SKEY): SKEY}
BOTH = (Method.RC4, Method.PLAINTEXT)
OFF, ALLOW, PREFER, REQUIRE = Encryption


def hello(name):
    return Handshake(SKEY, PeerId(name * 20), fast=True, extension=True, dht=False, v2=False).encode()


class Pair:
    """Two hosts, and how one meets the other as a session would."""

    def __init__(self):
        internet = SimInternet(random.Random(1))
        self.near, self.far = internet.host("10.0.0.1").network, internet.host("10.0.0.2").network
        self.draw = random.Random(2).randbytes
        self.connections = 0

    async def listen(self, on_stream):
        return await self.far.listen(Address("10.0.0.2", 0), on_stream)

    async def take(self, stream, accept):
        """What a session does with a stranger: the method, or why it went."""
        try:
            async with asyncio.timeout(10):
                opened = await open_incoming(stream, accept, TORRENTS.get, self.draw)
                theirs = Handshake.parse(await read_exactly(opened.stream, HANDSHAKE_SIZE))
                await write_all(opened.stream, hello(b"b"))
                assert theirs.peer_id == b"a" * 20
                assert await read_exactly(opened.stream, 5) == b"there"
                await write_all(opened.stream, b"and back")
        except (NetworkError, RemoteProtocolError, TimeoutError) as error:
            stream.abort()
            return error
        opened.stream.close()
        return opened.method

    async def meet(self, address, encryption):
        """What a connector does with a candidate: the method, or why the last attempt failed."""
        failure = None
        for attempt in attempts(encryption):
            stream = await self.near.connect(address)
            self.connections += 1
            try:
                async with asyncio.timeout(10):
                    opened = await open_outgoing(stream, attempt, SKEY, hello(b"a"), self.draw)
                    theirs = Handshake.parse(await read_exactly(opened.stream, HANDSHAKE_SIZE))
                    assert theirs.peer_id == b"b" * 20
                    await write_all(opened.stream, b"there")
                    assert await read_exactly(opened.stream, 8) == b"and back"
            except (NetworkError, RemoteProtocolError, TimeoutError) as error:
                stream.abort()
                failure = error
            else:
                opened.stream.close()
                return opened.method
        return failure


def simulated(case):
    async def bounded():
        async with asyncio.timeout(1_000):
            return await case(Pair())

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(bounded())


async def both_ends(pair, outgoing, incoming):
    taken = []

    async def take(stream):
        taken.append(await pair.take(stream, acceptable(incoming)))

    tasks = []
    listener = await pair.listen(lambda stream: tasks.append(asyncio.ensure_future(take(stream))))
    met = await pair.meet(listener.local, outgoing)
    await asyncio.gather(*tasks)
    listener.close()
    return met, taken[-1], pair.connections


FAILS = "fails"


@pytest.mark.parametrize(
    ("outgoing", "incoming", "expected", "connections"),
    [
        (OFF, OFF, None, 1),
        (OFF, ALLOW, None, 1),
        (OFF, PREFER, None, 1),
        (OFF, REQUIRE, FAILS, 1),
        (ALLOW, OFF, None, 1),
        (ALLOW, ALLOW, None, 1),
        (ALLOW, PREFER, None, 1),
        (ALLOW, REQUIRE, Method.RC4, 2),
        (PREFER, OFF, None, 2),
        (PREFER, ALLOW, Method.PLAINTEXT, 1),
        (PREFER, PREFER, Method.RC4, 1),
        (PREFER, REQUIRE, Method.RC4, 1),
        (REQUIRE, OFF, FAILS, 1),
        (REQUIRE, ALLOW, Method.RC4, 1),
        (REQUIRE, PREFER, Method.RC4, 1),
        (REQUIRE, REQUIRE, Method.RC4, 1),
    ],
)
def test_every_pair_of_policies(outgoing, incoming, expected, connections):
    met, taken, made = simulated(lambda pair: both_ends(pair, outgoing, incoming))
    assert made == connections
    if expected is FAILS:
        assert isinstance(met, NetworkError)
        assert isinstance(taken, (NetworkError, RemoteProtocolError))
    else:
        assert met is taken is expected


def test_the_command_line_calls_policies_by_their_values():
    assert [policy.value for policy in Encryption] == ["off", "allow", "prefer", "require"]


def test_nothing_but_rc4_is_spoken_where_encryption_is_required():
    assert attempts(REQUIRE) == (Attempt((Method.RC4,)),)
    assert acceptable(REQUIRE) == Acceptable(plain=False, methods=(Method.RC4,))


def strange(content, accept=None, *, then="close"):
    """What becomes of a stranger that sends `content` and then closes, or stays silent; and when."""

    async def case(pair):
        streams = asyncio.Queue()
        listener = await pair.listen(streams.put_nowait)
        near = await pair.near.connect(listener.local)
        await write_all(near, content)
        if then == "close":
            near.close()
        result = await pair.take(await streams.get(), accept or acceptable(PREFER))
        listener.close()
        near.close()
        return result, asyncio.get_running_loop().time()

    return simulated(case)


@pytest.mark.parametrize("size", [0, 1, 19, 20, 21, 95, 96, 97, 300])
def test_a_stranger_that_goes_early_is_noticed(size):
    result, _ = strange(random.Random(1).randbytes(size))
    assert isinstance(result, NetworkError)


@pytest.mark.parametrize("size", [0, 1, 19, 20, 95, 96, 300])
def test_a_stranger_that_falls_silent_is_given_up(size):
    result, when = strange(random.Random(1).randbytes(size), then="silence")
    assert isinstance(result, TimeoutError)
    assert when < 20


def test_a_stranger_that_floods_is_refused():
    result, when = strange(random.Random(1).randbytes(100_000), then="silence")
    assert isinstance(result, RemoteProtocolError)
    assert when < 5


def test_a_plain_stranger_is_read_no_further_than_its_first_bytes():
    async def case(pair):
        streams = asyncio.Queue()
        listener = await pair.listen(streams.put_nowait)
        near = await pair.near.connect(listener.local)
        await write_all(near, PLAIN_START + b"what follows")
        stream = await streams.get()
        opened = await open_incoming(stream, acceptable(PREFER), TORRENTS.get, pair.draw)
        assert (opened.method, opened.skey) == (None, None)
        assert await read_exactly(stream, 12) == b"what follows"
        assert await read_exactly(opened.stream, 20) == PLAIN_START
        for end in (near, stream, listener):
            end.close()

    simulated(case)


@pytest.mark.parametrize(
    ("accept", "content", "error"),
    [
        (acceptable(REQUIRE), hello(b"a"), NetworkError),
        (acceptable(OFF), bytes(96), RemoteProtocolError),
        (acceptable(OFF), b"GET / HTTP/1.1\r\n\r\n\r\n", RemoteProtocolError),
    ],
)
def test_what_the_policy_does_not_take_is_refused_at_once(accept, content, error):
    result, when = strange(content, accept, then="silence")
    assert isinstance(result, error)
    assert when < 5


def test_asking_for_a_torrent_that_is_not_here():
    async def case(pair):
        streams = asyncio.Queue()
        listener = await pair.listen(streams.put_nowait)
        near = await pair.near.connect(listener.local)
        asking = asyncio.ensure_future(open_outgoing(near, Attempt(BOTH), InfoHash(b"?" * 20), hello(b"a"), pair.draw))
        assert isinstance(await pair.take(await streams.get(), acceptable(PREFER)), RemoteProtocolError)
        with pytest.raises(NetworkError):
            await asking
        near.close()
        listener.close()

    simulated(case)


@pytest.mark.parametrize(("methods", "expected"), [((Method.RC4,), True), (BOTH, False)])
def test_our_handshake_travels_with_the_encrypted_one_where_it_is_sure_to_be_decrypted(methods, expected):
    async def case(pair):
        streams = asyncio.Queue()
        listener = await pair.listen(streams.put_nowait)
        near = await pair.near.connect(listener.local)
        asking = asyncio.ensure_future(open_outgoing(near, Attempt(methods), SKEY, hello(b"a"), pair.draw))
        machine = respond(TORRENTS.get, BOTH, draw_secrets(pair.draw))
        stream = await streams.get()
        while machine.outcome is None:
            machine.receive_data(await read_exactly(stream, machine.wanted))
            await write_all(stream, machine.data_to_send())
        assert machine.outcome.initial == (hello(b"a") if expected else b"")
        await asking
        for end in (near, stream, listener):
            end.close()

    simulated(case)


def test_a_stranger_is_found_among_ten_thousand_torrents_by_one_look():
    torrents = [InfoHash(number.to_bytes(20, "big")) for number in range(10_000)]
    looked = []
    table = {skey_digest(torrent): torrent for torrent in torrents}

    def lookup(digest):
        looked.append(digest)
        return table.get(digest)

    async def case(pair):
        streams = asyncio.Queue()
        listener = await pair.listen(streams.put_nowait)
        near = await pair.near.connect(listener.local)
        asking = open_outgoing(near, Attempt(BOTH), torrents[7_777], b"", pair.draw)
        taking = open_incoming(await streams.get(), acceptable(PREFER), lookup, pair.draw)
        ours, theirs = await asyncio.gather(asking, taking)
        assert theirs.skey == ours.skey == torrents[7_777]
        assert len(looked) == 1
        for end in (ours.stream, theirs.stream, listener):
            end.close()

    simulated(case)


def test_pads_have_every_length_there_is():
    drawn = [draw_secrets(random.Random(seed).randbytes) for seed in range(3_000)]
    assert max(len(secrets.pad) for secrets in drawn) == max(secrets.quiet_pad for secrets in drawn) == MAX_PAD
    assert min(len(secrets.pad) for secrets in drawn) == min(secrets.quiet_pad for secrets in drawn) == 0
