"""Compact peers: round trips, strides, and whose fault it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import compact
from p2p.errors import LocalProtocolError, RemoteProtocolError
from p2p.ids import Address

ports = st.integers(0, 65_535)
peers4 = st.builds(Address, st.ip_addresses(v=4).map(str), ports)
peers6 = st.builds(Address.parse, st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None).map(str), ports)


@given(st.lists(peers4, max_size=30))
def test_ipv4_peers_round_trip(peers):
    raw = compact.encode_peers(peers)
    assert len(raw) == 6 * len(peers)
    assert compact.decode_peers(raw) == peers
    assert compact.decode_peers(memoryview(raw)) == peers


@given(st.lists(peers6, max_size=30))
def test_ipv6_peers_round_trip(peers):
    raw = compact.encode_peers6(peers)
    assert len(raw) == 18 * len(peers)
    assert compact.decode_peers6(raw) == peers


@given(st.binary(max_size=120))
def test_any_bytes_are_a_list_in_canonical_form_or_the_senders_fault(raw):
    for decode, size in ((compact.decode_peers, 6), (compact.decode_peers6, 18)):
        if len(raw) % size:
            with pytest.raises(RemoteProtocolError):
                decode(raw)
        else:
            peers = decode(raw)
            assert len(peers) == len(raw) // size
            assert all(Address.parse(*peer) == peer for peer in peers)


def test_the_bytes_are_those_of_the_beps():
    assert compact.encode_peers([Address("192.168.24.52", 2001)]) == b"\xc0\xa8\x18\x34\x07\xd1"
    packed = bytes.fromhex("20010db8000000000000000000000001") + b"\x1a\xe1"
    assert compact.encode_peers6([Address("2001:db8::1", 6881)]) == packed


def test_ipv4_inside_ipv6_comes_out_as_ipv4():
    assert compact.decode_peers6(bytes(10) + b"\xff\xff\x01\x02\x03\x04\x00\x09") == [Address("1.2.3.4", 9)]


@pytest.mark.parametrize(
    "address", [Address("tracker", 1), Address("1.2.3", 1), Address("1.2.3.256", 1), Address("::g", 1)]
)
def test_what_is_no_address_is_our_fault(address):
    with pytest.raises(LocalProtocolError):
        compact.pack(address)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_our_fault(port):
    for host in ("1.2.3.4", "::1"):
        with pytest.raises(LocalProtocolError):
            compact.pack(Address(host, port))


def test_families_do_not_share_a_list():
    with pytest.raises(LocalProtocolError):
        compact.encode_peers([Address("::1", 1)])
    with pytest.raises(LocalProtocolError):
        compact.encode_peers6([Address("1.2.3.4", 1)])
