"""A stream some of whose bytes were read before: the port's rules while they wait, and the way over to what follows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.asyncio_network import AsyncioNetwork
from p2p.net.network import MAX_VIEWS
from p2p.net.prefixed_stream import PrefixedStream
from p2p.session.stream_io import read_exactly, write_all


@asynccontextmanager
async def prefixed(first):
    """A stream with `first` before all else, and the far end."""
    network = AsyncioNetwork()
    streams = asyncio.Queue()
    listener = await network.listen(Address("127.0.0.1", 0), streams.put_nowait)
    near = PrefixedStream(await network.connect(listener.local), first)
    far = await streams.get()
    listener.close()
    try:
        yield near, far
    finally:
        near.close()
        far.close()


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def view(size):
    return memoryview(bytearray(size))


async def test_the_first_bytes_come_first_and_the_others_after_them():
    async with prefixed(b"first") as (near, far):
        assert near.local == far.remote
        assert near.remote == far.local
        await write_all(far, b" and then")
        assert await read_exactly(near, 3) == b"fir"
        assert await read_exactly(near, 6) == b"st and"
        assert await read_exactly(near, 5) == b" then"
        await write_all(near, b"back")
        assert await read_exactly(far, 4) == b"back"
        far.close()
        with pytest.raises(NetworkError, match="closed"):
            await read_exactly(near, 1)


async def test_views_are_filled_in_order():
    async with prefixed(b"abcdef") as (near, _):
        one, two, three = view(1), view(2), view(9)
        assert near.receive_into([one, two, three]) == 6
        assert bytes(one) + bytes(two) + bytes(three[:3]) == b"abcdef"
        assert near.receive_into([one]) is None


async def test_a_call_takes_at_most_max_views():
    async with prefixed(b"x" * (MAX_VIEWS + 5)) as (near, _):
        assert near.receive_into([view(1)] * (MAX_VIEWS + 5)) == MAX_VIEWS
        assert near.receive_into([view(10)]) == 5


async def test_no_room_is_a_bug():
    async with prefixed(b"x") as (near, _):
        for views in ([], [view(0)]):
            with pytest.raises(ValueError, match="no room"):
                near.receive_into(views)


async def test_a_reader_is_called_once_a_turn_while_bytes_wait_then_by_the_stream_below():
    async with prefixed(b"ab") as (near, far):
        calls = []
        near.on_readable(lambda: calls.append(1))
        near.on_readable(lambda: calls.append(2))
        assert calls == []
        await turns(3)
        assert calls == [2, 2, 2]
        near.on_readable(None)
        await turns(3)
        assert calls == [2, 2, 2]
        near.on_readable(lambda: calls.append(3))
        near.receive_into([view(2)])
        await turns()
        await asyncio.sleep(0.02)
        assert calls == [2, 2, 2]
        await write_all(far, b"c")
        async with asyncio.timeout(5):
            while calls[-1] != 3:
                await asyncio.sleep(0.001)


async def test_a_reader_that_reads_all_is_called_for_what_follows():
    async with prefixed(b"ab") as (near, far):
        found = bytearray()
        whole = asyncio.get_running_loop().create_future()

        def read():
            place = view(1)
            count = near.receive_into([place])
            found.extend(place[: count or 0])
            if len(found) == 4:
                near.on_readable(None)
                whole.set_result(None)

        near.on_readable(read)
        await write_all(far, b"cd")
        async with asyncio.timeout(5):
            await whole
        assert found == b"abcd"


async def test_a_reader_that_leaves_in_its_call_is_not_called_again():
    async with prefixed(b"ab") as (near, _):
        calls = []

        def once():
            calls.append(1)
            near.on_readable(None)

        near.on_readable(once)
        await turns()
        assert calls == [1]


async def test_a_writer_is_called_by_the_stream_below():
    async with prefixed(b"ab") as (near, _):
        called = asyncio.Event()
        near.on_writable(called.set)
        async with asyncio.timeout(5):
            await called.wait()
        near.on_writable(None)


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_nothing_is_read_or_called_after_the_end(end):
    async with prefixed(b"ab") as (near, _):
        near.on_readable(lambda: pytest.fail("called after the end"))
        getattr(near, end)()
        getattr(near, end)()
        near.on_readable(lambda: pytest.fail("called after the end"))
        await turns()
        with pytest.raises(NetworkError):
            near.receive_into([view(1)])
        with pytest.raises(NetworkError):
            near.send([b"x"])
