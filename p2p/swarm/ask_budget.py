"""How much is asked of all peers of a torrent together, while a download limit binds.

What arrives faster than it may be read fills buffers, holds pieces that others could bring sooner, and looks like a
stall. So the peers together are asked for about QUEUE_TIME seconds of the limit, in even shares, and few of them at a
time where that is little. Peers too slow to fill the limit with that are noticed, as some of it stays unused: then the
budget grows until the limit is what binds again. It shrinks slowly, as each time it comes to be too little a second of
the limit is lost; and what slow peers still hold from before it shrank is not taken from the shares of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.ids import BLOCK_SIZE
from p2p.swarm.request_queue import QUEUE_TIME

if TYPE_CHECKING:
    from collections.abc import Collection

LEAST: Final = 2
"""Requests at the lowest limit: one block on its way, and one behind it."""

GROWTH: Final = 1.5
"""A second, while the limit is not used up."""

DECAY: Final = 0.98
"""A second, while it is: what one step of growth brings lasts twenty, so little is lost to finding the edge anew."""

MOST_FACTOR: Final = 1_000.0
"""Past this it is not the budget that holds the peers back."""


class AskBudget:
    """Limits are bytes a second and above 0 but for `room`; `asked` counts the requests in each peer's hands."""

    def __init__(self) -> None:
        self._factor = 1.0
        self._peers = 1

    def room(self, limit: float, *, asked: Collection[int], own: int) -> int:
        """How many more may be asked of a peer that is asked for `own`, which is one of `asked`."""
        if not limit:
            return 0
        most = self._most(limit)
        share = max(1, most // self._peers)
        if own >= share:
            return 0
        return max(0, min(most - sum([min(count, share) for count in asked]), share - own))

    def on_tick(self, limit: float, *, outstanding: int, peers: int, slack: bool) -> None:
        """About once a second: how many peers can be asked, and whether more could come than does."""
        self._peers = max(1, peers)
        most = self._most(limit)
        if not slack:
            self._factor = max(1.0, self._factor * DECAY)
        elif 4 * outstanding >= 3 * min(most, self._peers * max(1, most // self._peers)):
            self._factor = min(self._factor * GROWTH, MOST_FACTOR)

    def _most(self, limit: float) -> int:
        return max(LEAST, int(limit * QUEUE_TIME * self._factor / BLOCK_SIZE))
