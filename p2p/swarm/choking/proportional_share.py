"""Shares in proportion to what peers give (Levin, LaCurts, Spring and Bhattacharjee 2008), as far as slots allow it.

The paper divides the upload itself. Here a slot is all that can be given, so the slots of each round are drawn, and a
peer's chance of one is its part of what all give: over many rounds its time unchoked is in proportion. To give a little
less costs a little, while under tit for tat it costs nothing or all, so that nobody gains by giving just enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.swarm.choker import Choker, givers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from p2p.swarm.choker import ChokePeer


class ProportionalShare(Choker):
    """See the module's head. While seeding it gives turns, as `Choker` does."""

    def leeching(self, wanting: list[ChokePeer], now: float, rng: Random) -> dict[int, ChokePeer]:
        return self.by_merit(_lots(givers(wanting), self.slots, rng), wanting, now, rng)

    def next_leeching(self, waiting: list[ChokePeer], room: int, now: float, rng: Random) -> list[ChokePeer]:
        chosen = _lots(givers(waiting), room, rng)
        rest = [peer for peer in waiting if peer not in chosen]
        return chosen + self.draw(rest, room - len(chosen), now, rng)


def _lots(peers: Sequence[ChokePeer], count: int, rng: Random) -> list[ChokePeer]:
    """`count` different ones, each drawn with a chance in proportion to what it gives."""
    left = list(peers)
    drawn: list[ChokePeer] = []
    while left and len(drawn) < count:
        (index,) = rng.choices(range(len(left)), [peer.rate_from for peer in left])
        drawn.append(left.pop(index))
    return drawn
