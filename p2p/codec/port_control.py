"""Asking a router for a port: NAT-PMP (RFC 6886) and its successor PCP (RFC 6887), as datagrams.

The rule: an answer is read whole or refused; one that is no answer to what was asked is told from one that refuses.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from p2p.errors import LocalProtocolError, RemoteProtocolError

PORT: Final = 5351
"""Where a router listens for both (RFC 6886, section 3.1; RFC 6887, section 19.1)."""

NONCE_SIZE: Final = 12
MAX_DATAGRAM: Final = 1_100
"""Bytes (RFC 6887, section 7)."""

NAT_PMP_VERSION: Final = 0
PCP_VERSION: Final = 2
_ANSWER: Final = 0x80
_ADDRESS: Final = 0
_MAP: Final = 1
_PCP_OPCODE_MAP: Final = 1


class Transport(IntEnum):
    """What a mapping is for; the value is IP's protocol number, which PCP uses."""

    TCP = 6
    UDP = 17


_NAT_PMP_OPCODE: Final = {Transport.UDP: 1, Transport.TCP: 2}

_NAT_PMP_REFUSALS: Final = {
    1: "it does not speak this version",
    2: "it does not allow it",
    3: "it has no network itself",
    4: "it has no room for more",
    5: "it does not know the request",
}
_PCP_REFUSALS: Final = {
    1: "it does not speak this version",
    2: "it does not allow it",
    3: "it found the request malformed",
    4: "it does not know the request",
    5: "it does not know an option",
    6: "it found an option malformed",
    7: "it has no network itself",
    8: "it has no room for more",
    9: "it does not map this protocol",
    10: "it grants no more to this host",
    11: "it cannot give that outer port",
    12: "there is another router between",
    13: "it limits who may call",
}
UNSUPPORTED_VERSION: Final = 1


class PortGrant(NamedTuple):
    """A mapping that a router has made, or none where `lifetime` is 0. Lifetimes are seconds."""

    transport: Transport
    inner_port: int
    outer_port: int
    lifetime: int
    outer_host: str | None = None
    """PCP tells it along."""


class Refusal(NamedTuple):
    """Why a router did not do it."""

    code: int
    reason: str


def encode_nat_pmp_address() -> bytes:
    """Ask for the router's outer address (RFC 6886, section 3.2)."""
    return bytes((NAT_PMP_VERSION, _ADDRESS))


def decode_nat_pmp_address(datagram: bytes) -> str | Refusal:
    """The router's outer address, or why it does not say. Raises RemoteProtocolError for anything else."""
    code = _nat_pmp_result(datagram, _ADDRESS)
    if code:
        return _nat_pmp_refusal(code)
    if len(datagram) < 12:
        raise RemoteProtocolError("an answer of NAT-PMP that is cut short")
    return str(IPv4Address(datagram[8:12]))


_NAT_PMP_REQUEST: Final = struct.Struct("!BBxxHHI")
_NAT_PMP_GRANT: Final = struct.Struct("!8xHHI")


def encode_nat_pmp_map(transport: Transport, inner_port: int, outer_port: int, lifetime: int) -> bytes:
    """Ask for a mapping, `outer_port` if it can be (RFC 6886, section 3.3); a `lifetime` of 0 ends it."""
    _check(inner_port, outer_port, lifetime)
    return _NAT_PMP_REQUEST.pack(
        NAT_PMP_VERSION, _NAT_PMP_OPCODE[transport], inner_port, outer_port if lifetime else 0, lifetime
    )


def decode_nat_pmp_map(datagram: bytes, transport: Transport) -> PortGrant | Refusal:
    """The router's answer. Raises RemoteProtocolError for what is none to such a request."""
    code = _nat_pmp_result(datagram, _NAT_PMP_OPCODE[transport])
    if code:
        return _nat_pmp_refusal(code)
    if len(datagram) < 16:
        raise RemoteProtocolError("an answer of NAT-PMP that is cut short")
    inner_port, outer_port, lifetime = _NAT_PMP_GRANT.unpack_from(datagram)
    return PortGrant(transport, inner_port, outer_port, lifetime)


