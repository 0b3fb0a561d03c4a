"""Where each piece stands: had, open (being downloaded or verified) or fresh; and how much it is wanted.

Every piece is in exactly one of the three states. Priority 0 means unwanted, 1 to 7 is wanted, 7 most; a priority is
independent of the state. All sets are masks as in `p2p.swarm.bitfield`: piece `i` is bit `size - 1 - i`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.swarm.bitfield import Bitfield

if TYPE_CHECKING:
    from collections.abc import Sequence

UNWANTED: Final = 0
NORMAL: Final = 4
HIGHEST: Final = 7


class PieceStates:
    """The states and priorities of `size` pieces, all fresh and of normal priority at first."""

    __slots__ = ("_fresh", "_lacking", "_priorities", "_wanted", "_wanted_left", "epoch", "have", "size")

    def __init__(self, size: int) -> None:
        everything = (1 << size) - 1
        self.size = size
        self.have = Bitfield(size)
        self.epoch = 0
        """Rises whenever a choice made among the fresh pieces earlier may no longer be the best."""
        self._lacking = everything
        self._priorities = bytearray([NORMAL]) * size
        self._wanted = everything
        self._wanted_left = size
        # The fresh pieces by their priority, the unwanted ones at 0.
        self._fresh = [0] * (HIGHEST + 1)
        self._fresh[NORMAL] = everything

    def bit(self, piece: int) -> int:
        """The mask of one piece."""
        return 1 << (self.size - 1 - piece)

    # Questions.

    @property
    def wanted_left(self) -> int:
        """How many pieces are wanted and not had; O(1)."""
        return self._wanted_left

    def left(self) -> int:
        """Mask of the pieces that are wanted and not had."""
        return self._wanted & self._lacking

    def lacks(self, piece: int) -> bool:
        """Whether the piece is wanted and not had."""
        return bool(self._priorities[piece]) and not self.have[piece]

    def priority(self, piece: int) -> int:
        return self._priorities[piece]

    def is_fresh(self, piece: int) -> bool:
        return bool(self._fresh[self._priorities[piece]] & self.bit(piece))

    def can_start_any(self, mask: int) -> bool:
        """Whether a piece of `mask` is fresh and wanted."""
        return any(pieces & mask for pieces in self._fresh[1:])

    def best_to_start(self, mask: int) -> int:
        """Those pieces of `mask` that are fresh and of the highest priority among them; 0 if none is wanted."""
        for pieces in self._fresh[:UNWANTED:-1]:
            if found := pieces & mask:
                return found
        return 0

    # Facts.

    def on_opened(self, piece: int) -> None:
        """Work on a fresh piece began."""
        self._fresh[self._priorities[piece]] ^= self.bit(piece)

    def on_dropped(self, piece: int) -> None:
        """The work on an open piece came to nothing."""
        self._fresh[self._priorities[piece]] |= self.bit(piece)
        self.epoch += 1

    def on_verified(self, piece: int) -> None:
        """A piece that we lacked is had."""
        bit = self.bit(piece)
        level = self._priorities[piece]
        if self._fresh[level] & bit:
            self._fresh[level] ^= bit
        self._lacking ^= bit
        self.have.add(piece)
        if level:
            self._wanted_left -= 1

    def on_all_verified(self, mask: int) -> None:
        """All pieces of `mask` are had."""
        self._fresh = [pieces ^ (pieces & mask) for pieces in self._fresh]
        self._lacking ^= self._lacking & mask
        self.have = Bitfield.from_mask(self._lacking ^ ((1 << self.size) - 1), self.size)
        self._wanted_left = self.left().bit_count()
        self.epoch += 1

    def on_lost(self, piece: int) -> None:
        """A piece that was had is fresh again."""
        self.have.discard(piece)
        self._lacking |= self.bit(piece)
        if self._priorities[piece]:
            self._wanted_left += 1
        self.on_dropped(piece)

    def set_priority(self, piece: int, priority: int) -> None:
        """Raises ValueError for a priority outside 0..7."""
        _check_priority(priority)
        bit = self.bit(piece)
        before = self._priorities[piece]
        if self._fresh[before] & bit:
            self._fresh[before] ^= bit
            self._fresh[priority] |= bit
        self._priorities[piece] = priority
        if bool(before) != bool(priority):
            self._wanted ^= bit
            if not self.have[piece]:
                self._wanted_left += 1 if priority else -1
        self.epoch += 1

    def set_priorities(self, priorities: Sequence[int]) -> None:
        """A priority for every piece. Raises ValueError for a wrong number of them or one outside 0..7."""
        if len(priorities) != self.size:
            raise ValueError(f"{len(priorities)} priorities for {self.size} pieces")
        if priorities:
            _check_priority(min(priorities))
            _check_priority(max(priorities))
        fresh = 0
        for pieces in self._fresh:
            fresh |= pieces
        self._priorities = bytearray(priorities)
        levels = [_positions(self._priorities, level) for level in range(HIGHEST + 1)]
        self._fresh = [level & fresh for level in levels]
        self._wanted = levels[UNWANTED] ^ ((1 << self.size) - 1)
        self._wanted_left = self.left().bit_count()
        self.epoch += 1

    def check_invariants(self, opened: Sequence[int]) -> None:
        """Raises AssertionError if the sets contradict each other, or are not what `opened` pieces leave."""
        fresh = set(range(self.size)) - set(self.have) - set(opened)
        for level, pieces in enumerate(self._fresh):
            expected = Bitfield(self.size)
            for piece in fresh:
                if self._priorities[piece] == level:
                    expected.add(piece)
            if pieces != expected.mask():
                raise AssertionError(
                    f"the fresh pieces of priority {level} are not those that are neither had nor open"
                )
        if self._lacking ^ self.have.mask() != (1 << self.size) - 1:
            raise AssertionError("what we have and what we lack are not everything")
        if self._wanted ^ _positions(self._priorities, UNWANTED) != (1 << self.size) - 1:
            raise AssertionError("what is wanted and what is not are not everything")
        if self._wanted_left != self.left().bit_count():
            raise AssertionError("miscounted the pieces left")


def _check_priority(priority: int) -> None:
    if not UNWANTED <= priority <= HIGHEST:
        raise ValueError(f"priority {priority} is outside {UNWANTED}..{HIGHEST}")


def _positions(priorities: bytearray, level: int) -> int:
    """Mask of the pieces whose priority is `level`."""
    table = bytearray(b"0" * 256)
    table[level] = ord("1")
    return int(priorities.translate(table) or b"0", 2)
