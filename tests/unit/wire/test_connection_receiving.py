"""What a peer sends: read the same however it is cut, without copying blocks, and refused where the BEPs forbid it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import Block
from p2p.wire import messages
from p2p.wire.arena import ArenaPool
from p2p.wire.connection import Connection
from p2p.wire.events import (
    AllowedFast,
    BitfieldReceived,
    BlockReceived,
    CancelReceived,
    Choked,
    ExtensionHandshakeReceived,
    ExtensionMessage,
    HashesReceived,
    HashRejectReceived,
    HashRequestReceived,
    HaveAll,
    HaveNone,
    HaveReceived,
    Interested,
    NotInterested,
    PortReceived,
    RejectReceived,
    RequestReceived,
    Suggested,
    Unchoked,
)
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.messages import HashRequest


def message(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def span(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def piece(index: int, begin: int, block: bytes) -> bytes:
    return message(7, span(index, begin) + block)


BLOCK = bytes(range(256)) * 64
HASHES = HashRequest(b"r" * 32, 2, 4, 2, 3)
HASH_SPAN = b"r" * 32 + span(2, 4, 2, 3)
EXTENDED = ExtensionHandshake({"ut_pex": 1}, client="x", request_queue=9)

SAMPLES = {
    "keep-alive": (bytes(4), []),
    "choke that changes nothing": (message(0), []),
    "unchoke twice": (message(1) * 2, [Unchoked()]),
    "unchoke and choke twice": (message(1) + message(0) * 2, [Unchoked(), Choked()]),
    "interest": (message(2) + message(3), [Interested(), NotInterested()]),
    "interest twice": (message(3) + message(2) * 2 + message(3) * 2, [Interested(), NotInterested()]),
    "have": (message(4, span(9)), [HaveReceived(9)]),
    "bitfield": (message(5, b"\xff\xc0"), [BitfieldReceived(b"\xff\xc0")]),
    "request": (message(6, span(9, 16_384, 3_616)), [RequestReceived(Block(9, 16_384, 3_616))]),
    "request and cancel": (
        message(6, span(1, 0, 16_384)) + message(8, span(1, 0, 16_384)),
        [RequestReceived(Block(1, 0, 16_384)), CancelReceived(Block(1, 0, 16_384))],
    ),
    "cancel of nothing": (message(8, span(1, 0, 16_384)), []),
    "same request twice": (message(6, span(1, 0, 5)) * 2, [RequestReceived(Block(1, 0, 5))]),
    "blocks": (
        piece(0, 0, BLOCK) + piece(0, 16_384, BLOCK) + piece(9, 16_384, BLOCK[:3_616]) + message(4, span(1)),
        [
            (BlockReceived, (0, 0, 16_384, BLOCK)),
            (BlockReceived, (0, 16_384, 16_384, BLOCK)),
            (BlockReceived, (9, 16_384, 3_616, BLOCK[:3_616])),
            HaveReceived(1),
        ],
    ),
    "port": (message(9, b"\x1a\xe1"), [PortReceived(6881)]),
    "port 0": (message(9, bytes(2)), []),
    "suggest": (message(13, span(3)), [Suggested(3)]),
    "have all": (message(14), [HaveAll()]),
    "have none": (message(15), [HaveNone()]),
    "reject": (message(16, span(1, 0, 16_384)), [RejectReceived(Block(1, 0, 16_384))]),
    "allowed fast twice": (message(17, span(3)) * 2, [AllowedFast(3)]),
    "extension messages, then bitfield": (
        message(20, b"\0" + EXTENDED.encode()) + message(20, b"\x07?") + message(9, span(1)[2:]) + message(5, bytes(2)),
        [ExtensionHandshakeReceived(EXTENDED), PortReceived(1), BitfieldReceived(bytes(2))],
    ),
    "bitfield in place of haves": (
        message(15) + message(4, span(1)) + message(5, b"\x60\x00"),
        [HaveNone(), HaveReceived(1), BitfieldReceived(b"\x60\x00")],
    ),
    "second bitfield": (
        message(5, b"\x80\x00") + message(5, b"\xff\xc0"),
        [BitfieldReceived(b"\x80\x00"), BitfieldReceived(b"\xff\xc0")],
    ),
    "have all in place of haves": (
        message(5, b"\x80\x00") + message(4, span(1)) + message(14) * 2,
        [BitfieldReceived(b"\x80\x00"), HaveReceived(1), HaveAll(), HaveAll()],
    ),
    "hash request": (message(21, HASH_SPAN), [HashRequestReceived(HASHES)]),
    "hashes": (message(22, HASH_SPAN + b"a" * 32 + b"b" * 32), [HashesReceived(HASHES, (b"a" * 32, b"b" * 32))]),
    "hash reject": (message(23, HASH_SPAN), [HashRejectReceived(HASHES)]),
    "unknown ids, then bitfield": (message(99, bytes(16_384)) + message(30) + message(14), [HaveAll()]),
}


def expected(events: list[object]) -> list[tuple[type, object]]:
    return [event if type(event) is tuple else (type(event), event) for event in events]


@pytest.mark.parametrize(("data", "events"), SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("way", ["whole", "byte by byte", "trailing bytes"])
def test_every_message_is_read_however_it_is_cut(connect, feed, settled, arenas, *, data, events, way) -> None:
    connection = connect()
    if way == "trailing bytes":
        data += message(4, span(2)) + b"\0\0\0"
        events = [*events, HaveReceived(2)]
    got = settled(feed(connection, data, step=1 if way == "byte by byte" else None))
    assert got == expected(events)
    assert connection.bytes_received == len(data)
    assert arenas.in_use == (arenas.arena_size if way == "trailing bytes" else 0)
    connection.close()
    assert arenas.in_use == 0


FORBIDDEN = {
    "have of no piece": message(4, span(10)),
    "suggest of no piece": message(13, span(10)),
    "allowed fast of no piece": message(17, span(2**32 - 1)),
    "request of no piece": message(6, span(10, 0, 1)),
    "request of nothing": message(6, span(0, 0, 0)),
    "request of more than a block": message(6, span(0, 0, 16_385)),
    "request past the piece": message(6, span(9, 16_384, 3_617)),
    "cancel past the piece": message(8, span(0, 2**32 - 1, 1)),
    "reject past the piece": message(16, span(0, 32_768, 1)),
    "empty block": piece(0, 0, b""),
    "block too long": piece(0, 0, bytes(16_385)),
    "block past the piece": piece(9, 16_384, bytes(3_617)),
    "block of no piece": piece(10, 0, b"x"),
    "short bitfield": message(5, b"\xff"),
    "long bitfield": message(5, b"\xff\xc0\0"),
    "spare bits": message(5, b"\xff\xe0"),
    "have none after have all": message(14) + message(15),
    "have none late": message(1) + message(15),
    "choke with payload": message(0, b"x"),
    "short have": message(4, b"xxx"),
    "extended without id": message(20),
    "endless extended": struct.pack(">IB", 262_146, 20),
    "endless unknown": struct.pack(">IB", 16_386, 99),
    "endless anything": b"\xff" * 5,
    "extension handshake of garbage": message(20, b"\0garbage"),
    "short hash request": message(21, HASH_SPAN[:-1]),
    "hash request of nothing": message(21, b"r" * 32 + span(0, 0, 0, 0)),
    "hash request above all trees": message(21, b"r" * 32 + span(65, 0, 2, 0)),
    "torn hashes": message(22, HASH_SPAN + b"x" * 33),
    "no hashes": message(22, HASH_SPAN),
    "more hashes than anybody asks for": message(22, HASH_SPAN + bytes(32 * 577)),
}


@pytest.mark.parametrize("data", FORBIDDEN.values(), ids=FORBIDDEN)
@pytest.mark.parametrize("step", [None, 1])
def test_what_the_protocol_forbids_is_the_peers_fault(connect, feed, arenas, data: bytes, step: int | None) -> None:
    connection = connect()
    with pytest.raises(RemoteProtocolError):
        feed(connection, data, step)
    connection.close()


def test_an_error_leaves_no_pin_behind(connect, feed, arenas) -> None:
    connection = connect()
    with pytest.raises(RemoteProtocolError):
        feed(connection, piece(0, 0, BLOCK) + message(4, span(77)))
    connection.close()
    assert arenas.in_use == 0


@pytest.mark.parametrize(
    "data", [message(13, span(1)), message(14), message(15), message(16, span(1, 0, 5)), message(17, span(1))]
)
def test_fast_messages_without_the_extension_are_forbidden(connect, feed, data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(connect(fast=False), data)


def test_extended_messages_without_the_extension_are_skipped(connect, feed) -> None:
    assert feed(connect(extension=False), message(20, b"\0garbage") + message(4, span(1))) == [HaveReceived(1)]


def test_a_length_is_judged_before_the_bytes_arrive(connect, feed) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(connect(), struct.pack(">IB", 100, 4))


def test_state_follows_what_the_peer_says(connect, feed) -> None:
    connection = connect()
    assert connection.peer_choking
    assert not connection.peer_interested
    feed(connection, message(1) + message(2), now=5.0)
    assert not connection.peer_choking
    assert connection.peer_interested
    assert connection.last_received == 5.0
    feed(connection, message(0) + message(3), now=6.0)
    assert connection.peer_choking
    assert not connection.peer_interested


def test_blocks_are_where_they_landed(connect, arenas) -> None:
    connection = connect()
    (room,) = connection.receive_views()
    data = piece(0, 0, BLOCK)
    room[: len(data)] = data
    (event,) = connection.receive_data(len(data), 0.0)
    assert connection.payload_received == 16_384
    room[13] = 0xEE
    assert event.view[0] == event.arena.view[event.at] == 0xEE
    assert len(event.view) == event.length
    event.arena.unpin()
    assert arenas.in_use == 0


def test_a_pinned_arena_is_not_written_over(connect, feed, arenas) -> None:
    connection = connect()
    kept = feed(connection, piece(0, 0, BLOCK))
    more = [event for _ in range(20) for event in feed(connection, piece(1, 0, bytes(16_384)))]
    assert bytes(kept[0].view) == BLOCK
    for event in kept + more:
        event.arena.unpin()
    assert arenas.in_use == 0


def test_blocks_that_come_one_by_one_share_an_arena(connect, feed, arenas) -> None:
    connection = connect()
    events = [event for begin in (0, 16_384) for event in feed(connection, piece(0, begin, BLOCK))]
    assert events[0].arena is events[1].arena
    assert arenas.in_use == arenas.arena_size


def test_an_arena_returned_in_between_is_not_entered_again(connect, feed, arenas) -> None:
    ours, other = connect(), connect()
    (first,) = feed(ours, piece(0, 0, BLOCK))
    first.arena.unpin()
    (foreign,) = feed(other, piece(0, 0, BLOCK))
    assert foreign.arena is first.arena
    (second,) = feed(ours, piece(1, 0, bytes(16_384)))
    assert second.arena is not foreign.arena
    assert bytes(foreign.view) == BLOCK


def test_an_idle_peer_holds_no_arena(connect, arenas) -> None:
    connection = connect()
    connection.receive_views()
    assert arenas.in_use == arenas.arena_size
    assert connection.receive_data(0, 9.0) == []
    assert arenas.in_use == 0
    assert connection.last_received == 0.0


def test_a_message_longer_than_an_arena_is_gathered(connect, feed, settled, arenas) -> None:
    pieces = 1 << 21
    connection = connect(pieces=pieces)
    connection.send_extension_handshake(ExtensionHandshake({"big": 4}))
    bits = b"\xa5" * (pieces // 8)
    data = message(5, bits) + message(20, b"\x04" + bytes(262_000)) + message(4, span(pieces - 2))
    got = settled(feed(connection, data, step=40_000))
    assert got == expected([BitfieldReceived(bits), ExtensionMessage("big", bytes(262_000)), HaveReceived(pieces - 2)])
    assert arenas.in_use == 0


def test_a_gathered_bitfield_comes_first_or_later(connect, feed) -> None:
    connection = connect(pieces=1 << 20)
    bits = bytes(1 << 17)
    assert feed(connection, message(5, bits) + message(1) + message(5, bits))[2] == BitfieldReceived(bits)
    with pytest.raises(RemoteProtocolError):
        feed(connection, message(15))


def test_more_bytes_than_room_is_our_bug(connect) -> None:
    connection = connect()
    with pytest.raises(LocalProtocolError):
        connection.receive_data(1, 0.0)
    (room,) = connection.receive_views()
    with pytest.raises(LocalProtocolError):
        connection.receive_data(len(room) + 1, 0.0)


def test_extension_messages_come_by_our_ids(connect, feed) -> None:
    connection = connect()
    connection.send_extension_handshake(ExtensionHandshake({"ut_pex": 1, "ut_metadata": 2}))
    connection.send_extension_handshake(ExtensionHandshake({"ut_pex": 0, "ut_metadata": 3}))
    data = b"".join(message(20, bytes((extended_id,)) + b"!") for extended_id in (1, 2, 3))
    assert feed(connection, data) == [ExtensionMessage("ut_metadata", b"!")]


def test_a_second_extension_handshake_adds_to_the_first(connect, feed) -> None:
    connection = connect()
    feed(connection, message(20, b"\0" + EXTENDED.encode()))
    feed(connection, message(20, b"\0" + bencode.encode({b"m": {b"ut_metadata": 3}})))
    assert connection.peer_extension == ExtensionHandshake({"ut_pex": 1, "ut_metadata": 3}, "x", 9)


def test_requests_past_the_limit_are_rejected(connect, feed, sent) -> None:
    connection = connect(max_requests=2)
    connection.send_have_all()
    sent(connection)
    asks = b"".join(message(6, span(0, begin, 1)) for begin in range(3))
    assert feed(connection, asks) == [RequestReceived(Block(0, 0, 1)), RequestReceived(Block(0, 1, 1))]
    assert sent(connection) == message(16, span(0, 2, 1))


def test_without_fast_requests_past_the_limit_or_while_choked_are_dropped(connect, feed, sent) -> None:
    connection = connect(fast=False, max_requests=1)
    assert feed(connection, message(6, span(0, 0, 1))) == []
    connection.send_unchoke()
    sent(connection)
    asks = message(6, span(0, 0, 1)) + message(6, span(0, 1, 1))
    assert feed(connection, asks) == [RequestReceived(Block(0, 0, 1))]
    assert not connection.pending
    assert feed(connection, message(8, span(0, 0, 1))) == [CancelReceived(Block(0, 0, 1))]
    assert not connection.unanswered


def answer(connection: Connection, events: list[object]) -> None:
    """Say to the events of a peer what a session says while the peer may have nothing."""
    for event in events:
        match event:
            case RequestReceived(block=block) | CancelReceived(block=block) if block in connection.unanswered:
                connection.send_reject(block)
            case HashRequestReceived(request=request):
                connection.send_hash_reject(request)


@pytest.mark.parametrize(
    "asked",
    [
        b"".join(message(6, span(0, begin, 1)) for begin in range(100)),
        b"".join(message(6, span(0, begin, 1)) + message(8, span(0, begin, 1)) for begin in range(100)),
        message(21, HASH_SPAN) * 100,
    ],
    ids=["requests", "requests taken back", "hash requests"],
)
@pytest.mark.parametrize("limit", [0, 100])
def test_a_peer_that_asks_and_never_reads_is_dropped(connect, feed, asked, limit) -> None:
    connection = connect(max_requests=limit)
    connection.send_have_none()

    def ask_without_reading() -> None:
        for _ in range(1_000):
            answer(connection, feed(connection, asked))

    with pytest.raises(RemoteProtocolError, match="does not read"):
        ask_without_reading()
    assert connection.pending < 1_100_000


def test_a_peer_that_asks_much_and_reads_stays(connect, feed, sent) -> None:
    connection = connect()
    connection.send_have_none()
    for _ in range(1_000):
        answer(connection, feed(connection, message(21, HASH_SPAN) * 100))
        assert sent(connection)


def test_blocks_that_wait_are_no_reason_to_drop_a_peer(connect, feed) -> None:
    connection = connect(max_requests=100)
    connection.send_have_all()
    connection.send_unchoke()
    for begin in range(100):
        feed(connection, message(6, span(0, begin, 16_384)))
        connection.send_block(Block(0, begin, 16_384), bytes(16_384))
    assert connection.pending > 1_600_000
    assert feed(connection, message(4, span(1))) == [HaveReceived(1)]


def test_allowed_fast_pieces_are_remembered_up_to_a_bound(connect, feed) -> None:
    connection = connect(pieces=1_000)
    assert len(feed(connection, b"".join(message(17, span(index)) for index in range(1_000)))) == 128


@given(st.lists(st.sampled_from(sorted(SAMPLES)), max_size=6), st.lists(st.integers(1, 40_000), min_size=1))
def test_any_cut_gives_the_same_events(filled, singled, names: list[str], steps: list[int]) -> None:
    data = b"".join(SAMPLES[name][0] for name in names)
    outcomes = []
    for cuts in ([len(data) or 1], steps):
        arenas = ArenaPool(arena_size=65_536)
        connection = Connection(
            piece_count=10,
            piece_size=lambda index: 20_000 if index == 9 else 32_768,
            fast=True,
            extension=True,
            arenas=arenas,
            max_requests=10,
            now=0.0,
        )
        seen: list[object] = []
        rest, turn = data, 0
        try:
            while rest:
                n = filled(connection.receive_views(), rest[: cuts[turn % len(cuts)]])
                rest, turn = rest[n:], turn + 1
                for event in singled(connection.receive_data(n, 0.0)):
                    seen.append((*event[:3], bytes(event.view)) if isinstance(event, BlockReceived) else event)
                    if isinstance(event, BlockReceived):
                        event.arena.unpin()
        except RemoteProtocolError as error:
            seen = [str(error)]
        connection.close()
        assert arenas.in_use == 0
        outcomes.append(seen)
    assert outcomes[0] == outcomes[1]


def test_the_table_bounds_every_id_but_bitfield() -> None:
    ids = {value for name, value in vars(messages).items() if name.isupper() and isinstance(value, int) and value < 24}
    assert ids == {*messages.PAYLOAD_BOUNDS, messages.BITFIELD}
