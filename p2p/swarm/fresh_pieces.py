"""Which pieces may be started: wanted, lacking, and nobody's work yet, by priority; and how one of them is drawn.

Priority 0 means unwanted, 1 to 7 is wanted, 7 most. A piece leaves while it is open (being downloaded or verified) and
returns if that work is dropped. All sets are masks as in `p2p.swarm.bitfield`: piece `i` is bit `size - 1 - i`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

UNWANTED: Final = 0
NORMAL: Final = 4
HIGHEST: Final = 7


class FreshPieces:
    """The pieces that may be started, and the priorities of all."""

    __slots__ = ("_by_priority", "priorities", "size", "wanted")

    def __init__(self, size: int) -> None:
        everything = (1 << size) - 1
        self.size = size
        self.priorities = bytearray([NORMAL]) * size
        self.wanted = everything
        """Mask of the pieces of priority 1 or more, had or not."""
        self._by_priority = [0] * (HIGHEST + 1)
        self._by_priority[NORMAL] = everything

    def bit(self, piece: int) -> int:
        return 1 << (self.size - 1 - piece)

    def __contains__(self, piece: int) -> bool:
        return bool(self._by_priority[self.priorities[piece]] & self.bit(piece))

    def add(self, piece: int) -> None:
        self._by_priority[self.priorities[piece]] |= self.bit(piece)

    def discard(self, piece: int) -> None:
        bit = self.bit(piece)
        level = self.priorities[piece]
        if self._by_priority[level] & bit:
            self._by_priority[level] ^= bit

    def discard_all(self, mask: int) -> None:
        self._by_priority = [pieces ^ (pieces & mask) for pieces in self._by_priority]

    def set_priority(self, piece: int, priority: int) -> None:
        """Raises ValueError for a priority outside 0..7."""
        _check_priority(priority)
        bit = self.bit(piece)
        if piece in self:
            self._by_priority[self.priorities[piece]] ^= bit
            self._by_priority[priority] |= bit
        self.priorities[piece] = priority
        self.wanted |= bit
        if priority == UNWANTED:
            self.wanted ^= bit

    def set_priorities(self, priorities: Sequence[int]) -> None:
        """A priority for every piece. Raises ValueError for a wrong number of them or one outside 0..7."""
        if len(priorities) != self.size:
            raise ValueError(f"{len(priorities)} priorities for {self.size} pieces")
        for priority in set(priorities):
            _check_priority(priority)
        fresh = 0
        for pieces in self._by_priority:
            fresh |= pieces
        self.priorities = bytearray(priorities)
        levels = [_positions(self.priorities, level) for level in range(HIGHEST + 1)]
        self._by_priority = [level & fresh for level in levels]
        self.wanted = ((1 << self.size) - 1) ^ levels[UNWANTED]

    def any_in(self, mask: int) -> bool:
        """Whether a wanted piece of `mask` may be started."""
        return any(pieces & mask for pieces in self._by_priority[1:])

    def highest_in(self, mask: int) -> int:
        """Those pieces of `mask` that may be started and have the highest priority among them; 0 if there are none."""
        for pieces in reversed(self._by_priority[1:]):
            if found := pieces & mask:
                return found
        return 0

    def lowest(self, mask: int, count: int) -> list[int]:
        """The first `count` pieces of `mask`, or all of them."""
        found = []
        while mask and len(found) < count:
            top = mask.bit_length() - 1
            mask ^= 1 << top
            found.append(self.size - 1 - top)
        return found

    def drawn(self, mask: int, count: int, rng: random.Random) -> list[int]:
        """`count` different pieces of `mask` in random order, each as likely as any other, or all of them."""
        found = []
        left = mask.bit_count()
        while left and len(found) < count:
            top = _nth_bit(mask, int(rng.random() * left), left)
            mask ^= 1 << top
            left -= 1
            found.append(self.size - 1 - top)
        return found


def _check_priority(priority: int) -> None:
    if not UNWANTED <= priority <= HIGHEST:
        raise ValueError(f"priority {priority} is outside {UNWANTED}..{HIGHEST}")


def _positions(priorities: bytearray, level: int) -> int:
    """Mask of the pieces whose priority is `level`."""
    table = bytearray(b"0" * 256)
    table[level] = ord("1")
    return int(priorities.translate(table) or b"0", 2)


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
