"""The messages of metadata (BEP 9): what goes out comes in, and nothing but declared errors comes of garbage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.wire import ut_metadata
from p2p.wire.ut_metadata import (
    MAX_METADATA,
    MAX_PIECES,
    PIECE_SIZE,
    MetadataPiece,
    MetadataReject,
    MetadataRequest,
    decode,
    encode,
    piece_of,
)

pieces = st.integers(0, MAX_PIECES - 1)
messages = st.one_of(
    pieces.map(MetadataRequest),
    pieces.map(MetadataReject),
    st.builds(MetadataPiece, pieces, st.integers(1, MAX_METADATA), st.binary(min_size=1, max_size=200)),
)


@settings(max_examples=100)
@given(messages)
def test_what_goes_out_comes_in(message):
    assert decode(encode(message)) == message


def test_the_bytes_are_those_of_the_specification():
    assert encode(MetadataRequest(0)) == b"d8:msg_typei0e5:piecei0ee"
    assert encode(MetadataPiece(0, 3425, b"xx")) == b"d8:msg_typei1e5:piecei0e10:total_sizei3425eexx"
    assert decode(b"d8:msg_typei1e5:piecei0eexx") == MetadataPiece(0, None, b"xx")
    assert decode(b"d5:piecei3e8:msg_typei2e5:extrai1ee") == MetadataReject(3)


def test_types_nobody_knows_are_passed_over():
    assert decode(b"d8:msg_typei9e5:piecei0ee") is None


@settings(max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(lambda m, cut, tail: encode(m)[:cut] + tail, messages, st.integers(0, 60), st.binary(max_size=5)),
    )
)
def test_garbage_is_refused_or_read_within_bounds(payload):
    try:
        message = decode(payload)
    except RemoteProtocolError:
        return
    assert message is None or 0 <= message.piece < MAX_PIECES
    if isinstance(message, MetadataPiece):
        assert 0 < len(message.content) <= PIECE_SIZE


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"le",
        b"i1e",
        b"d5:piecei0ee",
        b"d8:msg_type1:05:piecei0ee",
        b"d8:msg_typei0ee",
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei0e5:piecei%dee" % MAX_PIECES,
        b"d8:msg_typei1e5:piecei0e10:total_sizei3ee",
        b"d8:msg_typei1e5:piecei0e10:total_sizei0eex",
        b"d8:msg_typei1e5:piecei0e10:total_sizei%deex" % (MAX_METADATA + 1),
        b"d8:msg_typei1e5:piecei0ee" + bytes(PIECE_SIZE + 1),
        b"d8:msg_typei1e5:piecei0e1:x2000:" + bytes(2000) + b"e" + bytes(PIECE_SIZE),
    ],
)
def test_what_breaks_the_rules_is_refused(payload):
    with pytest.raises(RemoteProtocolError):
        decode(payload)


def test_pieces_of_metadata_join_to_the_whole():
    metadata = bytes(range(256)) * 150
    parts = [piece_of(metadata, piece) for piece in range(3)]
    assert b"".join(part.content for part in parts) == metadata
    assert {part.total_size for part in parts} == {len(metadata)}
    assert piece_of(metadata, 3) is None
    assert piece_of(bytes(PIECE_SIZE), 1) is None


def test_a_piece_without_bytes_or_size_cannot_be_sent():
    for piece in (MetadataPiece(0, None, b"x"), MetadataPiece(0, 1, b""), MetadataPiece(0, 1, bytes(PIECE_SIZE + 1))):
        with pytest.raises(LocalProtocolError):
            encode(piece)
    assert ut_metadata.NAME == "ut_metadata"
