"""A connection that begins before the torrent is known: what is held, what goes on, and what `learn` makes of it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import Block
from p2p.wire import messages as wire
from p2p.wire.arena import ArenaPool
from p2p.wire.connection import Connection
from p2p.wire.early_messages import MAX_EARLY_BITFIELD, MAX_EARLY_MESSAGES
from p2p.wire.events import (
    AllowedFast,
    BitfieldReceived,
    Choked,
    ExtensionHandshakeReceived,
    ExtensionMessage,
    HaveAll,
    HaveReceived,
    Interested,
    Suggested,
    Unchoked,
)
from p2p.wire.extension import ExtensionHandshake

PIECES = 10


def message(kind, payload=b""):
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def have(piece):
    return message(wire.HAVE, struct.pack(">I", piece))


def unknown(arenas, *, fast=True):
    return Connection(
        piece_count=None, piece_size=None, fast=fast, extension=True, arenas=arenas, max_requests=10, now=0.0
    )


def learn(connection):
    return connection.learn(PIECES, lambda _: 32_768)


def test_what_is_said_of_pieces_waits_until_they_are_known(arenas, feed):
    connection = unknown(arenas)
    said = (
        message(wire.BITFIELD, b"\xf0\x00")
        + have(9)
        + message(wire.UNCHOKE)
        + message(wire.ALLOWED_FAST, struct.pack(">I", 3))
        + message(wire.SUGGEST, struct.pack(">I", 4))
        + message(wire.INTERESTED)
    )
    assert feed(connection, said, step=7) == [Unchoked(), Interested()]
    assert learn(connection) == [BitfieldReceived(b"\xf0\x00"), HaveReceived(9), AllowedFast(3), Suggested(4)]
    assert feed(connection, have(8) + message(wire.CHOKE)) == [HaveReceived(8), Choked()]
    assert arenas.in_use == 0


def test_have_all_waits_and_a_later_bitfield_takes_the_place_of_an_earlier_one(arenas, feed):
    one, other = unknown(arenas), unknown(arenas)
    assert feed(one, message(wire.HAVE_ALL)) == []
    assert learn(one) == [HaveAll()]
    assert feed(other, message(wire.BITFIELD, b"\x80\x00") + message(wire.BITFIELD, b"\xc0\x00")) == []
    assert learn(other) == [BitfieldReceived(b"\xc0\x00")]


@pytest.mark.parametrize(
    "said",
    [
        have(PIECES),
        message(wire.BITFIELD, b"\xff"),
        message(wire.BITFIELD, b"\xff\xff"),
        message(wire.ALLOWED_FAST, struct.pack(">I", 1 << 31)),
    ],
)
def test_what_does_not_fit_the_torrent_is_found_out_then(arenas, feed, said):
    connection = unknown(arenas)
    assert feed(connection, said) == []
    with pytest.raises(RemoteProtocolError):
        learn(connection)


def test_extensions_go_on_meanwhile(arenas, feed, sent):
    connection, other = unknown(arenas), unknown(arenas)
    connection.send_extension_handshake(ExtensionHandshake({"ut_metadata": 1}))
    other.send_extension_handshake(ExtensionHandshake({"ut_metadata": 7}))
    connection.send_have_none()
    assert [type(event) for event in feed(connection, sent(other))] == [ExtensionHandshakeReceived]
    assert [type(event) for event in feed(other, sent(connection))] == [ExtensionHandshakeReceived]
    connection.send_extension("ut_metadata", b"de")
    assert feed(other, sent(connection)) == [ExtensionMessage("ut_metadata", b"de")]


def test_requests_are_refused_and_blocks_break_the_protocol(arenas, feed, sent):
    connection = unknown(arenas)
    connection.send_have_none()
    sent(connection)
    asked = Block(123_456, 0, 16_384)
    assert feed(connection, wire.encode_span(wire.REQUEST, asked) + wire.encode_span(wire.CANCEL, asked)) == []
    assert sent(connection) == wire.encode_span(wire.REJECT, asked)
    with pytest.raises(RemoteProtocolError):
        feed(connection, message(wire.PIECE, bytes(8) + b"block"))
    connection.close()
    old = unknown(arenas, fast=False)
    assert feed(old, wire.encode_span(wire.REQUEST, asked)) == []
    assert sent(old) == b""
    assert arenas.in_use == 0


def test_the_room_for_what_waits_is_bounded(arenas, feed):
    connection = unknown(arenas)
    feed(connection, message(wire.BITFIELD, bytes(MAX_EARLY_BITFIELD)))
    feed(connection, have(1) * MAX_EARLY_MESSAGES)
    with pytest.raises(RemoteProtocolError, match="too much"):
        feed(connection, have(1))
    connection.close()
    with pytest.raises(RemoteProtocolError):
        feed(unknown(ArenaPool()), message(wire.BITFIELD, bytes(MAX_EARLY_BITFIELD + 1)))


def test_nothing_of_pieces_can_be_sent_before_and_the_torrent_is_learned_once(arenas):
    connection = unknown(arenas)
    with pytest.raises(LocalProtocolError):
        connection.send_bitfield(b"")
    connection.send_have_none()
    for send in (lambda: connection.send_have(0), lambda: connection.send_allowed_fast(0)):
        with pytest.raises(LocalProtocolError):
            send()
    learn(connection)
    connection.send_have(0)
    with pytest.raises(LocalProtocolError):
        learn(connection)


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.integers(0, PIECES - 1).map(have),
            st.sampled_from([wire.CHOKE, wire.UNCHOKE, wire.INTERESTED]).map(message),
        ),
        max_size=20,
    ),
    st.integers(1, 60),
)
def test_in_the_end_as_much_is_known_as_if_it_had_been_known_from_the_start(filled, said, step):
    pool = ArenaPool(arena_size=65_536)
    late, early = unknown(pool), unknown(pool)
    learn(early)
    stream = b"".join(said)

    def feed(connection):
        events, rest = [], stream
        while rest:
            n = filled(connection.receive_views(), rest[:step])
            rest = rest[n:]
            events += connection.receive_data(n, 0.0)
        return events

    def of_pieces(events):
        return [event for event in events if isinstance(event, HaveReceived)]

    events, known = feed(late), feed(early)
    assert of_pieces(events) == []
    assert of_pieces(learn(late)) == of_pieces(known)
    assert [event for event in known if not isinstance(event, HaveReceived)] == events
    assert (late.peer_choking, late.peer_interested) == (early.peer_choking, early.peer_interested)
    assert pool.in_use == 0
