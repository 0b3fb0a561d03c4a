"""Which node ids and addresses are believed: ids bound to addresses (BEP 42), and addresses that lead somewhere.

The rule: a public address earns an id by its hash, so nobody picks a place in the network; local addresses are exempt.
An address told by another is taken only if the teller could reach it: nobody from outside tells us whom to ask inside.
"""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from p2p.codec.crc32c import crc32c
from p2p.ids import NodeId

if TYPE_CHECKING:
    from random import Random

    from p2p.ids import Address

NODE_ID_BITS: Final = 160
_MASK4: Final = 0x030F3FFF
_MASK6: Final = 0x0103070F1F3F7FFF
_HASHED_BITS: Final = 0xFFFFF8
"""The bits of an id's first three bytes that the hash decides: 21 of 24."""


class Reach(IntEnum):
    """From where an address can be reached."""

    NOWHERE = 0
    """Unspecified, multicast and reserved addresses: no node is there."""
    LOOPBACK = 1
    PRIVATE = 2
    PUBLIC = 3

    @property
    def is_local(self) -> bool:
        """Whether BEP 42 exempts it."""
        return self is Reach.LOOPBACK or self is Reach.PRIVATE


def reach(host: str) -> Reach:
    """Where the host at a canonical IP address can be reached from (BEP 42 names the local IPv4 blocks)."""
    if ":" in host:
        return _reach6(IPv6Address(host).packed)
    first, second, _ = host.split(".", 2)
    match int(first):
        case 127:
            return Reach.LOOPBACK
        case 10:
            return Reach.PRIVATE
        case 172 if 16 <= int(second) < 32:
            return Reach.PRIVATE
        case 192 if second == "168":
            return Reach.PRIVATE
        case 169 if second == "254":
            return Reach.PRIVATE
        case 0:
            return Reach.NOWHERE
        case top if top >= 224:
            return Reach.NOWHERE
        case _:
            return Reach.PUBLIC


def is_credible(address: Address, teller: Reach) -> bool:
    """Whether a node or peer that somebody at `teller` tells of may be there."""
    if not address.port:
        return False
    where = reach(address.host)
    if where is Reach.NOWHERE:
        return False
    return where >= teller


def random_id(rng: Random) -> NodeId:
    """Any id, for where nothing is known of our address yet."""
    return NodeId(rng.randbytes(20))


def id_for(host: str, rng: Random) -> NodeId:
    """An id that the host at this public IP address may have (BEP 42)."""
    tail = rng.randbytes(18)
    prefix = _prefix(host, tail[-1]) & _HASHED_BITS | tail[0] & 7
    return NodeId(prefix.to_bytes(3, "big") + tail[1:])


def is_id_for(node_id: bytes, host: str) -> bool:
    """Whether the host at this IP address may have this id; at a local address it may have any (BEP 42)."""
    if reach(host).is_local:
        return True
    return not (int.from_bytes(node_id[:3], "big") ^ _prefix(host, node_id[19])) & _HASHED_BITS


def subnet(host: str) -> bytes:
    """The part of an IP address that one party likely holds whole: /24 of IPv4, /64 of IPv6."""
    if ":" in host:
        return IPv6Address(host).packed[:8]
    return bytes(map(int, host.split(".")[:3]))


def _prefix(host: str, rand: int) -> int:
    """The upper 24 bits of the hash."""
    r = rand & 7
    if ":" in host:
        masked = int.from_bytes(IPv6Address(host).packed[:8], "big") & _MASK6 | r << 61
        return crc32c(masked.to_bytes(8, "big")) >> 8
    a, b, c, d = map(int, host.split("."))
    return crc32c(((a << 24 | b << 16 | c << 8 | d) & _MASK4 | r << 29).to_bytes(4, "big")) >> 8


def _reach6(packed: bytes) -> Reach:
    if packed[0] == 0xFF:
        return Reach.NOWHERE
    if not any(packed[:15]):
        return Reach.LOOPBACK if packed[15] == 1 else Reach.NOWHERE
    if packed[0] & 0xFE == 0xFC or (packed[0] == 0xFE and packed[1] & 0xC0 == 0x80):
        return Reach.PRIVATE
    return Reach.PUBLIC
