"""Blocks in: the pieces that are arriving, each block a view of where the network put it.

While the arena pool is pressed, blocks are copied out instead, so that a few slow pieces cannot hold every arena.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import Block, PieceIndex
    from p2p.session.peer_task import Peer
    from p2p.wire.arena import Arena, ArenaPool


@dataclass(slots=True)
class Arrival:
    """One piece on its way in."""

    piece: PieceIndex
    size: int
    blocks: dict[int, tuple[Block, bytes | memoryview, Arena | None, str]] = field(default_factory=dict)

    def views(self) -> list[bytes | memoryview]:
        """The piece's content in order."""
        return [self.blocks[begin][1] for begin in sorted(self.blocks)]

    def evidence(self) -> list[tuple[Block, bytes | memoryview, str]]:
        """Each block, its content and the host that sent it."""
        return [(block, view, host) for block, view, _, host in self.blocks.values()]

    def release(self) -> None:
        """Give the arenas back; the views are dead from here on."""
        for _, _, arena, _ in self.blocks.values():
            if arena is not None:
                arena.unpin()
        self.blocks.clear()


_NOTHING: Final = (None, None, None, None)


class Arrivals:
    """The pieces of one torrent that are arriving."""

    def __init__(self, piece_size: Callable[[int], int], arenas: ArenaPool) -> None:
        self._piece_size = piece_size
        self._arenas = arenas
        self._arriving: dict[PieceIndex, Arrival] = {}

    def add(self, block: Block, view: memoryview, arena: Arena, peer: Peer) -> None:
        """Keep a block; its arena stays pinned, or is let go at once if the block was copied out."""
        arrival = self._arriving.get(block.piece)
        if arrival is None:
            arrival = self._arriving[block.piece] = Arrival(block.piece, self._piece_size(block.piece))
        _, _, replaced, _ = arrival.blocks.get(block.begin, _NOTHING)
        if replaced is not None:  # the picker gave up the piece's first sender and began anew with another
            replaced.unpin()
        if self._arenas.pressed:
            arrival.blocks[block.begin] = (block, bytes(view), None, peer.address.host)
            arena.unpin()
        else:
            arrival.blocks[block.begin] = (block, view, arena, peer.address.host)

    def take(self, piece: PieceIndex) -> Arrival:
        """A piece of which every block has arrived."""
        return self._arriving.pop(piece)

    def drop_all(self) -> None:
        """Give every arena back, when the torrent stops."""
        for arrival in self._arriving.values():
            arrival.release()
        self._arriving.clear()
