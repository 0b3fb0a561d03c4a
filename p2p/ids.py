"""The identities and coordinates that every package shares. Values only: no state, no I/O."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple, NewType

InfoHash = NewType("InfoHash", bytes)
"""20 bytes as they stand in handshakes and announces: SHA-1 (BEP 3), or SHA-256 cut to 20 bytes (BEP 52)."""

PeerId = NewType("PeerId", bytes)
"""20 bytes (BEP 3, BEP 20)."""

NodeId = NewType("NodeId", bytes)
"""20 bytes (BEP 5)."""

PieceIndex = NewType("PieceIndex", int)

BLOCK_SIZE = 16_384
"""Bytes in a block, the unit of request; larger requests are dropped by every client in use (BEP 3)."""


class Block(NamedTuple):
    """A span of a piece as `request`, `cancel`, `piece` and `reject` name it. `begin` and `length` are bytes."""

    piece: PieceIndex
    begin: int
    length: int


class Address(NamedTuple):
    """An IP address in its canonical text form and a port; ordered, hashable, cheap.

    Make one from text of unknown origin with `Address.parse`, which canonicalises and unmaps IPv4-in-IPv6.
    """

    host: str
    port: int

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    @classmethod
    def parse(cls, host: str, port: int) -> Address:
        """Canonical form of an IP literal. Raises ValueError for a name, a scope id, or a port outside 0..65535."""
        if not 0 <= port <= 65_535:
            raise ValueError(f"port {port} is outside 0..65535")
        ip = ipaddress.ip_address(host)
        if isinstance(ip, ipaddress.IPv6Address):
            if ip.scope_id is not None:
                raise ValueError("an address with a scope id names no peer")
            if ip.ipv4_mapped is not None:
                ip = ip.ipv4_mapped
        return cls(str(ip), port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"
