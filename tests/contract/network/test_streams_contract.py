"""What every form of the network port keeps for streams and listeners."""

from __future__ import annotations

import asyncio
import random

import pytest

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.network import MAX_VIEWS


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def test_both_ends_agree_on_their_addresses(run):
    async def case(world):
        async with world.pair() as (near, far):
            assert near.local == far.remote
            assert near.remote == far.local
            assert near.local.host == world.near_host
            assert near.remote.host == world.far_host
            assert near.local.port

    run(case)


def test_connect_binds_the_near_end(run):
    async def case(world):
        async with world.listening() as (listener, streams):
            near = await world.near.connect(listener.local, local=Address(world.near_host, 0))
            far = await streams.get()
            assert far.remote.host == world.near_host
            near.close()
            far.close()
            with world.refused("cannot assign requested address"):
                other = "2001:db8:ffff::9" if near.local.is_ipv6 else "192.0.2.9"
                await world.near.connect(listener.local, local=Address(other, 0))

    run(case)


def test_connect_to_a_closed_place_is_refused(run):
    async def case(world):
        async with world.listening() as (listener, _):
            place = listener.local
        with world.refused("connection refused"):
            await world.near.connect(place)

    run(case)


def test_listener_chooses_a_port_and_holds_it_alone(run):
    async def case(world):
        async with world.listening() as (listener, _):
            assert listener.local.host == world.far_host
            assert listener.local.port
            with world.refused("address already in use"):
                await world.far.listen(listener.local, lambda _: None)
        again = await world.far.listen(listener.local, lambda _: None)
        again.close()
        again.close()

    run(case)


def test_wildcard_listener_takes_streams_for_every_address(run):
    async def case(world):
        streams = asyncio.Queue()
        wildcard = "::" if ":" in world.far_host else "0.0.0.0"
        listener = await world.far.listen(Address(wildcard, 0), streams.put_nowait)
        near = await world.near.connect(Address(world.far_host, listener.local.port))
        far = await streams.get()
        assert far.local == near.remote
        near.close()
        far.close()
        listener.close()

    run(case)


def test_wildcard_listeners_of_both_families_share_a_port(run):
    async def case(world):
        one = await world.far.listen(Address("0.0.0.0", 0), lambda _: None)
        other = await world.far.listen(Address("::", one.local.port), lambda _: None)
        one.close()
        other.close()

    run(case)


def test_vectors_of_views_arrive_as_one_stream(run):
    async def case(world):
        async with world.pair() as (near, far):
            assert near.send([b"ab", memoryview(b"cde"), b"", bytearray(b"f")]) == 6
            await world.until(lambda: True, far.on_readable)
            one, two, three = bytearray(1), bytearray(2), bytearray(9)
            assert far.receive_into([memoryview(one), memoryview(two), memoryview(three)]) == 6
            assert bytes(one + two + three[:3]) == b"abcdef"
            assert far.receive_into([memoryview(one)]) is None
            assert far.receive_into([memoryview(one), memoryview(two)]) is None

    run(case)


def test_a_call_takes_at_most_max_views(run):
    async def case(world):
        async with world.pair() as (near, far):
            assert near.send([b"x"] * (MAX_VIEWS + 5)) == MAX_VIEWS
            assert await world.read(far, MAX_VIEWS) == b"x" * MAX_VIEWS
            near.send([b"y" * (MAX_VIEWS + 5)])
            await world.until(lambda: True, far.on_readable)
            target = memoryview(bytearray(MAX_VIEWS + 5))
            count = far.receive_into([target[i : i + 1] for i in range(MAX_VIEWS + 5)])
            assert count == MAX_VIEWS

    run(case)


def test_a_full_stream_takes_nothing_until_it_is_read(run):
    async def case(world):
        async with world.pair() as (near, far):
            content = bytes(range(256)) * 512
            sent = 0
            idle = 0
            while idle < 20:  # the kernel may still be moving bytes from one buffer to the next
                taken = near.send([content, content])
                sent += taken
                idle = 0 if taken else idle + 1
                await asyncio.sleep(0.001)
            called = []
            near.on_writable(lambda: called.append(1))
            await turns()
            assert not called
            near.on_writable(None)
            reading = asyncio.ensure_future(world.read(far, sent + 3))
            await world.write(near, b"end")
            received = await reading
            assert len(received) == sent + 3
            assert received.endswith(b"end")

    run(case)


def test_large_content_arrives_whole_in_both_directions_at_once(run):
    async def case(world):
        async with world.pair() as (near, far):
            there, back = random.Random(2).randbytes(3_000_001), random.Random(3).randbytes(2_000_003)
            results = await asyncio.gather(
                world.write(near, there),
                world.write(far, back),
                world.read(far, len(there)),
                world.read(near, len(back)),
            )
            assert results[2:] == [there, back]

    run(case)


def test_close_ends_the_stream_after_what_was_sent(run):
    async def case(world):
        async with world.pair() as (near, far):
            near.send([b"last words"])
            near.close()
            near.close()
            assert await world.read(far, 100) == b"last words"
            assert far.receive_into([memoryview(bytearray(1))]) == 0
            assert far.receive_into([memoryview(bytearray(1))]) == 0

    run(case)


