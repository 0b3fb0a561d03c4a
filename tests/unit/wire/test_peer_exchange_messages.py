"""Peer exchange messages (BEP 11): both families, flags that stay with their peers, and garbage."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.errors import RemoteProtocolError
from p2p.ids import Address
from p2p.wire.ut_pex import MAX_PAYLOAD, PexFlags, PexMessage, PexPeer

addresses = st.one_of(
    st.builds(
        Address,
        st.integers(0, 2**32 - 1).map(lambda n: ".".join(str(n >> s & 255) for s in (24, 16, 8, 0))),
        st.integers(1, 65_535),
    ),
    st.builds(Address, st.integers(0, 9_999).map(lambda n: f"2001:db8::1:{n}"), st.integers(1, 65_535)),
)
peers = st.builds(PexPeer, addresses, st.integers(0, 31).map(PexFlags))


@settings(max_examples=100)
@given(st.lists(peers, max_size=60), st.lists(addresses, max_size=60))
def test_what_goes_out_comes_in_family_by_family(added, dropped):
    message = PexMessage.decode(PexMessage(tuple(added), tuple(dropped)).encode())
    assert list(message.added) == sorted(added, key=lambda peer: peer.address.is_ipv6)
    assert list(message.dropped) == sorted(dropped, key=lambda address: address.is_ipv6)


def test_the_bytes_are_those_of_the_specification():
    message = PexMessage(
        (PexPeer(Address("1.2.3.4", 258), PexFlags.SEED | PexFlags.REACHABLE), PexPeer(Address("2001:db8::1", 1))),
        (Address("5.6.7.8", 9),),
    )
    v6 = bytes.fromhex("20010db8000000000000000000000001") + b"\0\1"
    assert message.encode() == (
        b"d5:added6:\x01\x02\x03\x04\x01\x027:added.f1:\x12"
        b"6:added618:" + v6 + b"8:added6.f1:\x00"
        b"7:dropped6:\x05\x06\x07\x08\x00\x098:dropped60:e"
    )


def test_missing_flags_and_nobody_are_forgiven():
    two = bytes([1, 2, 3, 4, 0, 5, 9, 9, 9, 9, 0, 0])
    assert PexMessage.decode(b"d5:added12:" + two + b"7:added.fi1ee").added == (PexPeer(Address("1.2.3.4", 5)),)
    assert PexMessage.decode(b"de") == PexMessage()
    assert PexMessage.decode(b"d5:added6:" + two[:6] + b"7:added.f1:\xffe").added[0].flags == PexFlags(0x1F)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"le",
        b"d5:addedi1ee",
        b"d5:added5:12345e",
        b"d6:added66:123456e",
        b"d1:x%d:%be" % (MAX_PAYLOAD, bytes(MAX_PAYLOAD)),
    ],
)
def test_what_breaks_the_rules_is_refused(payload):
    with pytest.raises(RemoteProtocolError):
        PexMessage.decode(payload)


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_garbage_is_refused_or_read(payload):
    try:
        message = PexMessage.decode(payload)
    except RemoteProtocolError:
        return
    assert all(peer.address.port for peer in message.added)
