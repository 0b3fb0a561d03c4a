"""The first policy (Cohen 2003): tit for tat while leeching, and while seeding the slots to those who take fastest.

A seed that follows it sends its copies quickly to few, who then have what others want; a fast free rider is served as
well as anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.swarm.choker import Choker

if TYPE_CHECKING:
    from random import Random

    from p2p.swarm.choker import ChokePeer


class Cohen(Choker):
    """See the module's head."""

    def seeding(self, wanting: list[ChokePeer], now: float, rng: Random) -> dict[int, ChokePeer]:
        takers = [peer for peer in wanting if peer.rate_to > 0 and not peer.choked]
        takers.sort(key=lambda peer: (-peer.rate_to, peer.joined, peer.key))
        return self.by_merit(takers, wanting, now, rng)

    def next_seeding(self, waiting: list[ChokePeer], room: int, now: float, rng: Random) -> list[ChokePeer]:
        return self.draw(waiting, room, now, rng)
