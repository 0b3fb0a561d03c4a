"""The 68 bytes of the handshake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import InfoHash, PeerId
from p2p.wire.handshake import HANDSHAKE_SIZE, Handshake

ids = st.binary(min_size=20, max_size=20)
handshakes = st.builds(
    Handshake,
    info_hash=ids.map(InfoHash),
    peer_id=ids.map(PeerId),
    fast=st.booleans(),
    extension=st.booleans(),
    dht=st.booleans(),
    v2=st.booleans(),
)


@given(handshakes)
def test_what_is_encoded_is_read_back(handshake: Handshake) -> None:
    data = handshake.encode()
    assert len(data) == HANDSHAKE_SIZE
    assert Handshake.parse(data) == handshake


@pytest.mark.parametrize(
    ("flag", "byte", "bit"), [("fast", 7, 0x04), ("extension", 5, 0x10), ("dht", 7, 0x01), ("v2", 7, 0x10)]
)
def test_each_bit_stands_where_its_bep_says(flag: str, byte: int, bit: int) -> None:
    flags = dict.fromkeys(("fast", "extension", "dht", "v2"), False) | {flag: True}
    data = Handshake(InfoHash(b"h" * 20), PeerId(b"p" * 20), **flags).encode()
    reserved = bytearray(8)
    reserved[byte] = bit
    assert data == b"\x13BitTorrent protocol" + reserved + b"h" * 20 + b"p" * 20


def test_unknown_reserved_bits_are_ignored() -> None:
    data = b"\x13BitTorrent protocol" + b"\xff" * 8 + b"h" * 20 + b"p" * 20
    assert Handshake.parse(data) == Handshake(InfoHash(b"h" * 20), PeerId(b"p" * 20), True, True, True, True)


@given(st.binary(max_size=100))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Handshake.parse(data)


def test_ids_of_another_length_are_our_bug() -> None:
    with pytest.raises(LocalProtocolError):
        Handshake(InfoHash(b"h" * 32), PeerId(b"p" * 20), True, True, True, True).encode()
