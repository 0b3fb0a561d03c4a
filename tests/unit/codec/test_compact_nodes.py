"""Compact nodes and single peers: round trips, strides, and the bytes of BEP 5 and 32."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import compact
from p2p.codec.compact import CompactNode
from p2p.errors import RemoteProtocolError
from p2p.ids import Address

ids = st.binary(min_size=20, max_size=20)
ports = st.integers(0, 65_535)
addresses4 = st.builds(Address, st.ip_addresses(v=4).map(str), ports)
addresses6 = st.builds(Address.parse, st.ip_addresses(v=6).filter(lambda ip: ip.ipv4_mapped is None).map(str), ports)


@given(st.lists(st.tuples(ids, addresses4), max_size=20))
def test_ipv4_nodes_round_trip(pairs):
    raw = b"".join(node_id + compact.pack(address) for node_id, address in pairs)
    assert len(raw) == 26 * len(pairs)
    assert compact.decode_nodes(raw) == [CompactNode(*pair) for pair in pairs]


@given(st.lists(st.tuples(ids, addresses6), max_size=20))
def test_ipv6_nodes_round_trip(pairs):
    raw = b"".join(node_id + compact.pack(address) for node_id, address in pairs)
    assert len(raw) == 38 * len(pairs)
    assert compact.decode_nodes6(raw) == [CompactNode(*pair) for pair in pairs]


@given(st.binary(max_size=200))
def test_any_bytes_are_nodes_in_canonical_form_or_the_senders_fault(raw):
    for decode, size in ((compact.decode_nodes, 26), (compact.decode_nodes6, 38)):
        if len(raw) % size:
            with pytest.raises(RemoteProtocolError):
                decode(raw)
        else:
            assert all(Address.parse(*node.address) == node.address for node in decode(raw))


@given(st.one_of(addresses4, addresses6))
def test_a_single_peer_round_trips(address):
    assert compact.unpack(compact.pack(address)) == address


@pytest.mark.parametrize("size", [0, 5, 7, 17, 19])
def test_a_peer_of_another_length_is_the_senders_fault(size):
    with pytest.raises(RemoteProtocolError):
        compact.unpack(bytes(size))
