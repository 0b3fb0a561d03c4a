"""Pieces out of a mask, by order or by chance, without a walk over all pieces.

Masks are those of `p2p.swarm.bitfield`: piece `i` is bit `size - 1 - i`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


def first_pieces(mask: int, size: int, count: int) -> list[int]:
    """The first `count` pieces of `mask`, rising, or all of them."""
    found: list[int] = []
    while mask and len(found) < count:
        top = mask.bit_length() - 1
        mask ^= 1 << top
        found.append(size - 1 - top)
    return found


def random_pieces(mask: int, size: int, count: int, rng: random.Random) -> list[int]:
    """`count` different pieces of `mask` in random order, each as likely as any other, or all of them."""
    found: list[int] = []
    left = mask.bit_count() if mask else 0
    while left and len(found) < count:
        bit = _nth_bit(mask, int(rng.random() * left), left)
        mask ^= 1 << bit
        left -= 1
        found.append(size - 1 - bit)
    return found


def _nth_bit(mask: int, n: int, count: int) -> int:
    """Position of the `n`-th of the `count` set bits of `mask`, from the low end; by halves, so it costs two passes."""
    position = 0
    width = mask.bit_length()
    while count > 1:
        half = width >> 1
        high = mask >> half
        above = high.bit_count()
        below = count - above
        if n < below:
            mask ^= high << half
            width, count = half, below
        else:
            n -= below
            mask = high
            position += half
            width, count = width - half, above
    return position + mask.bit_length() - 1