def test_close_with_unread_input_still_delivers_what_was_sent(run):
    async def case(world):
        async with world.pair() as (near, far):
            far.send([b"never read"])
            await world.until(lambda: True, near.on_readable)
            near.send([b"last words"])
            near.close()
            assert await world.read(far, 10) == b"last words"

    run(case)


def test_sending_to_a_closed_end_breaks_the_stream(run):
    async def case(world):
        async with world.pair() as (near, far):
            far.close()
            assert await world.read(near, 1) == b""

            def fails():
                try:
                    near.send([b"x"])
                except NetworkError:
                    return True
                return False

            await world.until(fails, near.on_writable)
            with world.refused():
                near.send([b"x"])

    run(case)


def test_abort_resets_the_other_end(run):
    async def case(world):
        async with world.pair() as (near, far):
            near.abort()
            near.abort()
            await world.broken(far)
            with world.refused():
                far.receive_into([memoryview(bytearray(1))])
            with world.refused():
                far.send([b"x"])

    run(case)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_stream_that_was_ended_here_refuses_every_use(run, end):
    async def case(world):
        async with world.pair() as (near, far):
            far.send([b"x"])
            await world.until(lambda: True, near.on_readable)
            getattr(near, end)()
            with world.refused():
                near.receive_into([memoryview(bytearray(1))])
            with world.refused():
                near.send([b"x"])
            near.on_readable(lambda: pytest.fail("called back after its end"))
            near.on_writable(lambda: pytest.fail("called back after its end"))
            near.on_readable(None)
            near.on_writable(None)
            near.close()
            near.abort()
            assert near.local
            assert near.remote
            await asyncio.sleep(0.01)

    run(case)


def test_offering_no_room_is_a_bug_and_not_the_end(run):
    async def case(world):
        async with world.pair() as (near, far):
            near.send([b"x"])
            await world.until(lambda: True, far.on_readable)
            with pytest.raises(ValueError, match="no room"):
                far.receive_into([memoryview(bytearray())])
            with pytest.raises(ValueError, match="no room"):
                far.receive_into([memoryview(bytearray()), memoryview(bytearray())])

    run(case)


def test_readable_calls_back_while_bytes_wait(run):
    async def case(world):
        async with world.pair() as (near, far):
            calls = []
            far.on_readable(lambda: calls.append(1))
            await asyncio.sleep(0.05)
            assert not calls
            near.send([b"x"])
            far.on_readable(None)
            await asyncio.sleep(0.05)
            assert not calls
            await world.until(lambda: calls.append(1) or len(calls) >= 3, far.on_readable)
            far.receive_into([memoryview(bytearray(1))])
            calls.clear()
            far.on_readable(lambda: calls.append(1))
            await asyncio.sleep(0.05)
            assert not calls

    run(case)


def test_readable_calls_back_at_the_end_of_the_stream_again_and_again(run):
    async def case(world):
        async with world.pair() as (near, far):
            near.close()
            assert await world.read(far, 1) == b""
            calls = []
            await world.until(lambda: calls.append(1) or len(calls) >= 3, far.on_readable)

    run(case)


def test_writable_calls_back_once_a_turn_and_never_inside_a_method(run):
    async def case(world):
        async with world.pair() as (near, _):
            calls = []
            near.on_writable(lambda: calls.append(1))
            assert not calls
            near.send([b"x"])
            assert not calls
            await world.until(lambda: calls.append(1) or len(calls) >= 3, near.on_writable)

    run(case)


def test_a_new_callback_replaces_the_old_one(run):
    async def case(world):
        async with world.pair() as (near, far):
            far.on_readable(lambda: pytest.fail("replaced, yet called"))
            calls = []
            far.on_readable(lambda: (calls.append(1), far.on_readable(None)))
            near.send([b"x"])
            while not calls:
                await asyncio.sleep(0.01)
            await turns()
            assert calls == [1]

    run(case)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_ending_inside_a_callback_is_the_last_one(run, end):
    async def case(world):
        async with world.pair() as (near, far):
            calls = []

            def finish():
                calls.append(1)
                getattr(far, end)()

            near.send([b"x"])
            far.on_readable(finish)
            far.on_writable(lambda: near.send([b"y"]))
            while not calls:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert calls == [1]

    run(case)


def test_a_cancelled_connect_leaves_nothing(run):
    async def case(world):
        async with world.listening() as (listener, streams):
            attempt = asyncio.ensure_future(world.near.connect(listener.local))
            await asyncio.sleep(0)
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
            await asyncio.sleep(0.1)
            if not streams.empty():  # it got through before it was given up: then it has ended
                far = streams.get_nowait()
                view = memoryview(bytearray(1))

                def ended():
                    try:
                        return far.receive_into([view]) == 0
                    except NetworkError:
                        return True

                await world.until(ended, far.on_readable)
                far.close()

    run(case)


def test_many_connects_at_once_all_arrive(run):
    async def case(world):
        async with world.listening() as (listener, streams):
            near = await asyncio.gather(*(world.near.connect(listener.local) for _ in range(150)))
            far = [await streams.get() for _ in near]
            assert sorted(stream.local for stream in near) == sorted(stream.remote for stream in far)
            for stream in (*near, *far):
                stream.close()

    run(case)
