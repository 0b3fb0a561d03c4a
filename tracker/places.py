"""How many connections each address holds: so that one stranger cannot take the place of all others.

The rule: of IPv6 a network of 64 bits counts as one address, because who has one has all of its addresses.
"""

from __future__ import annotations


class Places:
    """At most `most` for one address. Hosts are packed, 4 or 16 bytes."""

    __slots__ = ("_held", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[bytes, int] = {}

    def has_room(self, host: bytes) -> bool:
        return self._held.get(host[:8], 0) < self._most

    def take(self, host: bytes) -> None:
        self._held[host[:8]] = self._held.get(host[:8], 0) + 1

    def leave(self, host: bytes) -> None:
        left = self._held[host[:8]] - 1
        if left:
            self._held[host[:8]] = left
        else:
            del self._held[host[:8]]
