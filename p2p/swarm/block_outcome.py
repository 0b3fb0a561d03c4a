"""What the picker answers to a block that came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from p2p.swarm.partial_piece import PeerKey


class BlockOutcome(NamedTuple):
    """What a received block meant."""

    new: bool
    """The first copy of a block we lacked: keep it."""
    piece_complete: bool
    """It was the last one missing; the piece now waits for `on_piece_verified` or `on_piece_failed`."""
    cancel_at: tuple[PeerKey, ...]
    """Other peers that were asked for it; their requests are forgotten here."""
