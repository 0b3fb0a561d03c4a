"""Canonical peer priority (BEP 40): both ends of a connection arrive at the same number, whoever computes it.

Peers that prefer high numbers spread over a swarm evenly, make room for newcomers, and give an attacker no better place
than its share of addresses.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2p.ids import Address

_PLAIN_BYTES: Final = {4: 2, 16: 6}
"""Leading bytes of an address that are hashed whole even if the two ends have none in common."""

_SPARSE: Final = 0x55
"""Mask of the bytes after those: addresses that differ only there are likely one party's."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


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


def crc32c(data: bytes) -> int:
    """The Castagnoli CRC (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(ip: bytes, plain: int) -> bytes:
    return ip[:plain] + bytes(byte & _SPARSE for byte in ip[plain:])