def _nat_pmp_result(datagram: bytes, opcode: int) -> int:
    if not 8 <= len(datagram) <= MAX_DATAGRAM:
        raise RemoteProtocolError("no answer of NAT-PMP")
    if datagram[0] != NAT_PMP_VERSION or datagram[1] != _ANSWER | opcode:
        raise RemoteProtocolError("no answer of NAT-PMP to what was asked")
    return int.from_bytes(datagram[2:4], "big")


def _nat_pmp_refusal(code: int) -> Refusal:
    return Refusal(code, _NAT_PMP_REFUSALS.get(code, f"it gives the reason {code}"))


_PCP_REQUEST: Final = struct.Struct("!BBxxI16s12sB3xHH16s")
_PCP_ANSWER: Final = struct.Struct("!BBxBII12x")
_PCP_GRANT: Final = struct.Struct("!12sB3xHH16s")


def encode_pcp_map(
    transport: Transport, inner_port: int, outer_port: int, lifetime: int, *, client: str, nonce: bytes
) -> bytes:
    """Ask for a mapping, `outer_port` if it can be (RFC 6887, section 11); a `lifetime` of 0 ends it.

    `client` is the address that the datagram is sent from; `nonce` has NONCE_SIZE bytes and is the same for a mapping's
    whole life.
    """
    _check(inner_port, outer_port, lifetime)
    if len(nonce) != NONCE_SIZE:
        raise LocalProtocolError(f"a nonce has {NONCE_SIZE} bytes")
    any_address = IPv6Address("::" if ":" in client else "::ffff:0.0.0.0")
    return _PCP_REQUEST.pack(
        PCP_VERSION,
        _PCP_OPCODE_MAP,
        lifetime,
        _mapped(client),
        nonce,
        transport,
        inner_port,
        outer_port if lifetime else 0,
        any_address.packed,
    )


def decode_pcp_map(datagram: bytes, transport: Transport, inner_port: int, nonce: bytes) -> PortGrant | Refusal:
    """The router's answer, also that of one that speaks NAT-PMP alone, which is UNSUPPORTED_VERSION.

    Raises RemoteProtocolError for what is no answer to such a request.
    """
    if not 4 <= len(datagram) <= MAX_DATAGRAM or not datagram[1] & _ANSWER:
        raise RemoteProtocolError("no answer of PCP")
    if datagram[0] == NAT_PMP_VERSION:
        return Refusal(UNSUPPORTED_VERSION, _PCP_REFUSALS[UNSUPPORTED_VERSION])
    if len(datagram) < _PCP_ANSWER.size:
        raise RemoteProtocolError("an answer of PCP that is cut short")
    version, opcode, code, lifetime, _epoch = _PCP_ANSWER.unpack_from(datagram)
    if code == UNSUPPORTED_VERSION:
        return Refusal(code, _PCP_REFUSALS[code])
    if version != PCP_VERSION or opcode != _ANSWER | _PCP_OPCODE_MAP:
        raise RemoteProtocolError("no answer of PCP to what was asked")
    if len(datagram) < _PCP_ANSWER.size + _PCP_GRANT.size:
        raise RemoteProtocolError("an answer of PCP that is cut short")
    said_nonce, protocol, said_port, outer_port, outer = _PCP_GRANT.unpack_from(datagram, _PCP_ANSWER.size)
    if (said_nonce, protocol, said_port) != (nonce, transport, inner_port):
        raise RemoteProtocolError("an answer of PCP to another request")
    if code:
        return Refusal(code, _PCP_REFUSALS.get(code, f"it gives the reason {code}"))
    host = IPv6Address(outer)
    return PortGrant(transport, inner_port, outer_port, lifetime, str(host.ipv4_mapped or host))


def _mapped(host: str) -> bytes:
    ip = ip_address(host)
    return IPv6Address(f"::ffff:{ip}").packed if isinstance(ip, IPv4Address) else ip.packed


def _check(inner_port: int, outer_port: int, lifetime: int) -> None:
    if not (0 < inner_port <= 65_535 and 0 <= outer_port <= 65_535 and 0 <= lifetime < 1 << 32):
        raise LocalProtocolError("ports are 1 to 65535, a lifetime has 32 bits")
