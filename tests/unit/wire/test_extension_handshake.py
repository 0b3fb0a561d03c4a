"""The extension handshake: what is read, what is ignored, what breaks the protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import bencode
from p2p.errors import RemoteProtocolError
from p2p.wire.extension import MAX_HANDSHAKE, MAX_NAMES, MAX_REQUEST_QUEUE, ExtensionHandshake

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
handshakes = st.builds(
    ExtensionHandshake,
    messages=st.dictionaries(names, st.integers(1, 255), max_size=10),
    client=st.none() | names,
    request_queue=st.none() | st.integers(1, MAX_REQUEST_QUEUE),
    upload_only=st.booleans(),
    metadata_size=st.none() | st.integers(1, 1_000_000),
    port=st.none() | st.integers(1, 65_535),
    your_ip=st.none() | st.ip_addresses(v=4).map(str),
    ipv4=st.none() | st.ip_addresses(v=4).map(str),
)


@given(handshakes)
def test_what_is_encoded_is_read_back(handshake: ExtensionHandshake) -> None:
    assert ExtensionHandshake.decode(handshake.encode()) == handshake


def test_the_wire_form() -> None:
    handshake = ExtensionHandshake(
        {"ut_pex": 2, "ut_metadata": 1}, client="Starling 0.1.0", request_queue=250, upload_only=True, port=6881
    )
    assert handshake.encode() == (
        b"d1:md11:ut_metadatai1e6:ut_pexi2ee1:pi6881e4:reqqi250e11:upload_onlyi1e1:v14:Starling 0.1.0e"
    )


def test_an_example_of_other_clients() -> None:
    data = b"d1:md11:LT_metadatai1e6:ut_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e"
    read = ExtensionHandshake.decode(data)
    assert read == ExtensionHandshake({"LT_metadata": 1, "ut_PEX": 2}, client="\u00b5Torrent 1.2", port=6881)


@pytest.mark.parametrize(
    "fields",
    [
        {b"m": 3},
        {b"m": {b"\xff\xfe": 1, b"n" * 33: 2, b"far": 256, b"minus": -1, b"text": b"1"}},
        {b"v": 7},
        {b"v": b"\x1b\x00"},
        {b"reqq": 0},
        {b"reqq": -5},
        {b"reqq": b"250"},
        {b"upload_only": 0},
        {b"upload_only": b"1"},
        {b"metadata_size": -1},
        {b"metadata_size": 1 << 40},
        {b"p": 0},
        {b"p": 65_536},
        {b"yourip": b"12345"},
        {b"ipv4": bytes(16)},
        {b"ipv6": bytes(4)},
        {b"unheard": [b"of", {}]},
    ],
)
def test_what_cannot_be_used_is_as_good_as_absent(fields: dict[bytes, bencode.Encodable]) -> None:
    assert ExtensionHandshake.decode(bencode.encode(fields)) == ExtensionHandshake()


def test_boasts_are_bounded() -> None:
    offered = {b"x%03d" % number: 1 for number in range(200)}
    data = bencode.encode({b"m": offered, b"reqq": 10**9, b"v": b"v" * 500})
    read = ExtensionHandshake.decode(data)
    assert len(read.messages) == MAX_NAMES
    assert read.request_queue == MAX_REQUEST_QUEUE
    assert read.client == "v" * 64


def test_addresses_are_read_in_their_canonical_form() -> None:
    mapped = bytes(10) + b"\xff\xff\x0a\x00\x00\x01"
    data = bencode.encode({b"yourip": mapped, b"ipv4": bytes((192, 0, 2, 1)), b"ipv6": bytes(15) + b"\x01"})
    read = ExtensionHandshake.decode(data)
    assert (read.your_ip, read.ipv4, read.ipv6) == ("10.0.0.1", "192.0.2.1", "::1")


def test_a_later_handshake_adds_to_the_earlier() -> None:
    first = ExtensionHandshake({"ut_pex": 1, "ut_metadata": 2}, client="x", upload_only=True, port=5)
    data = bencode.encode({b"m": {b"ut_pex": 0, b"lt_donthave": 7}, b"p": 6})
    later = ExtensionHandshake.decode(data, first)
    assert later == ExtensionHandshake({"ut_metadata": 2, "lt_donthave": 7}, client="x", upload_only=True, port=6)
    assert first.messages == {"ut_pex": 1, "ut_metadata": 2}
    assert not ExtensionHandshake.decode(bencode.encode({b"upload_only": 0}), first).upload_only


def test_keys_in_any_order_are_read() -> None:
    assert ExtensionHandshake.decode(b"d1:pi5e1:mdee") == ExtensionHandshake(port=5)


@pytest.mark.parametrize(
    "data", [b"", b"le", b"i5e", b"d1:m", b"d1:pi5eeX", b"d1:x%d:%be" % (MAX_HANDSHAKE, bytes(MAX_HANDSHAKE))]
)
def test_bytes_that_are_no_dictionary_break_the_protocol(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        ExtensionHandshake.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_handshake_or_a_declared_error(data: bytes) -> None:
    try:
        read = ExtensionHandshake.decode(data)
    except RemoteProtocolError:
        return
    assert ExtensionHandshake.decode(read.encode()) == read
