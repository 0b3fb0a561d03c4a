"""What the piece picker remembers about one peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.swarm.bitfield import Bitfield

if TYPE_CHECKING:
    from p2p.swarm.partial_piece import PartialPiece, PeerKey

MOST_SUGGESTED: Final = 16
"""Suggestions kept for a peer, the newest: each is a piece in the peer's cache, and caches are small (BEP 6)."""

MOST_DRAWN: Final = 32
"""Pieces drawn ahead at once: enough to make the draw cheap a piece, few enough to be used up while still true."""


class PickerPeer:
    """A connected peer as the picker sees it."""

    __slots__ = (
        "_mask",
        "asked",
        "draw_size",
        "drawn",
        "drawn_at",
        "have",
        "interest",
        "key",
        "seed",
        "suggested",
        "work",
    )

    def __init__(self, key: PeerKey, size: int) -> None:
        self.key = key
        self.have = Bitfield(size)
        self.seed = False
        """It has everything; its interest is then the picker's count of pieces left, not kept here."""
        self.interest = 0
        """Pieces it has that we want and lack."""
        self.asked = 0
        """Blocks asked of it."""
        self.work: dict[int, PartialPiece] = {}
        """The open pieces it works or worked on, in the order it began."""
        self.suggested: dict[int, None] = {}
        """Pieces it suggested (BEP 6), oldest first."""
        self.drawn: list[int] = []
        """Pieces to start next with this peer, last first; true while the picker's epoch is `drawn_at`."""
        self.drawn_at = -1
        self.draw_size = 1
        self._mask: int | None = 0

    def mask(self) -> int:
        """`have` as one integer, made again only after it changed."""
        if self._mask is None:
            self._mask = self.have.mask()
        return self._mask

    def replace(self, have: Bitfield) -> None:
        self.have = have
        self._mask = None
        self.seed = have.complete

    def add(self, piece: int) -> None:
        self.have.add(piece)
        self._mask = None
        self.seed = self.have.complete

    def suggest(self, piece: int) -> None:
        self.drawn_at = -1
        self.suggested.pop(piece, None)
        self.suggested[piece] = None
        if len(self.suggested) > MOST_SUGGESTED:
            del self.suggested[next(iter(self.suggested))]
