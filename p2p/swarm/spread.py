"""Which piece a seed suggests to each peer (BEP 6): one that no leecher has, and that it sends to nobody else.

A seed that is alone decides how soon its swarm can live without it: what it sends a second time before everything was
sent once delays all. Peers that pick by rarity do not see what others are asking for, and the fewer pieces are left the
more often two choose alike; a suggestion keeps them apart. Once leechers have everything between them, there is nothing
to suggest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.swarm.draw import random_pieces

if TYPE_CHECKING:
    from random import Random


class Spread:
    """For one torrent of `size` pieces, all of which we have. Masks are those of `p2p.swarm.bitfield`."""

    __slots__ = ("_at", "_everything", "_size", "_told")

    def __init__(self, size: int) -> None:
        self._size = size
        self._everything = (1 << size) - 1
        self._at: dict[int, int] = {}
        """Who was told of each piece, or asks for it, that nobody else has."""

        self._told: dict[int, int] = {}
        """The piece that each peer was told of and has not asked for yet."""

    def on_request(self, peer: int, piece: int) -> bool:
        """A peer asks for a part of a piece: whether it has just begun with it."""
        if self._told.get(peer) == piece:
            del self._told[peer]
        elif self._at.get(piece) == peer:
            return False
        self._at[piece] = peer
        return True

    def on_left(self, peer: int) -> None:
        """A peer is gone, or choked: what it was at is for others."""
        self._told.pop(peer, None)
        for piece in [piece for piece, other in self._at.items() if other == peer]:
            del self._at[piece]

    def suggest(self, peer: int, spread: int, rng: Random) -> int | None:
        """A piece to tell an unchoked peer of; None where it knows of one, or there is none left.

        `spread` is the mask of the pieces that leechers have.
        """
        left = self._everything & ~spread
        if not left or peer in self._told:
            return None
        self._at = {piece: other for piece, other in self._at.items() if left & self._bit(piece)}
        for piece in self._at:
            left &= ~self._bit(piece)
        found = random_pieces(left, self._size, 1, rng)
        if not found:
            return None
        (piece,) = found
        self._told[peer] = piece
        self._at[piece] = peer
        return piece

    def _bit(self, piece: int) -> int:
        return 1 << (self._size - 1 - piece)
