"""Behind a translator of each kind: who gets in, from where, and for how long."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.simulation import SimInternet, run
from p2p.simulation.nat import OPEN_FOR, Nat, NatKind

PORT = 6881
INSIDE = Address("10.0.0.1", PORT)
FRIEND = Address("10.0.0.2", PORT)
FRIENDS_OTHER_PORT = Address("10.0.0.2", PORT + 1)
STRANGER = Address("10.0.0.3", PORT)


class Place:
    """A bound socket and what it heard, as (content, source)."""

    def __init__(self):
        self.heard = []

    async def open(self, internet_host, address):
        self.socket = await internet_host.network.open_datagrams(address, lambda *packet: self.heard.append(packet))
        return self


async def open_world(kind):
    internet = SimInternet(random.Random(1))
    inside = internet.host(INSIDE.host, nat=kind)
    friend, stranger = internet.host(FRIEND.host), internet.host(STRANGER.host)
    places = [
        await Place().open(host, address)
        for host, address in ((inside, INSIDE), (friend, FRIEND), (friend, FRIENDS_OTHER_PORT), (stranger, STRANGER))
    ]
    return inside, friend, *places


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        (None, [b"friend", b"friend's other", b"stranger"]),
        (NatKind.FULL_CONE, [b"friend", b"friend's other", b"stranger"]),
        (NatKind.RESTRICTED, [b"friend", b"friend's other"]),
        (NatKind.PORT_RESTRICTED, [b"friend"]),
        (NatKind.SYMMETRIC, [b"friend"]),
    ],
)
def test_who_gets_in_once_something_was_sent_to_a_friend(kind, heard):
    async def main():
        _, _, inside, friend, other, stranger = await open_world(kind)
        seen_at = INSIDE
        for sent in range(2):
            if sent:
                inside.socket.send(b"hello", FRIEND)
                await asyncio.sleep(1)
                [(_, seen_at)] = friend.heard
            friend.socket.send(b"friend", seen_at)
            other.socket.send(b"friend's other", seen_at)
            stranger.socket.send(b"stranger", seen_at)
            await asyncio.sleep(1)
            if not sent:
                assert bool(inside.heard) == (kind is None)
                inside.heard.clear()
        assert [data for data, _ in inside.heard] == heard
        assert [source for _, source in inside.heard] == [FRIEND, FRIENDS_OTHER_PORT, STRANGER][: len(heard)]

    run(main())


@pytest.mark.parametrize("kind", NatKind)
def test_only_a_symmetric_one_shows_each_another_port(kind):
    async def main():
        _, _, inside, friend, _, stranger = await open_world(kind)
        for _ in range(2):
            inside.socket.send(b"hello", FRIEND)
            inside.socket.send(b"hello", STRANGER)
            await asyncio.sleep(1)
        seen = [{source for _, source in place.heard} for place in (friend, stranger)]
        assert [len(sources) for sources in seen] == [1, 1]
        if kind is NatKind.SYMMETRIC:
            assert seen[0].isdisjoint(seen[1])
            assert INSIDE not in seen[0] | seen[1]
        else:
            assert seen == [{INSIDE}, {INSIDE}]

    run(main())


@pytest.mark.parametrize("kind", NatKind)
def test_what_was_opened_closes_after_a_while(kind):
    async def main():
        _, _, inside, friend, _, _ = await open_world(kind)
        inside.socket.send(b"hello", FRIEND)
        await asyncio.sleep(OPEN_FOR - 1)
        [(_, seen_at)] = friend.heard
        friend.socket.send(b"in time", seen_at)
        await asyncio.sleep(2)
        friend.socket.send(b"late", seen_at)
        await asyncio.sleep(1)
        assert [data for data, _ in inside.heard] == [b"in time"]
        inside.socket.send(b"again", FRIEND)
        await asyncio.sleep(1)
        friend.socket.send(b"answer", friend.heard[-1][1])
        await asyncio.sleep(1)
        assert [data for data, _ in inside.heard] == [b"in time", b"answer"]

    run(main())


@pytest.mark.parametrize("kind", NatKind)
def test_streams_go_out_and_come_in_only_where_the_port_is_forwarded(kind):
    async def main():
        inside, friend, *_ = await open_world(kind)
        streams = []
        await inside.network.listen(INSIDE, streams.append)
        await friend.network.listen(FRIEND, streams.append)
        (await inside.network.connect(FRIEND)).close()
        (await inside.network.connect(INSIDE)).close()
        assert len(streams) == 2
        with pytest.raises(NetworkError, match="refused"):
            await friend.network.connect(INSIDE)
        inside.nat.forward(PORT)
        (await friend.network.connect(INSIDE)).close()
        assert len(streams) == 3
        inside.nat.unforward(PORT)
        with pytest.raises(NetworkError, match="refused"):
            await friend.network.connect(INSIDE)

    run(main())


@pytest.mark.parametrize("kind", NatKind)
def test_a_forwarded_port_takes_datagrams_from_everybody_and_keeps_its_number(kind):
    async def main():
        host, _, inside, friend, _, stranger = await open_world(kind)
        host.nat.forward(PORT)
        stranger.socket.send(b"unasked", INSIDE)
        inside.socket.send(b"hello", FRIEND)
        await asyncio.sleep(1)
        assert inside.heard == [(b"unasked", STRANGER)]
        assert friend.heard == [(b"hello", INSIDE)]

    run(main())


@given(
    targets=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 3)), max_size=60), step=st.sampled_from([0.0, 50.0])
)
def test_answers_find_the_port_that_asked(targets, step):
    nat = Nat(NatKind.SYMMETRIC)
    now = 0.0
    for host, inner in targets:
        now += step
        target = Address(f"10.0.1.{host}", PORT)
        outer = nat.outward(Address(INSIDE.host, inner), target, now)
        assert nat.inward(target, outer, now + OPEN_FOR) == Address(INSIDE.host, inner)
        assert nat.inward(STRANGER, outer, now) is None
