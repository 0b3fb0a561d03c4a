"""What an encrypted stream does to bytes, over a stream that takes and gives as little as it likes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.encrypted_stream import SEND_SIZE, EncryptedStream
from p2p.wire.mse import Rc4

KEY, OTHER = b"k" * 20, b"o" * 20


class Grudging:
    """A stream that takes at most as many bytes a call as it is told, and gives what it holds in the same way."""

    local, remote = Address("127.0.0.1", 1), Address("127.0.0.1", 2)

    def __init__(self):
        self.takes = 0
        self.taken = bytearray()
        self.holds = b""

    def send(self, views):
        content = b"".join(views)[: self.takes]
        self.taken += content
        return len(content)

    def receive_into(self, views):
        count = 0
        for view in views:
            piece = self.holds[: len(view)]
            view[: len(piece)] = piece
            self.holds = self.holds[len(piece) :]
            count += len(piece)
        return count or None


def stream_over(inner):
    return EncryptedStream(inner, encrypt=Rc4(KEY), decrypt=Rc4(OTHER))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.binary(max_size=40), max_size=5),
            st.integers(0, 60),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_exactly_what_was_taken_arrives_whatever_is_offered_next(steps):
    inner = Grudging()
    stream = stream_over(inner)
    sent = bytearray()
    waiting = b""
    for views, takes, same in steps:
        inner.takes = takes
        offered = [waiting, *views] if same else views  # who is refused offers the same again, or something else
        content = b"".join(offered)
        count = stream.send([memoryview(view) for view in offered])
        assert count <= min(takes, len(content))
        sent += content[:count]
        waiting = content[count:]
    assert Rc4(KEY).apply(bytes(inner.taken)) == bytes(sent)


def test_a_large_vector_goes_in_several_sends_under_one_keystream():
    inner = Grudging()
    stream = stream_over(inner)
    content = random.Random(1).randbytes(3 * SEND_SIZE + 5)
    rest = memoryview(content)
    rng = random.Random(2)
    while rest:
        inner.takes = rng.choice([0, 1, 1_000, SEND_SIZE, 10 * SEND_SIZE])
        rest = rest[stream.send([rest[:10], rest[10:]]) :]
    assert Rc4(KEY).apply(bytes(inner.taken)) == content


def test_the_views_of_the_caller_stay_as_they_are():
    inner = Grudging()
    inner.takes = 100
    content = bytearray(b"cached" * 50)
    stream = stream_over(inner)
    stream.send([memoryview(content)])
    stream.send([memoryview(content)[100:]])
    assert content == b"cached" * 50


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=300), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_bytes_are_decrypted_where_they_land_and_nowhere_else(content, sizes):
    inner = Grudging()
    stream = stream_over(inner)
    inner.holds = Rc4(OTHER).apply(content)
    found = bytearray()
    while True:
        places = [bytearray(b"." * size) for size in sizes]
        count = stream.receive_into([memoryview(place) for place in places])
        if count is None:
            break
        landed = b"".join(places)
        found += landed[:count]
        assert landed[count:] == b"." * (len(landed) - count)
    assert bytes(found) == content


def test_the_end_and_a_break_come_through():
    class Ended(Grudging):
        def receive_into(self, views):
            return 0

        def send(self, views):
            raise NetworkError("gone")

    stream = stream_over(Ended())
    assert stream.receive_into([memoryview(bytearray(5))]) == 0
    for _ in range(2):
        with pytest.raises(NetworkError):
            stream.send([b"x"])
