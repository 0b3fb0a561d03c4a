"""How many peers have each piece, kept so that a whole bitfield is counted in a handful of integer operations.

The counts stand upright: plane `k` is one integer that holds bit `k` of every piece's count, so adding a peer is a
ripple carry over the planes and finding the rarest of a set is a descent through them. Either costs microseconds at
100,000 pieces, where a list of counters would cost milliseconds for each peer that comes or goes. Peers that have
everything are a plain number and cost nothing.
"""

from __future__ import annotations

import sys
from array import array


class Availability:
    """Counts over `size` pieces. Masks are those of `p2p.swarm.bitfield`: piece `i` is bit `size - 1 - i`."""

    __slots__ = ("_planes", "_seeds", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._seeds = 0
        self._planes: list[int] = []

    @property
    def seeds(self) -> int:
        """Peers counted as having everything."""
        return self._seeds

    def add_seed(self) -> None:
        self._seeds += 1

    def remove_seed(self) -> None:
        self._seeds -= 1

    def add(self, mask: int) -> None:
        """Count one more peer at each piece of `mask`."""
        planes = self._planes
        for k, plane in enumerate(planes):
            planes[k] = plane ^ mask
            mask &= plane
            if not mask:
                return
        if mask:
            planes.append(mask)

    def remove(self, mask: int) -> None:
        """Count one peer less at each piece of `mask`; every one of them was added before."""
        planes = self._planes
        for k, plane in enumerate(planes):
            planes[k] = plane ^ mask
            mask &= planes[k]
            if not mask:
                break
        while planes and not planes[-1]:
            planes.pop()

    def of(self, piece: int) -> int:
        """Peers that have `piece`."""
        bit = 1 << (self._size - 1 - piece)
        return self._seeds + sum(1 << k for k, plane in enumerate(self._planes) if plane & bit)

    def anywhere(self) -> int:
        """Mask of the pieces that at least one peer has."""
        return (1 << self._size) - 1 if self._seeds else self.among_leechers()

    def among_leechers(self) -> int:
        """Mask of the pieces that at least one peer has that lacks others."""
        union = 0
        for plane in self._planes:
            union |= plane
        return union

    def held_once(self) -> int:
        """Mask of the pieces that exactly one peer has that lacks others."""
        if not self._planes:
            return 0
        more = 0
        for plane in self._planes[1:]:
            more |= plane
        return self._planes[0] & ~more

    def rarest(self, mask: int) -> int:
        """Those pieces of `mask` that the fewest peers have."""
        for plane in reversed(self._planes):
            common = mask & plane
            if common != mask:
                mask ^= common
        return mask

    def counts(self) -> array[int]:
        """Peers for each piece, as unsigned 16-bit numbers: more peers than that cannot be connected at once."""
        size = self._size
        # Every plane's binary digits, two bytes a digit, are one integer with a 16-bit field a piece; the sum of the
        # planes, each shifted by its weight, is then all counts at once. "0" is 0x30, taken off in every field.
        ones = int.from_bytes(b"\x01\x00" * size, "little")
        total = self._seeds * ones
        for k, plane in enumerate(self._planes):
            digits = format(plane, f"0{size}b").encode("utf-16-le") if size else b""
            total += (int.from_bytes(digits, "little") - 0x30 * ones) << k
        counts = array("H")
        counts.frombytes(total.to_bytes(2 * size, "little"))
        if sys.byteorder == "big":
            counts.byteswap()
        return counts

    def copies(self, own: int) -> float:
        """Whole copies among the peers and the pieces of `own`: the least count, plus the share of pieces above it."""
        if not self._size:
            return 0.0
        counted = Availability(self._size)
        counted._planes = self._planes[:]
        counted.add(own)
        everything = (1 << self._size) - 1
        rarest = counted.rarest(everything)
        lowest = counted.of(self._size - rarest.bit_length())
        return self._seeds + lowest + 1.0 - rarest.bit_count() / self._size
