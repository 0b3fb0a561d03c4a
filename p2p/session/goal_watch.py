"""Looks after the goals of one run: asks `p2p.session.goals` when bytes have moved, when time may have reached one, and
when they are changed.

The rule: a torrent that only waits costs one entry in the session's agenda, and none without a goal that time can
reach. Payload only puts idleness off, so an entry that comes too early finds that out when it is due.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from p2p.session import goals
from p2p.session.goals import Seeding

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.session.agenda import Agenda
    from p2p.session.throttle import Throttle
    from p2p.session.torrent import Torrent


class GoalWatch:
    """`on_reached` is told the goal, once. `up` is what limits the torrent's uploads."""

    def __init__(self, torrent: Torrent, agenda: Agenda, up: Throttle, on_reached: Callable[[str], None]) -> None:
        self._torrent = torrent
        self._agenda = agenda
        self._up = up
        self._on_reached = on_reached
        self._since: float | None = None
        """When this seeding began."""

    def on_seeding(self, now: float) -> None:
        """Nothing is missing from now on."""
        self._since = now
        self.look()

    def on_rest(self) -> None:
        """It is no seed any more, or the run ends."""
        self._since = None
        self._agenda.forget(self)

    def on_bytes(self, now: float) -> None:
        """Payload has moved."""
        if self._torrent.goals.ratio is not None:
            self._reach(self._seeding(now))

    def look(self) -> None:
        """The goals are others, or time may have reached one."""
        now = asyncio.get_running_loop().time()
        self._agenda.forget(self)
        seeding = self._seeding(now)
        if seeding is None or self._reach(seeding):
            return
        wait = goals.look_in(self._torrent.goals, seeding)
        if wait < math.inf:
            self._agenda.set(self, now + wait, self.look)

    def _reach(self, seeding: Seeding | None) -> bool:
        reached = None if seeding is None else goals.reached(self._torrent.goals, seeding)
        if reached is None:
            return False
        self.on_rest()
        self._on_reached(reached)
        return True

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
