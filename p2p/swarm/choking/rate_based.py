"""As many slots as the upload feeds (libtorrent's rate-based choker): each one more has to carry more than the last.

The peers are ranked by what they take. The first has to take RISE bytes a second, the second twice that, and so on;
where one takes less the count ends, and one slot more is there to be tried. Who gets the slots is as with `Choker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.swarm.choker import Choker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from p2p.swarm.choker import ChokePeer, ChokeRound

RISE: Final = 2 * 1024
"""Bytes a second that each slot has to carry beyond the one before."""

LEAST: Final = 2
"""Regular slots at the least: with fewer nobody is ever tried beside the best."""


class RateBased(Choker):
    """See the module's head. A number of slots that the user set is kept."""

    def __init__(self, *, slots: int | None) -> None:
        super().__init__(slots=LEAST if slots is None else slots)
        self._set = slots is not None

    def set_slots(self, slots: int | None) -> None:
        self._set = slots is not None
        super().set_slots(LEAST if slots is None else slots)

    def round(
        self,
        peers: Sequence[ChokePeer],
        now: float,
        rng: Random,
        *,
        seeding: bool,
        upload_rate: float,
        upload_limit: float | None,
    ) -> ChokeRound:
        if not self._set:
            super().set_slots(_fed(peers))
        return super().round(peers, now, rng, seeding=seeding, upload_rate=upload_rate, upload_limit=upload_limit)


def _fed(peers: Sequence[ChokePeer]) -> int:
    """Slots that the upload feeds, the one to be tried included."""
    rates = sorted((peer.rate_to for peer in peers if not peer.choked), reverse=True)
    slots = 0
    for rate in rates:
        if rate < RISE * (slots + 1):
            break
        slots += 1
    return max(LEAST, slots)
