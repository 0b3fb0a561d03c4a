"""What every form of the network port keeps for clients that are answered as they come."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from p2p.codec import compact
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.network import MAX_FIRST_WORDS, MAX_LAST_WORDS


class Place:
    """A far listener, what it was asked and from where, and the streams that it was given."""

    def __init__(self, answers):
        self.answers = answers
        self.asked = []
        self.streams = asyncio.Queue()
        self.listener = None

    def answer(self, received, source):
        self.asked.append((received, source))
        return self.answers.get(received)

    def on_stream(self, stream, received):
        self.streams.put_nowait((stream, received))


@asynccontextmanager
async def answering(world, answers):
    place = Place(answers)
    place.listener = await world.far.listen_answering(Address(world.far_host, 0), place.answer, place.on_stream)
    try:
        yield place
    finally:
        place.listener.close()
        while not place.streams.empty():
            place.streams.get_nowait()[0].close()


async def say(world, place, words):
    near = await world.near.connect(place.listener.local)
    near.send([words])
    return near


def test_first_words_are_answered_and_the_connection_ends(run):
    async def case(world):
        async with answering(world, {b"hello": b"welcome", b"all": b"x" * MAX_LAST_WORDS}) as place:
            for words, expected in ((b"hello", b"welcome"), (b"all", b"x" * MAX_LAST_WORDS)):
                near = await say(world, place, words)
                assert await world.read(near, MAX_LAST_WORDS + 1) == expected
                assert place.asked[-1] == (words, (near.local.port, compact.pack(near.local)[:-2]))
                near.close()
            assert place.streams.empty()

    run(case)


def test_who_is_kept_comes_as_a_stream_with_its_words_and_is_written_to_without_delay(run):
    async def case(world):
        async with answering(world, {}) as place:
            near = await say(world, place, b"stay")
            far, received = await place.streams.get()
            assert received == b"stay"
            assert (far.remote, far.local) == (near.local, near.remote)
            begin = asyncio.get_running_loop().time()
            for n in range(5):
                far.send([b"ask%d" % n])
                assert await world.read(near, 4) == b"ask%d" % n
                near.send([b"told"])
                assert await world.read(far, 4) == b"told"
            # A stream that still waited for its end to go along would hold each of them back for a fifth of a second.
            assert asyncio.get_running_loop().time() - begin < 0.5
            assert len(place.asked) == 1
            far.close()
            assert await world.read(near, 1) == b""
            near.close()

    run(case)


def test_a_silent_client_comes_as_a_stream_and_may_speak_later(run):
    async def case(world):
        async with answering(world, {b"late": b"never asked of this"}) as place:
            near = await world.near.connect(place.listener.local)
            far, received = await place.streams.get()
            assert received == b""
            near.send([b"late"])
            assert await world.read(far, 4) == b"late"
            assert place.asked == []
            near.close()
            far.close()

    run(case)


def test_words_beyond_the_bound_are_not_asked_about_and_none_is_lost(run):
    async def case(world):
        words = bytes(range(256)) * 64
        async with answering(world, dict.fromkeys([words, words[:MAX_FIRST_WORDS]], b"no")) as place:
            near = await say(world, place, words)
            far, received = await place.streams.get()
            assert received == words[: len(received)]
            assert len(received) <= MAX_FIRST_WORDS
            assert received + await world.read(far, len(words) - len(received)) == words
            assert all(len(asked) < MAX_FIRST_WORDS for asked, _ in place.asked)
            near.close()
            far.close()

    run(case)


def test_clients_that_go_before_they_speak_or_are_answered_harm_nobody(run):
    async def case(world):
        async with answering(world, {b"hello": b"welcome"}) as place:
            for words in (b"", b"hello", b"stay"):
                for end in ("close", "abort"):
                    near = await say(world, place, words)
                    getattr(near, end)()
            near = await say(world, place, b"hello")
            assert await world.read(near, 100) == b"welcome"
            near.close()
            assert {asked for asked, _ in place.asked} <= {b"hello", b"stay"}

    run(case)


def test_many_clients_at_once_are_each_told_their_own(run):
    async def case(world):
        answers = {b"%03d" % n: b"answer %d" % n for n in range(150)}
        async with answering(world, answers) as place:
            nears = [await say(world, place, words) for words in answers]
            for near, expected in zip(nears, answers.values(), strict=True):
                assert await world.read(near, 100) == expected
                near.close()
            assert sorted(asked for asked, _ in place.asked) == sorted(answers)

    run(case)


def test_a_listener_closed_by_its_answerer_answers_that_one_and_takes_no_more(run):
    async def case(world):
        async with answering(world, {}) as place:

            def last(received, source):
                place.asked.append((received, source))
                place.listener.close()
                return b"last"

            place.answer = last
            closing = await world.far.listen_answering(Address(world.far_host, 0), last, place.on_stream)
            place.listener.close()
            place.listener = closing
            near = await say(world, place, b"x")
            assert await world.read(near, 100) == b"last"
            near.close()
            with world.refused("connection refused"):
                await world.near.connect(closing.local)
            assert len(place.asked) == 1

    run(case)


def test_it_holds_its_port_alone(run):
    async def case(world):
        async with answering(world, {}) as place:
            with world.refused("address already in use"):
                await world.far.listen_answering(place.listener.local, place.answer, place.on_stream)

    run(case)


def test_an_answer_that_finds_no_room_is_no_answer_at_all(run):
    async def case(world):
        much = b"x" * (64 << 20)
        async with answering(world, {b"much": much}) as place:
            near = await say(world, place, b"much")
            room = memoryview(bytearray(1 << 20))
            failed = []

            def ends():
                try:
                    while (count := near.receive_into([room])) is not None:
                        if count == 0:
                            return True
                except NetworkError as error:
                    failed.append(error)
                    return True
                return False

            await world.until(ends, near.on_readable)
            assert failed
            near.close()

    run(case)
