"""Who passes on what a seed gives it, as the seed can see: others have it who did not ask the seed.

A swarm with one seed lives on what leechers send each other. What a free rider got is lost to it until the seed sends
it to somebody else, and then waits for that one. So the seed counts for each leecher the pieces that it asked for and
that nobody has had from elsewhere. Past HOARD of them the leecher hoards, and what only such leechers have is given
again. It hoards no longer when others have its pieces that the seed sent to nobody else; those that the seed sent again
prove nothing for it. A slow peer looks the same, and does as little for the swarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HOARD: Final = 4
"""Pieces that a leecher may keep to itself: one a peer that it serves at a time."""


class PassingOn:
    """For one torrent, all of which we have. Masks of pieces are those of `p2p.swarm.bitfield`."""

    __slots__ = ("_again", "_given", "_passed", "_proven", "hoarders", "kept_by_hoarders")

    def __init__(self) -> None:
        self._given: dict[int, int] = {}
        """What each asked us for that nobody had passed on by then."""

        self._again = 0
        """Pieces that two have asked us for while others had none of them."""

        self._passed = 0
        """Pieces that somebody has had who did not ask us."""

        self._proven: dict[int, int] = {}
        """Of that, what counts as passed on by it."""

        self.hoarders: frozenset[int] = frozenset()
        self.kept_by_hoarders = 0
        """Mask of the pieces that hoarders have, and no other leecher."""

    def on_given(self, peer: int, piece: int) -> None:
        """The peer asks for the piece whose mask is `piece`."""
        given = self._given.get(peer, 0)
        if not given & piece and not piece & self._passed:
            if not self._again & piece and any(other & piece for other in self._given.values()):
                self._again |= piece
            self._given[peer] = given | piece

    def on_left(self, peer: int) -> None:
        self._given.pop(peer, None)
        self._proven.pop(peer, None)

    def look(self, have: Mapping[int, int]) -> None:
        """Take note of what each leecher has, seeds left out."""
        given = self._given
        for peer, mask in have.items():
            self._passed |= mask & ~given.get(peer, 0)
        hoarders: set[int] = set()
        kept_by_hoarders = others = 0
        for peer, mask in have.items():
            had = given.get(peer, 0) & mask
            proof = self._passed & ~self._again if peer in self.hoarders else self._passed
            self._proven[peer] = proven = self._proven.get(peer, 0) | (had & proof)
            kept = had & ~proven
            if kept.bit_count() > HOARD:
                hoarders.add(peer)
                kept_by_hoarders |= mask
            else:
                others |= mask
        self.hoarders = frozenset(hoarders)
        self.kept_by_hoarders = kept_by_hoarders & ~others
