"""The connected peers of a torrent: what each has, how many have each piece, and who has something for us.

Whether a peer is interesting is one counter a peer, kept with every fact, so that asking costs nothing. A peer that has
everything needs no counter: what it has for us is what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.swarm.availability import Availability
from p2p.swarm.bitfield import Bitfield

if TYPE_CHECKING:
    from p2p.swarm.partial_piece import PartialPiece, PeerKey
    from p2p.swarm.piece_states import PieceStates

MOST_SUGGESTED: Final = 16
"""Suggestions kept for a peer, the newest: each is a piece in the peer's cache, and caches are small (BEP 6)."""


class PickerPeer:
    """A connected peer as the piece picker sees it."""

    __slots__ = (
        "asked",
        "draw_size",
        "drawn",
        "drawn_at",
        "have",
        "interest",
        "key",
        "known_mask",
        "seed",
        "suggested",
        "work",
    )

    def __init__(self, key: PeerKey, size: int) -> None:
        self.key = key
        self.have = Bitfield(size)
        self.known_mask: int | None = 0
        """`have` as one integer; None where it changed since."""
        self.seed = False
        """It has everything; then `interest` means nothing."""
        self.interest = 0
        """Pieces it has that we want and lack."""
        self.asked = 0
        """Blocks asked of it."""
        self.work: dict[int, PartialPiece] = {}
        """The open pieces it works or worked on, in the order it began."""
        self.suggested: dict[int, None] = {}
        """Pieces it suggested (BEP 6), oldest first."""
        self.drawn: list[int] = []
        """Pieces to start next with this peer, last first; true while the piece states' epoch is `drawn_at`."""
        self.drawn_at = -1
        self.draw_size = 1

    def mask(self) -> int:
        """`have` as one integer, made again only after it changed."""
        if self.known_mask is None:
            self.known_mask = self.have.mask()
        return self.known_mask

    def suggest(self, piece: int) -> None:
        self.drawn_at = -1
        self.suggested.pop(piece, None)
        self.suggested[piece] = None
        if len(self.suggested) > MOST_SUGGESTED:
            del self.suggested[next(iter(self.suggested))]


class Crowd:
    """The peers, in the order they joined."""

    __slots__ = ("_everything", "_everything_mask", "_states", "availability", "peers")

    def __init__(self, states: PieceStates) -> None:
        self._states = states
        self.peers: dict[PeerKey, PickerPeer] = {}
        self.availability = Availability(states.size)
        # One field for all who have everything: nothing is ever added to it or taken from it.
        self._everything = Bitfield(states.size)
        self._everything.set_all()
        self._everything_mask = self._everything.mask()

    def join(self, key: PeerKey) -> None:
        if key < 0 or key in self.peers:
            raise ValueError(f"peer key {key} is negative or in use")
        self.peers[key] = PickerPeer(key, self._states.size)

    def leave(self, peer: PickerPeer) -> None:
        self._uncount(peer)
        del self.peers[peer.key]

    def set_have(self, peer: PickerPeer, have: Bitfield) -> None:
        """The peer has exactly `have`, which is kept."""
        if have.complete:
            self.set_have_all(peer)
            return
        self._uncount(peer)
        peer.have = have
        peer.known_mask = mask = have.mask()
        peer.seed = False
        peer.interest = (mask & self._states.left()).bit_count()
        self.availability.add(mask)

    def set_have_all(self, peer: PickerPeer) -> None:
        """The peer has every piece; O(1)."""
        self._uncount(peer)
        peer.have = self._everything
        peer.known_mask = self._everything_mask
        peer.seed = True
        self.availability.add_seed()

    def add_piece(self, peer: PickerPeer, piece: int) -> None:
        """The peer has one piece more."""
        states = self._states
        if peer.have[piece]:
            return
        peer.have.add(piece)
        peer.known_mask = None
        self.availability.add(states.bit(piece))
        if states.lacks(piece):
            peer.interest += 1
            states.epoch += 1
        if peer.have.complete:
            self.availability.remove(self._everything_mask)
            self.availability.add_seed()
            peer.seed = True

    def _uncount(self, peer: PickerPeer) -> None:
        if peer.seed:
            self.availability.remove_seed()
        else:
            self.availability.remove(peer.mask())
        self._states.epoch += 1

    def change_interest(self, piece: int, by: int) -> None:
        """One piece became wanted and lacking (`by` 1), or stopped being so (-1)."""
        byte, bit = piece >> 3, 0x80 >> (piece & 7)
        for peer in self.peers.values():
            if peer.have.bits[byte] & bit:
                peer.interest += by

    def recount_interest(self) -> None:
        """Any number of pieces changed."""
        left = self._states.left()
        for peer in self.peers.values():
            if not peer.seed:
                peer.interest = (peer.mask() & left).bit_count()

    def interesting(self, peer: PickerPeer) -> bool:
        """Whether the peer has a piece that we want and lack."""
        return bool(self._states.wanted_left if peer.seed else peer.interest)

    def check_invariants(self) -> None:
        """Raises AssertionError if a count is not what the bitfields and the piece states give."""
        left = self._states.left()
        for peer in self.peers.values():
            if peer.mask() != peer.have.mask() or peer.seed != peer.have.complete:
                raise AssertionError(f"peer {peer.key}: what is known of its bitfield is out of date")
            if not peer.seed and peer.interest != (peer.have.mask() & left).bit_count():
                raise AssertionError(f"peer {peer.key}: miscounted its interest")
        counts = self.availability.counts()
        for piece in range(self._states.size):
            expected = sum(peer.have[piece] for peer in self.peers.values())
            if not expected == counts[piece] == self.availability.of(piece):
                raise AssertionError(f"piece {piece}: miscounted its availability")
