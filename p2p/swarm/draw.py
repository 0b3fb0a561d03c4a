"""Pieces out of a mask, by order or by chance, without a walk over all pieces.

Masks are those of `p2p.swarm.bitfield`: piece `i` is bit `size - 1 - i`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

_DENSE: Final = 8
"""One piece in so many makes a mask dense: a try is then some sixty times cheaper than a search by halves."""


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
    if count > 1 and left > size // _DENSE and left > 2 * count:
        return _tried(mask, size, count, rng)
    while left and len(found) < count:
        bit = _nth_bit(mask, int(rng.random() * left), left)
        mask ^= 1 << bit
        left -= 1
        found.append(size - 1 - bit)
    return found


def _tried(mask: int, size: int, count: int, rng: random.Random) -> list[int]:
    """The same for a dense mask and a small `count`: places tried at random until `count` of them hold."""
    low_end_first = mask.to_bytes((size + 7) >> 3, "little")
    found: dict[int, None] = {}
    while len(found) < count:
        bit = int(rng.random() * size)
        if low_end_first[bit >> 3] & (1 << (bit & 7)):
            found[size - 1 - bit] = None
    return list(found)


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
