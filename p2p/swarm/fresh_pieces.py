"""Which piece to start next with a peer: the highest priority, then the fewest peers, equals by chance.

The rule: the first few pieces are drawn without regard to rarity, because the rarest are the slowest to get and a
newcomer has nothing to trade (Cohen 2003, "random first piece"). What the peer suggested comes before what is rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.swarm.draw import first_pieces, random_pieces
from p2p.swarm.pick_mode import PickMode

if TYPE_CHECKING:
    from random import Random

    from p2p.swarm.crowd import Crowd, PickerPeer
    from p2p.swarm.piece_states import PieceStates

RANDOM_FIRST: Final = 4
"""Pieces had before rarity counts: four is what clients in use settle on."""

MOST_DRAWN: Final = 32
"""Pieces drawn ahead at once: enough to make the draw cheap a piece, few enough to be used up while still true."""


class FreshPieces:
    """The fresh pieces of `states`, drawn for the peers of `crowd`."""

    __slots__ = ("_crowd", "_rng", "_states", "mode")

    def __init__(self, states: PieceStates, crowd: Crowd, *, rng: Random) -> None:
        self._states = states
        self._crowd = crowd
        self._rng = rng
        self.mode = PickMode.RAREST_FIRST
        """Whoever changes it raises the states' epoch."""

    def next(self, peer: PickerPeer) -> int | None:
        """The piece to start with this peer, None if it has no fresh one that we want.

        Several pieces are drawn at once. The draw stays true while nothing but starts happened since: they only take
        pieces out of the set it was made from.
        """
        states = self._states
        if peer.drawn_at == states.epoch:
            while peer.drawn:
                piece = peer.drawn.pop()
                if states.is_fresh(piece):
                    return piece
            peer.draw_size = min(2 * peer.draw_size, MOST_DRAWN)
        else:
            peer.draw_size = 1
        peer.drawn_at = states.epoch
        peer.drawn = self._draw(peer, states.best_to_start(peer.mask()))
        return peer.drawn.pop() if peer.drawn else None

    def put_back(self, peer: PickerPeer, piece: int) -> None:
        """The piece that `next` gave is not started: it comes next again."""
        peer.drawn.append(piece)

    def _draw(self, peer: PickerPeer, choice: int) -> list[int]:
        """Pieces of the mask `choice`, the one to start first last."""
        states = self._states
        if self.mode is PickMode.SEQUENTIAL:
            return first_pieces(choice, states.size, peer.draw_size)[::-1]
        for piece in reversed(peer.suggested):
            if choice & states.bit(piece):
                return [piece]
        if states.have.count >= RANDOM_FIRST:
            choice = self._crowd.availability.rarest(choice)
        return random_pieces(choice, states.size, peer.draw_size, self._rng)
