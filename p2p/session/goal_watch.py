"""Looks after the goals of one run: asks `p2p.session.goals` when bytes have moved, when time may have reached one, and
when they are changed.

The rule: a torrent that only waits costs one timer, and none without a goal that time can reach.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from p2p.session import goals
from p2p.session.goals import Seeding

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.session.throttle import Throttle
    from p2p.session.torrent import Torrent


class GoalWatch:
    """`on_reached` is told the goal, once. `up` is what limits the torrent's uploads."""

    def __init__(self, torrent: Torrent, up: Throttle, on_reached: Callable[[str], None]) -> None:
        self._torrent = torrent
        self._up = up
        self._on_reached = on_reached
        self._since: float | None = None
        """When this seeding began."""
        self._timer: asyncio.TimerHandle | None = None

    def on_seeding(self, now: float) -> None:
        """Nothing is missing from now on."""
        self._since = now
        self.look()

    def on_rest(self) -> None:
        """It is no seed any more, or the run ends."""
        self._since = None
        self._disarm()

    def look(self) -> None:
        """Bytes have moved, or the goals are others."""
        self._disarm()
        seeding = self._seeding(asyncio.get_running_loop().time())
        if seeding is None:
            return
        reached = goals.reached(self._torrent.goals, seeding)
        if reached is not None:
            self.on_rest()
            self._on_reached(reached)
            return
        wait = goals.look_in(self._torrent.goals, seeding)
        if wait < math.inf:
            self._timer = asyncio.get_running_loop().call_later(wait, self.look)

    def _seeding(self, now: float) -> Seeding | None:
        torrent = self._torrent
        exchange = torrent.exchange
        if self._since is None or exchange is None:
            return None
        quiet_since = torrent.ledger.quiet_since
        return Seeding(
            uploaded=torrent.ledger.uploaded + exchange.uploaded,
            size=exchange.wanted_size,
            idle_for=0.0 if self._up.limit == 0 or quiet_since is None else now - quiet_since,
            seeding_for=now - self._since,
            seeding_in_all=torrent.ledger.seeding_for(now),
        )

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
