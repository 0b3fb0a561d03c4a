"""Canonical peer priority (BEP 40): both ends of a connection arrive at the same number, whoever computes it.

Peers that prefer high numbers spread over a swarm evenly, make room for newcomers, and give an attacker no better place
than its share of addresses.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from p2p.codec.crc32c import crc32c

if TYPE_CHECKING:
    from p2p.ids import Address

_PLAIN_BYTES: Final = {4: 2, 16: 6}
"""Leading bytes of an address that are hashed whole even if the two ends have none in common."""

_SPARSE: Final = 0x55
"""Mask of the bytes after those: addresses that differ only there are likely one party's."""


def peer_priority(a: Address, b: Address) -> int | None:
    """32 bits, higher is better, the same for (a, b) and (b, a); None where the families differ."""
    if a.host == b.host:
        ports = sorted((a.port, b.port))
        return crc32c(ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big"))
    ours, theirs = ip_address(a.host).packed, ip_address(b.host).packed
    if len(ours) != len(theirs):
        return None
    shared = 0
    while ours[shared] == theirs[shared]:
        shared += 1
    plain = max(_PLAIN_BYTES[len(ours)], shared + 1)
    return crc32c(b"".join(sorted((_masked(ours, plain), _masked(theirs, plain)))))


def _masked(ip: bytes, plain: int) -> bytes:
    return ip[:plain] + bytes(byte & _SPARSE for byte in ip[plain:])
