"""The datagrams of local discovery (BEP 14): what goes out comes in, and hostile ones stay harmless."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.codec.lsd import GROUP, GROUP6, MAX_DATAGRAM, MAX_HEARD, MAX_INFO_HASHES, LocalAnnounce, decode, encode
from p2p.errors import LocalProtocolError, RemoteProtocolError

HASH = bytes(range(20))
hashes = st.binary(min_size=20, max_size=20)


@settings(max_examples=60)
@given(
    st.sampled_from([GROUP, GROUP6]),
    st.integers(1, 65_535),
    st.lists(hashes, min_size=1, max_size=MAX_INFO_HASHES, unique=True),
    st.one_of(st.none(), st.binary(min_size=1, max_size=16).map(lambda raw: raw.hex().encode())),
)
def test_what_goes_out_comes_in_and_fits_a_frame(group, port, info_hashes, cookie):
    announce = LocalAnnounce(port, tuple(info_hashes), cookie)
    datagram = encode(group, announce)
    assert len(datagram) <= MAX_DATAGRAM
    assert decode(datagram) == announce


def test_the_bytes_are_those_of_the_specification():
    assert encode(GROUP, LocalAnnounce(6881, (HASH,), b"c00c1e")) == (
        b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n"
        b"Infohash: 000102030405060708090a0b0c0d0e0f10111213\r\ncookie: c00c1e\r\n\r\n\r\n"
    )
    assert b"Host: [ff15::efc0:988f]:6771\r\n" in encode(GROUP6, LocalAnnounce(1, (HASH,)))


def test_other_writers_are_understood():
    assert decode(
        b"BT-SEARCH * HTTP/1.1\r\nhost:239.192.152.143:6771\r\nPORT:1\r\nINFOHASH: "
        + HASH.hex().upper().encode()
        + b"\r\nX-Later: yes\r\n\r\n\r\n"
    ) == LocalAnnounce(1, (HASH,))


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"BT-SEARCH * HTTP/1.1\r\n\r\n",
        b"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: 12\r\n\r\n",
        b"BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: " + HASH.hex().encode(),
        b"BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: " + HASH.hex().encode(),
        b"BT-SEARCH * HTTP/1.1\r\nPort: -1\r\nInfohash: " + HASH.hex().encode(),
        b"BT-SEARCH * HTTP/1.1\r\nInfohash: " + HASH.hex().encode(),
        encode(GROUP, LocalAnnounce(1, (HASH,))) + bytes(MAX_HEARD),
    ],
)
def test_what_is_no_announce_is_refused(datagram):
    with pytest.raises(RemoteProtocolError):
        decode(datagram)


@settings(max_examples=150)
@given(st.binary(max_size=200), st.integers(0, 120))
def test_garbage_is_refused_or_read_within_bounds(garbage, cut):
    good = encode(GROUP, LocalAnnounce(6881, (HASH,), b"cookie"))
    for datagram in (garbage, good[:cut] + garbage, good[:cut] + garbage + good[cut:]):
        try:
            announce = decode(datagram)
        except RemoteProtocolError:
            continue
        assert 0 < announce.port <= 65_535
        assert all(len(info_hash) == 20 for info_hash in announce.info_hashes)


@pytest.mark.parametrize("announce", [LocalAnnounce(1, ()), LocalAnnounce(0, (HASH,)), LocalAnnounce(1, (HASH,) * 25)])
def test_nothing_senseless_is_sent(announce):
    with pytest.raises(LocalProtocolError):
        encode(GROUP, announce)
