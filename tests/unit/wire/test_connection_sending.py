"""What we send: the wire form of each message, its order, and the refusals that keep our own bugs off the wire."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from p2p.errors import LocalProtocolError
from p2p.ids import Block
from p2p.wire.connection import KEEP_ALIVE_AFTER, TIMEOUT_AFTER, Connection
from p2p.wire.extension import ExtensionHandshake
from p2p.wire.messages import HashRequest

if TYPE_CHECKING:
    from collections.abc import Callable


def message(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def span(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


ASK = message(6, span(0, 0, 5))
HASHES = HashRequest(b"r" * 32, 2, 4, 2, 3)
HASH_SPAN = b"r" * 32 + span(2, 4, 2, 3)


@pytest.fixture
def opened(connect, feed, sent) -> Callable[..., Connection]:
    """A connection past its first message, unchoked by the peer, interested, with one request to answer."""

    def make(*, fast: bool = True, extension: bool = True) -> Connection:
        connection = connect(fast=fast, extension=extension)
        connection.send_bitfield(b"\xff\xc0")
        connection.send_unchoke()
        connection.send_interested()
        theirs = message(20, b"\0" + ExtensionHandshake({"ut_pex": 7}).encode()) if extension else b""
        feed(connection, theirs + message(1) + ASK)
        sent(connection)
        return connection

    return make


WIRE = {
    "choke": (lambda c: c.send_choke(), message(0)),
    "not interested": (lambda c: c.send_not_interested(), message(3)),
    "have": (lambda c: c.send_have(9), message(4, span(9))),
    "requests": (
        lambda c: c.send_requests([Block(0, 0, 16_384), Block(9, 16_384, 3_616)]),
        message(6, span(0, 0, 16_384)) + message(6, span(9, 16_384, 3_616)),
    ),
    "no requests": (lambda c: c.send_requests([]), b""),
    "cancel": (lambda c: c.send_cancel(Block(0, 0, 16_384)), message(8, span(0, 0, 16_384))),
    "block": (lambda c: c.send_block(Block(0, 0, 5), b"block"), message(7, span(0, 0) + b"block")),
    "reject": (lambda c: c.send_reject(Block(0, 0, 5)), message(16, span(0, 0, 5))),
    "allowed fast": (lambda c: c.send_allowed_fast(3), message(17, span(3))),
    "suggest": (lambda c: c.send_suggest(3), message(13, span(3))),
    "port": (lambda c: c.send_port(6881), message(9, b"\x1a\xe1")),
    "extension handshake": (
        lambda c: c.send_extension_handshake(ExtensionHandshake({"ut_pex": 1})),
        message(20, b"\0d1:md6:ut_pexi1eee"),
    ),
    "extension message": (lambda c: c.send_extension("ut_pex", b"de"), message(20, b"\x07de")),
    "keep-alive": (lambda c: c.send_keep_alive(), bytes(4)),
    "hash request": (lambda c: c.send_hash_request(HASHES), message(21, HASH_SPAN)),
    "hashes": (lambda c: c.send_hashes(HASHES, [b"a" * 32]), message(22, HASH_SPAN + b"a" * 32)),
    "hash reject": (lambda c: c.send_hash_reject(HASHES), message(23, HASH_SPAN)),
    "unchoke again": (lambda c: c.send_unchoke(), b""),
    "interested again": (lambda c: c.send_interested(), b""),
}


@pytest.mark.parametrize(("act", "data"), WIRE.values(), ids=WIRE)
def test_the_wire_form_of_each_message(opened, sent, act, data: bytes) -> None:
    connection = opened()
    act(connection)
    assert connection.pending == len(data)
    assert sent(connection) == data
    assert connection.pending == 0


FORBIDDEN = {
    "have of no piece": lambda c: c.send_have(10),
    "request of no piece": lambda c: c.send_requests([Block(10, 0, 1)]),
    "request past the piece": lambda c: c.send_requests([Block(9, 16_384, 16_384)]),
    "request of more than a block": lambda c: c.send_requests([Block(0, 0, 16_385)]),
    "request before the piece": lambda c: c.send_requests([Block(0, -1, 5)]),
    "cancel of nothing": lambda c: c.send_cancel(Block(0, 0, 0)),
    "block nobody asked for": lambda c: c.send_block(Block(0, 5, 5), b"block"),
    "block of another length": lambda c: c.send_block(Block(0, 0, 5), b"blo"),
    "two answers": lambda c: (c.send_block(Block(0, 0, 5), b"block"), c.send_reject(Block(0, 0, 5))),
    "reject of nothing": lambda c: c.send_reject(Block(1, 0, 5)),
    "silence instead of a reject": lambda c: c.drop_request(Block(0, 0, 5)),
    "second bitfield": lambda c: c.send_bitfield(b"\xff\xc0"),
    "late have all": lambda c: c.send_have_all(),
    "late have none": lambda c: c.send_have_none(),
    "port 0": lambda c: c.send_port(0),
    "extension not offered": lambda c: c.send_extension("ut_metadata", b"de"),
    "endless extension message": lambda c: c.send_extension("ut_pex", bytes(262_144)),
    "extension id out of range": lambda c: c.send_extension_handshake(ExtensionHandshake({"x": 256})),
    "extensions that share an id": lambda c: c.send_extension_handshake(ExtensionHandshake({"x": 1, "y": 1})),
    "no hashes": lambda c: c.send_hashes(HASHES, []),
    "torn hashes": lambda c: c.send_hashes(HASHES, [b"a"]),
    "hash request of nothing": lambda c: c.send_hash_request(HashRequest(b"r" * 32, 0, 0, 0, 0)),
    "hash reject for no root": lambda c: c.send_hash_reject(HashRequest(b"r", 0, 0, 2, 0)),
}


@pytest.mark.parametrize("act", FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_the_protocol_forbids_is_our_bug(opened, act) -> None:
    with pytest.raises(LocalProtocolError):
        act(opened())


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.send_have_all(),
        lambda c: c.send_have_none(),
        lambda c: c.send_allowed_fast(1),
        lambda c: c.send_suggest(1),
        lambda c: c.send_reject(Block(0, 0, 5)),
    ],
)
def test_fast_messages_need_the_extension(connect, act) -> None:
    with pytest.raises(LocalProtocolError):
        act(connect(fast=False))


@pytest.mark.parametrize(
    "act", [lambda c: c.send_extension_handshake(ExtensionHandshake()), lambda c: c.send_extension("ut_pex", b"")]
)
def test_extension_messages_need_the_extension_protocol(opened, act) -> None:
    with pytest.raises(LocalProtocolError):
        act(opened(extension=False))


@pytest.mark.parametrize("bits", [b"", b"\xff", b"\xff\xff", b"\xff\xc0\0"])
def test_a_bitfield_fits_the_torrent(connect, bits: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        connect().send_bitfield(bits)


def test_the_pieces_come_first(connect, sent) -> None:
    connection = connect()
    with pytest.raises(LocalProtocolError):
        connection.send_have(1)
    connection.send_extension_handshake(ExtensionHandshake())
    connection.send_have_none()
    connection.send_have(1)
    assert sent(connection) == message(20, b"\0d1:mdee") + message(15) + message(4, span(1))


def test_without_fast_the_pieces_may_be_left_out_but_not_follow(connect, sent) -> None:
    connection = connect(fast=False)
    connection.send_interested()
    with pytest.raises(LocalProtocolError):
        connection.send_bitfield(bytes(2))
    assert sent(connection) == message(2)


def test_requests_need_interest_and_an_unchoke(connect, feed) -> None:
    connection = connect()
    connection.send_have_none()
    feed(connection, message(1))
    with pytest.raises(LocalProtocolError):
        connection.send_requests([Block(0, 0, 5)])
    connection.send_interested()
    connection.send_requests([Block(0, 0, 5)])
    feed(connection, message(0))
    with pytest.raises(LocalProtocolError):
        connection.send_requests([Block(0, 0, 5)])


def test_allowed_fast_pieces_may_be_asked_for_while_choked(connect, feed) -> None:
    connection = connect()
    connection.send_have_none()
    connection.send_interested()
    feed(connection, message(17, span(4)))
    connection.send_requests([Block(4, 0, 5)])
    with pytest.raises(LocalProtocolError):
        connection.send_requests([Block(4, 5, 5), Block(5, 0, 5)])


def test_control_overtakes_blocks_that_wait_but_not_the_one_under_way(opened, feed, sent) -> None:
    connection = opened()
    feed(connection, message(6, span(1, 0, 16_384)))
    connection.send_block(Block(0, 0, 5), b"block")
    connection.send_block(Block(1, 0, 16_384), bytes(16_384))
    first = b"".join(connection.views_to_send(15))
    assert first == message(7, span(0, 0) + b"block")[:15]
    connection.send_choke()
    connection.send_have(2)
    assert connection.data_sent(15, 1.0) == 2
    rest = message(0) + message(4, span(2)) + message(7, span(1, 0) + bytes(16_384))
    assert sent(connection) == b"ock" + rest


def test_without_fast_a_choke_does_not_overtake_blocks(opened, sent) -> None:
    connection = opened(fast=False)
    connection.send_block(Block(0, 0, 5), b"block")
    connection.send_choke()
    connection.send_have(2)
    assert sent(connection) == message(7, span(0, 0) + b"block") + message(0) + message(4, span(2))


def test_without_fast_a_choke_refuses_every_request(opened) -> None:
    connection = opened(fast=False)
    assert connection.unanswered
    connection.send_choke()
    assert not connection.unanswered
    with pytest.raises(LocalProtocolError):
        connection.send_block(Block(0, 0, 5), b"block")


def test_without_fast_a_dropped_request_may_be_asked_again(opened, feed) -> None:
    connection = opened(fast=False)
    connection.drop_request(Block(0, 0, 5))
    assert not connection.unanswered
    assert len(feed(connection, ASK)) == 1


def test_with_fast_a_choke_leaves_requests_to_be_answered(opened, sent) -> None:
    connection = opened()
    connection.send_choke()
    connection.send_reject(Block(0, 0, 5))
    assert sent(connection) == message(0) + message(16, span(0, 0, 5))


def test_a_cancelled_request_still_gets_its_answer_with_fast(opened, feed) -> None:
    connection = opened()
    feed(connection, message(8, span(0, 0, 5)))
    connection.send_block(Block(0, 0, 5), b"block")
    assert not connection.unanswered


def test_a_block_leaves_as_the_view_it_came_as(opened) -> None:
    connection = opened()
    block = memoryview(bytearray(b"block"))
    connection.send_block(Block(0, 0, 5), block)
    assert any(view is block for view in connection.views_to_send(1_000))


def test_counters_follow_the_stream(opened, sent) -> None:
    connection = opened()
    before = connection.bytes_sent
    connection.send_block(Block(0, 0, 5), b"block")
    assert connection.pending_blocks == 1
    connection.views_to_send(100)
    assert connection.data_sent(17, 4.0) == 4
    assert connection.pending_blocks == 1
    assert connection.data_sent(1, 5.0) == 1
    assert connection.pending_blocks == 0
    assert connection.payload_sent == 5
    assert connection.bytes_sent == before + 18
    assert connection.last_sent == 5.0


def test_silence_is_answered_with_a_keep_alive_and_then_an_end(connect, sent) -> None:
    connection = connect()
    assert not connection.keep_alive_due(KEEP_ALIVE_AFTER - 1)
    assert connection.keep_alive_due(KEEP_ALIVE_AFTER)
    connection.send_keep_alive()
    assert not connection.keep_alive_due(KEEP_ALIVE_AFTER)
    connection.views_to_send(10)
    connection.data_sent(4, KEEP_ALIVE_AFTER)
    assert not connection.keep_alive_due(KEEP_ALIVE_AFTER + 1)
    assert not connection.timed_out(TIMEOUT_AFTER - 1)
    assert connection.timed_out(TIMEOUT_AFTER)


def test_closing_drops_what_is_queued(opened) -> None:
    connection = opened()
    connection.send_have(1)
    connection.close()
    connection.close()
    assert connection.pending == 0
    assert connection.views_to_send(100) == []
    assert not connection.unanswered
