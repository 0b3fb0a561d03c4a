"""NAT-PMP (RFC 6886) and PCP (RFC 6887) as datagrams."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.codec import port_control as pc
from p2p.codec.port_control import PortGrant, Refusal, Transport
from p2p.errors import LocalProtocolError, RemoteProtocolError

NONCE = bytes(range(12))
TRANSPORTS = st.sampled_from(Transport)
PORTS = st.integers(1, 65_535)


def test_requests_are_as_the_rfcs_draw_them():
    assert pc.encode_nat_pmp_address() == b"\x00\x00"
    assert pc.encode_nat_pmp_map(Transport.TCP, 6881, 6882, 3600).hex() == "000200001ae11ae200000e10"
    assert pc.encode_nat_pmp_map(Transport.UDP, 6881, 6882, 0).hex() == "000100001ae1000000000000"
    request = pc.encode_pcp_map(Transport.UDP, 6881, 6882, 3600, client="192.0.2.2", nonce=NONCE)
    assert request.hex() == (
        "0201000000000e10" + "00000000000000000000ffffc0000202" + NONCE.hex() + "11000000" + "1ae11ae2"
        "00000000000000000000ffff00000000"
    )
    assert pc.encode_pcp_map(Transport.TCP, 1, 1, 1, client="2001:db8::2", nonce=NONCE)[-16:] == bytes(16)


@pytest.mark.parametrize(("port", "lifetime"), [(0, 1), (65_536, 1), (1, -1), (1, 1 << 32)])
def test_what_cannot_be_asked_is_our_mistake(port, lifetime):
    with pytest.raises(LocalProtocolError):
        pc.encode_nat_pmp_map(Transport.TCP, port, 1, lifetime)
    with pytest.raises(LocalProtocolError):
        pc.encode_pcp_map(Transport.TCP, port, 1, lifetime, client="192.0.2.2", nonce=NONCE)
    with pytest.raises(LocalProtocolError):
        pc.encode_pcp_map(Transport.TCP, 1, 1, 1, client="192.0.2.2", nonce=b"short")


def nat_pmp_answer(opcode, code=0, rest=b""):
    return struct.pack("!BBHI", 0, 128 | opcode, code, 9) + rest


def test_the_outer_address_is_told():
    assert pc.decode_nat_pmp_address(nat_pmp_answer(0, rest=bytes((203, 0, 113, 9)))) == "203.0.113.9"
    assert pc.decode_nat_pmp_address(nat_pmp_answer(0, 3)) == Refusal(3, "it has no network itself")
    for wrong in (b"", nat_pmp_answer(0), nat_pmp_answer(1, rest=bytes(4)), b"\x02" + nat_pmp_answer(0)[1:] + bytes(4)):
        with pytest.raises(RemoteProtocolError):
            pc.decode_nat_pmp_address(wrong)


@given(transport=TRANSPORTS, inner=PORTS, outer=PORTS, lifetime=st.integers(0, (1 << 32) - 1))
def test_a_grant_of_nat_pmp_is_read(transport, inner, outer, lifetime):
    opcode = {Transport.UDP: 1, Transport.TCP: 2}[transport]
    answer = nat_pmp_answer(opcode, rest=struct.pack("!HHI", inner, outer, lifetime))
    assert pc.decode_nat_pmp_map(answer, transport) == PortGrant(transport, inner, outer, lifetime)
    other = Transport.TCP if transport is Transport.UDP else Transport.UDP
    with pytest.raises(RemoteProtocolError):
        pc.decode_nat_pmp_map(answer, other)
    with pytest.raises(RemoteProtocolError):
        pc.decode_nat_pmp_map(answer[:-1], transport)


def pcp_answer(
    transport, inner, outer, lifetime, *, code=0, nonce=NONCE, version=2, opcode=129, host="::ffff:203.0.113.9"
):
    from ipaddress import IPv6Address

    return struct.pack("!BBxBII12x", version, opcode, code, lifetime, 9) + struct.pack(
        "!12sB3xHH16s", nonce, transport, inner, outer, IPv6Address(host).packed
    )


@given(transport=TRANSPORTS, inner=PORTS, outer=PORTS, lifetime=st.integers(0, (1 << 32) - 1))
def test_a_grant_of_pcp_is_read(transport, inner, outer, lifetime):
    answer = pcp_answer(transport, inner, outer, lifetime)
    expected = PortGrant(transport, inner, outer, lifetime, "203.0.113.9")
    assert pc.decode_pcp_map(answer, transport, inner, NONCE) == expected
    assert pc.decode_pcp_map(answer + b"options", transport, inner, NONCE) == expected


def test_answers_of_pcp_to_others_are_refused():
    for wrong in (
        pcp_answer(Transport.TCP, 1, 2, 3, nonce=bytes(12)),
        pcp_answer(Transport.UDP, 1, 2, 3),
        pcp_answer(Transport.TCP, 2, 2, 3),
        pcp_answer(Transport.TCP, 1, 2, 3, opcode=1),
        pcp_answer(Transport.TCP, 1, 2, 3, opcode=130),
        pcp_answer(Transport.TCP, 1, 2, 3, version=3),
        pcp_answer(Transport.TCP, 1, 2, 3)[:-1],
        pcp_answer(Transport.TCP, 1, 2, 3) + bytes(pc.MAX_DATAGRAM),
        b"",
    ):
        with pytest.raises(RemoteProtocolError):
            pc.decode_pcp_map(wrong, Transport.TCP, 1, NONCE)


@pytest.mark.parametrize("code", [2, 8, 200])
def test_refusals_have_a_reason(code):
    refusal = pc.decode_pcp_map(pcp_answer(Transport.TCP, 1, 2, 3, code=code), Transport.TCP, 1, NONCE)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, bool(refusal.reason)) == (code, True)
    refusal = pc.decode_nat_pmp_map(nat_pmp_answer(2, code), Transport.TCP)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, bool(refusal.reason)) == (code, True)


def test_a_router_of_the_older_protocol_is_known_as_one():
    for answer in (nat_pmp_answer(1, 1), b"\x00\x81\x00\x01", pcp_answer(Transport.TCP, 1, 2, 3, code=1, version=1)):
        refusal = pc.decode_pcp_map(answer, Transport.TCP, 1, NONCE)
        assert isinstance(refusal, Refusal)
        assert refusal.code == pc.UNSUPPORTED_VERSION


@given(
    datagram=st.binary(max_size=80), head=st.sampled_from([b"", b"\x00\x80", b"\x00\x82\x00\x00", b"\x02\x81\x00\x00"])
)
def test_no_datagram_breaks_the_reader(datagram, head):
    for read in (
        pc.decode_nat_pmp_address,
        lambda data: pc.decode_nat_pmp_map(data, Transport.TCP),
        lambda data: pc.decode_pcp_map(data, Transport.TCP, 6881, NONCE),
    ):
        try:
            read(head + datagram)
        except RemoteProtocolError:
            continue
