"""Any byte stream gives events or RemoteProtocolError, never another error, and no arena is lost on the way."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import RemoteProtocolError
from p2p.ids import Block
from p2p.wire.arena import ArenaPool
from p2p.wire.connection import Connection
from p2p.wire.events import BlockReceived, BlocksReceived, RequestReceived
from p2p.wire.extension import ExtensionHandshake

LENGTHS = {6: 12, 8: 12, 16: 12, 4: 4, 13: 4, 17: 4, 9: 2, 5: 2, 21: 48, 23: 48}

numbers = st.integers(0, 12) | st.sampled_from([16_383, 16_384, 16_385, 2**31, 2**32 - 1])
sizes = st.integers(0, 40) | st.sampled_from([16_384, 16_385, 40_000])


def fill(views: list[memoryview], data: bytes) -> int:
    taken = 0
    for view in views:
        if taken == len(data):
            break
        part = data[taken : taken + len(view)]
        view[: len(part)] = part
        taken += len(part)
    return taken


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """A message whose frame is mostly right and whose content is mostly near a bound."""
    kind = draw(st.integers(0, 24) | st.integers(0, 255))
    body = b"".join(struct.pack(">I", draw(numbers)) for _ in range(3))
    if kind == 7:
        body = body[:8] + bytes(draw(sizes))
    elif kind == 20:
        body = bytes((draw(st.integers(0, 3)),)) + draw(st.binary(max_size=40) | st.just(b"d1:md1:ai1eee"))
    elif kind == 22:
        body = bytes(44) + struct.pack(">I", draw(numbers)) + bytes(32 * draw(st.integers(0, 3)))
    elif kind in LENGTHS:
        body = body.ljust(48, b"\0")[: LENGTHS[kind]]
    elif draw(st.booleans()):
        body = b""
    length = len(body) + 1 + draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, -1, 1, 50_000]))
    return struct.pack(">IB", max(length, 0), kind) + body


streams = st.lists(framed() | st.just(bytes(4)), max_size=12).map(b"".join) | st.binary(max_size=400)


@settings(max_examples=300)
@given(
    streams,
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(1, 20_000), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_any_stream_gives_events_or_a_remote_error(
    stream: bytes, fast: bool, extension: bool, cuts: list[int], max_requests: int
) -> None:
    arenas = ArenaPool(arena_size=65_536)
    connection = Connection(
        piece_count=11,
        piece_size=lambda piece: 7 if piece == 10 else 32_768,
        fast=fast,
        extension=extension,
        arenas=arenas,
        max_requests=max_requests,
        now=0.0,
    )
    if fast:
        connection.send_have_all()
    connection.send_unchoke()
    if extension:
        connection.send_extension_handshake(ExtensionHandshake({"a": 1, "b": 2}))
    blocks: list[BlockReceived] = []
    turn = taken = 0
    try:
        while taken < len(stream):
            n = fill(connection.receive_views(), stream[taken : taken + cuts[turn % len(cuts)]])
            taken, turn = taken + n, turn + 1
            for event in connection.receive_data(n, float(turn)):
                match event:
                    case BlockReceived():
                        blocks.append(event)
                        assert 0 <= event.piece < 11
                        assert 0 < event.length == len(event.view) <= 16_384
                    case BlocksReceived():
                        blocks += event.each()
                        assert 0 <= event.piece < 11
                        assert 0 <= event.begin <= 32_768 - 16_384 * event.blocks
                    case RequestReceived(block):
                        connection.send_block(block, bytes(block.length))
                    case _:
                        pass
        assert connection.bytes_received == len(stream)
    except RemoteProtocolError:
        connection.close()
    while views := connection.views_to_send(10_000):
        connection.data_sent(sum(map(len, views)), 0.0)
    assert connection.pending == connection.pending_blocks == 0
    connection.close()
    for event in blocks:
        event.arena.unpin()
    assert arenas.in_use == 0


asks = st.tuples(numbers, numbers, numbers).map(lambda numbers: Block(*numbers))


@given(st.lists(asks, max_size=10))
def test_no_request_outside_the_torrent_is_reported(blocks: list[Block]) -> None:
    arenas = ArenaPool(arena_size=65_536)
    connection = Connection(
        piece_count=11,
        piece_size=lambda piece: 7 if piece == 10 else 32_768,
        fast=True,
        extension=False,
        arenas=arenas,
        max_requests=100,
        now=0.0,
    )
    data = b"".join(struct.pack(">IBIII", 13, 6, *block) for block in blocks)
    (room,) = connection.receive_views()
    room[: len(data)] = data
    legal = all(piece < 11 and 0 < length <= 16_384 and begin + length <= (7 if piece == 10 else 32_768)
                for piece, begin, length in blocks)  # fmt: skip
    try:
        events = connection.receive_data(len(data), 0.0)
    except RemoteProtocolError:
        assert not legal
    else:
        assert legal
        assert [event.block for event in events] == list(dict.fromkeys(blocks))
