"""Blocks in: the pieces that are arriving, each block a view of where the network put it.

While the arena pool is pressed, blocks are copied out instead, so that a few slow pieces cannot hold every arena.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2p.ids import BLOCK_SIZE, Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from p2p.ids import PieceIndex
    from p2p.session.peer_task import Peer
    from p2p.wire.arena import Arena, ArenaPool
    from p2p.wire.events import BlockReceived, BlocksReceived


@dataclass(frozen=True, slots=True)
class _Run:
    """Blocks that follow each other from byte `begin` of the piece on, and their content: in `arena` from its byte `at`
    on, with a pin for each block, or in memory of its own (None)."""

    begin: int
    content: bytes | memoryview
    arena: Arena | None
    at: int
    host: str

    @property
    def begins(self) -> range:
        """Where each of the blocks begins in the piece."""
        return range(self.begin, self.begin + len(self.content), BLOCK_SIZE)

    def each(self) -> Iterator[_Run]:
        """The blocks one by one."""
        for begin in self.begins:
            start = begin - self.begin
            content = self.content[start : start + BLOCK_SIZE]
            yield _Run(begin, content, self.arena, self.at + start, self.host)

    def let_go(self) -> None:
        if self.arena is not None:
            self.arena.unpin(len(self.begins))


@dataclass(slots=True)
class Arrival:
    """One piece on its way in."""

    piece: PieceIndex
    size: int
    _runs: dict[int, _Run] = field(default_factory=dict)
    """By the begin of their first block. No block is in two of them."""
    _begins: set[int] = field(default_factory=set)
    """Where all the blocks begin."""

    def add(self, run: _Run) -> None:
        """Blocks came; those of them that were here already are replaced."""
        begins = run.begins
        if not self._begins.isdisjoint(begins):
            self._drop(begins)
        self._begins.update(begins)
        self._runs[run.begin] = run

    def _drop(self, begins: range) -> None:
        """Let go of blocks: the picker gave up the piece's first sender and began anew with another."""
        kept = {}
        for single in (single for run in self._runs.values() for single in run.each()):
            if single.begin in begins:
                single.let_go()
            else:
                kept[single.begin] = single
        self._runs = kept

    def views(self) -> list[bytes | memoryview]:
        """The piece's content in order; blocks that landed back to back are one view."""
        views: list[bytes | memoryview] = []
        arena: Arena | None = None
        first = end = 0
        for begin in sorted(self._runs):
            run = self._runs[begin]
            if arena is not None and (run.arena is not arena or run.at != end):
                views.append(arena.view[first:end])
                arena = None
            if run.arena is None:
                views.append(run.content)
                continue
            if arena is None:
                arena, first = run.arena, run.at
            end = run.at + len(run.content)
        if arena is not None:
            views.append(arena.view[first:end])
        return views

    def evidence(self) -> list[tuple[Block, bytes | memoryview, str]]:
        """Each block, its content and the host that sent it."""
        singles = (single for run in self._runs.values() for single in run.each())
        return [(Block(self.piece, one.begin, len(one.content)), one.content, one.host) for one in singles]

    def release(self) -> None:
        """Give the arenas back; the views are dead from here on."""
        for run in self._runs.values():
            run.let_go()
        self._runs.clear()


class Arrivals:
    """The pieces of one torrent that are arriving."""

    def __init__(self, piece_size: Callable[[int], int], arenas: ArenaPool) -> None:
        self._piece_size = piece_size
        self._arenas = arenas
        self._arriving: dict[PieceIndex, Arrival] = {}

    def add(self, event: BlockReceived | BlocksReceived, peer: Peer) -> None:
        """Keep blocks; their arena stays pinned, or is let go at once if they were copied out."""
        arrival = self._arriving.get(event.piece)
        if arrival is None:
            arrival = self._arriving[event.piece] = Arrival(event.piece, self._piece_size(event.piece))
        if self._arenas.pressed:
            run = _Run(event.begin, bytes(event.view), None, 0, peer.address.host)
            event.arena.unpin(len(run.begins))
        else:
            run = _Run(event.begin, event.view, event.arena, event.at, peer.address.host)
        arrival.add(run)

    def take(self, piece: PieceIndex) -> Arrival:
        """A piece of which every block has arrived."""
        return self._arriving.pop(piece)

    def drop_all(self) -> None:
        """Give every arena back, when the torrent stops."""
        for arrival in self._arriving.values():
            arrival.release()
        self._arriving.clear()
