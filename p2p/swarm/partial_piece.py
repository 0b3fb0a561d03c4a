"""A piece at work: which of its blocks are free, asked of whom, or received.

Every block is in exactly one of three states: free, asked (of one peer, or of several in endgame), received. A peer
that ever worked on the piece stays among its workers, with 0 blocks asked, until the piece is closed, so that it goes
on with what it began.
"""

from __future__ import annotations

from functools import partial
from itertools import repeat
from typing import Final

from p2p.ids import BLOCK_SIZE, Block, PieceIndex

PeerKey = int
"""A connected peer, named by the session: 0 or more, rising with each connection, never used again."""

_FREE: Final = -1
_RECEIVED: Final = -2

# A block from its three numbers in C: about a third of the cost of `Block(...)`, paid once for every request.
_new_block = partial(tuple.__new__, Block)


class PartialPiece:
    """The blocks of one piece. `length` is the piece's size in bytes."""

    __slots__ = (
        "_also",
        "_free",
        "_last_length",
        "_state",
        "alone",
        "block_count",
        "piece",
        "received",
        "started",
        "workers",
    )

    def __init__(self, piece: int, length: int, started: float, *, alone: bool = False) -> None:
        self.piece = PieceIndex(piece)
        self.started = started
        self.block_count = (length + BLOCK_SIZE - 1) // BLOCK_SIZE
        self.received = 0
        self.alone = alone
        """One peer must send all of it, so that bad data has one sender."""
        self.workers: dict[PeerKey, int] = {}
        """Blocks asked of each peer that works or worked on this piece, in the order they joined."""
        self._last_length = length - (self.block_count - 1) * BLOCK_SIZE
        # The first asker of each block, or one of the two marks; `_also` has the further askers of endgame.
        self._state = [_FREE] * self.block_count
        self._also: dict[int, list[PeerKey]] = {}
        # Falling, so that blocks leave from the end in rising order; what is dropped goes to the end and leaves first.
        self._free = list(range(self.block_count - 1, -1, -1))

    @property
    def free(self) -> int:
        """Blocks that are neither asked nor received."""
        return len(self._free)

    @property
    def sharable(self) -> bool:
        """Another peer may be asked for some of its blocks."""
        return bool(self._free) and not (self.alone and self.workers)

    @property
    def complete(self) -> bool:
        return self.received == self.block_count

    @property
    def untouched(self) -> bool:
        """Nothing received and nothing asked: the piece may as well be closed."""
        return len(self._free) == self.block_count

    @property
    def idle(self) -> bool:
        """No block is asked of anybody."""
        return len(self._free) + self.received == self.block_count

    def index_of(self, block: Block) -> int | None:
        """The block's number in the piece, None if it is not one of the blocks we ask for."""
        index, rest = divmod(block.begin, BLOCK_SIZE)
        if rest or not 0 <= index < self.block_count:
            return None
        last = index == self.block_count - 1
        return index if block.length == (self._last_length if last else BLOCK_SIZE) else None

    def take(self, peer: PeerKey, count: int) -> list[Block]:
        """Ask up to `count` free blocks of `peer`."""
        free = self._free
        taken = free[-count:] if count < len(free) else free[:]
        del free[-len(taken) :]
        taken.reverse()
        state = self._state
        for index in taken:
            state[index] = peer
        self.workers[peer] = self.workers.get(peer, 0) + len(taken)
        return self._blocks(taken)

    def _blocks(self, indices: list[int]) -> list[Block]:
        begins = [index * BLOCK_SIZE for index in indices]
        blocks = list(map(_new_block, zip(repeat(self.piece), begins, repeat(BLOCK_SIZE), strict=False)))
        if self._last_length != BLOCK_SIZE and self.block_count - 1 in indices:
            at = indices.index(self.block_count - 1)
            blocks[at] = blocks[at]._replace(length=self._last_length)
        return blocks

    def askable_again(self, peer: PeerKey, most_askers: int) -> list[int]:
        """Numbers of the blocks asked of fewer than `most_askers` others and not of `peer`."""
        also = self._also
        return [
            index
            for index, first in enumerate(self._state)
            if first >= 0
            and first != peer
            and (index not in also or (peer not in also[index] and len(also[index]) + 1 < most_askers))
        ]

    def ask_again(self, peer: PeerKey, index: int) -> Block:
        """Ask a block of `peer` that is already asked of others (endgame)."""
        self._also.setdefault(index, []).append(peer)
        self.workers[peer] = self.workers.get(peer, 0) + 1
        return self._blocks([index])[0]

    def askers(self, index: int) -> tuple[PeerKey, ...]:
        """Whom the block is asked of, first asker first."""
        first = self._state[index]
        return (first, *self._also.get(index, ())) if first >= 0 else ()

    def receive(self, index: int) -> tuple[PeerKey, ...] | None:
        """Take a block in: those it was asked of, or None if it was there already."""
        first = self._state[index]
        if first == _RECEIVED:
            return None
        self._state[index] = _RECEIVED
        self.received += 1
        if first == _FREE:
            self._free.remove(index)
            return ()
        self.workers[first] -= 1
        if index not in self._also:
            return (first,)
        also = self._also.pop(index)
        for peer in also:
            self.workers[peer] -= 1
        return (first, *also)

    def receive_run(self, peer: PeerKey, index: int, count: int) -> bool:
        """Take in `count` blocks from number `index` on, if each is asked of `peer` and of nobody else; else False."""
        stop = index + count
        if self._also or self._state[index:stop] != [peer] * count:
            return False
        self._state[index:stop] = [_RECEIVED] * count
        self.received += count
        self.workers[peer] -= count
        return True

    def drop(self, peer: PeerKey, index: int) -> bool:
        """The block will not come from `peer`; False if it was not asked of it. Free again once nobody is asked."""
        first = self._state[index]
        also = self._also.get(index, [])
        if first == peer:
            if also:
                self._state[index] = also.pop(0)
            else:
                self._state[index] = _FREE
                self._free.append(index)
        elif peer in also:
            also.remove(peer)
        else:
            return False
        if not also:
            self._also.pop(index, None)
        self.workers[peer] -= 1
        return True

    def drop_all(self, peer: PeerKey) -> None:
        """Nothing more will come from `peer`, and it is no worker any longer."""
        if self.workers[peer]:
            # From the end, so that the free blocks leave in rising order.
            for index in range(self.block_count - 1, -1, -1):
                if self._state[index] >= 0:
                    self.drop(peer, index)
        del self.workers[peer]

    def check_invariants(self) -> None:
        """Raises AssertionError if the counts and lists contradict the states."""
        states = self._state
        if sorted(self._free) != [index for index, first in enumerate(states) if first == _FREE]:
            raise AssertionError(f"piece {self.piece}: the free list contradicts the states")
        if self.received != states.count(_RECEIVED):
            raise AssertionError(f"piece {self.piece}: miscounted the received blocks")
        asked = dict.fromkeys(self.workers, 0)
        for index in range(self.block_count):
            askers = self.askers(index)
            if len(set(askers)) != len(askers):
                raise AssertionError(f"piece {self.piece}: block {index} asked twice of one peer")
            for peer in askers:
                asked[peer] += 1
        if asked != self.workers:
            raise AssertionError(f"piece {self.piece}: workers {self.workers} where the states say {asked}")
        if any(not also or states[index] < 0 for index, also in self._also.items()):
            raise AssertionError(f"piece {self.piece}: further askers without a first one")
