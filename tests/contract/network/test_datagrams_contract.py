"""What every form of the network port keeps for datagrams and names."""

from __future__ import annotations

import asyncio

import pytest

from p2p.codec import compact
from p2p.ids import Address
from p2p.net.network import MAX_ANSWER, MAX_ASKING, MAX_BATCH


def test_datagrams_arrive_with_their_source(run):
    async def case(world):
        arrived = asyncio.Queue()
        far = await world.far.open_datagrams(Address(world.far_host, 0), lambda *packet: arrived.put_nowait(packet))
        near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *packet: arrived.put_nowait(packet))
        for data in (b"one", b"", b"x" * 1_400):
            near.send(data, far.local)
            assert await arrived.get() == (data, near.local)
        far.send(b"back", near.local)
        assert await arrived.get() == (b"back", far.local)
        near.close()
        far.close()

    run(case)


def test_datagrams_nobody_can_take_are_lost_in_silence(run):
    async def case(world):
        arrived = asyncio.Queue()
        far = await world.far.open_datagrams(Address(world.far_host, 0), lambda *packet: arrived.put_nowait(packet))
        gone = await world.far.open_datagrams(Address(world.far_host, 0), lambda *_: None)
        gone.close()
        gone.close()
        near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *_: None)
        near.send(b"to nobody", gone.local)
        await asyncio.sleep(0.05)
        near.send(b"x" * 70_000, far.local)
        near.send(b"wrong family", Address("192.0.2.1" if near.local.is_ipv6 else "2001:db8::9", 1))
        near.send(b"heard", far.local)
        assert await arrived.get() == (b"heard", near.local)
        near.close()
        near.send(b"after close", far.local)
        await asyncio.sleep(0.05)
        assert arrived.empty()
        far.close()

    run(case)


def test_a_datagram_socket_closed_in_its_callback_hears_no_more(run):
    async def case(world):
        heard = []

        def once(*packet):
            heard.append(packet)
            far.close()

        far = await world.far.open_datagrams(Address(world.far_host, 0), once)
        near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *_: None)
        for _ in range(3):
            near.send(b"x", far.local)
        await asyncio.sleep(0.1)
        assert len(heard) == 1
        near.close()

    run(case)


def test_datagram_ports_are_held_alone(run):
    async def case(world):
        one = await world.far.open_datagrams(Address(world.far_host, 0), lambda *_: None)
        with world.refused("address already in use"):
            await world.far.open_datagrams(one.local, lambda *_: None)
        one.close()

    run(case)


@pytest.mark.parametrize(
    ("text", "host"), [("127.0.0.1", "127.0.0.1"), ("::FFFF:1.2.3.4", "1.2.3.4"), ("2001:DB8:0::1", "2001:db8::1")]
)
def test_literals_resolve_to_themselves(run, text, host):
    async def case(world):
        assert await world.near.resolve(text, 80) == [Address(host, 80)]

    run(case)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 300, "no-such-name.invalid", "nul\0byte"])
def test_names_without_an_address_are_refused(run, name):
    async def case(world):
        with world.refused():
            await world.near.resolve(name, 80)

    run(case)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_ports_out_of_range_are_refused(run, port):
    async def case(world):
        with world.refused("port"):
            await world.near.resolve("127.0.0.1", port)

    run(case)


def answering(rules):
    """An answerer that answers as `rules` say, and the batches it was given."""
    batches = []

    def answer(packets, sources):
        batches.append(list(zip(packets, sources, strict=True)))
        return [rules.get(packet, packet[::-1]) for packet in packets]

    return answer, batches


def as_source(address):
    return address.port, compact.pack(address)[:-2]


def test_answers_go_back_to_where_each_datagram_came_from(run):
    async def case(world):
        answer, batches = answering({b"silent": b"", b"too much": bytes(MAX_ANSWER + 1), b"much": bytes(MAX_ANSWER)})
        far = await world.far.open_answering(Address(world.far_host, 0), answer)
        asked = {}
        for n in range(3):
            arrived = asyncio.Queue()
            near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *p, q=arrived: q.put_nowait(p))
            asked[near] = arrived
            for data in (b"silent", b"one%d" % n, b"too much", b"silent", b"much", b"two%d" % n, b"silent"):
                near.send(data, far.local)
        for n, (near, arrived) in enumerate(asked.items()):
            for expected in (b"%deno" % n, bytes(MAX_ANSWER), b"%dowt" % n):
                assert await arrived.get() == (expected, far.local)
            near.close()
        heard = [packet for batch in batches for packet in batch]
        assert all(len(batch) <= MAX_BATCH for batch in batches)
        for near in asked:
            own = [data for data, source in heard if source == as_source(near.local)]
            assert [data[:3] for data in own] == [b"sil", b"one", b"too", b"sil", b"muc", b"two", b"sil"]
        far.close()

    run(case)


def test_more_datagrams_than_a_batch_are_all_answered(run):
    async def case(world):
        answer, batches = answering({})
        far = await world.far.open_answering(Address(world.far_host, 0), answer)
        arrived = asyncio.Queue()
        near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *packet: arrived.put_nowait(packet))
        expected = [b"%03d" % n for n in range(2 * MAX_BATCH + 1)]
        for data in expected:
            near.send(data, far.local)
        assert [(await arrived.get())[0][::-1] for _ in expected] == expected
        assert max(map(len, batches)) <= MAX_BATCH
        near.close()
        far.close()

    run(case)


def test_a_datagram_too_long_to_be_asked_is_not_heard(run):
    async def case(world):
        answer, batches = answering({})
        far = await world.far.open_answering(Address(world.far_host, 0), answer)
        arrived = asyncio.Queue()
        near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *packet: arrived.put_nowait(packet))
        near.send(b"x" * (MAX_ASKING + 1), far.local)
        near.send(b"y" * MAX_ASKING, far.local)
        near.send(b"end", far.local)
        assert await arrived.get() == (b"dne", far.local)  # y comes back longer than an answer may be
        heard = [data for batch in batches for data, _ in batch if data]
        assert heard == [b"y" * MAX_ASKING, b"end"]
        near.close()
        far.close()

    run(case)


def test_an_answering_socket_closed_by_its_answerer_is_silent_and_may_send_before(run):
    async def case(world):
        arrived = asyncio.Queue()
        near = await world.near.open_datagrams(Address(world.near_host, 0), lambda *packet: arrived.put_nowait(packet))

        def answer(packets, sources):
            far.send(b"later", near.local)
            far.close()
            far.close()
            return packets

        far = await world.far.open_answering(Address(world.far_host, 0), answer)
        near.send(b"asked", far.local)
        assert await arrived.get() == (b"later", far.local)
        near.send(b"asked", far.local)
        await asyncio.sleep(0.05)
        assert arrived.empty()
        near.close()

    run(case)
