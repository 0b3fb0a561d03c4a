"""Rates over time as this interface has seen them, for daemons that keep none. Pure: time is given."""

from __future__ import annotations

from typing import Final

from p2p.daemon.history import RateRing
from p2p.daemon.own_facts import RateHistory

STEP: Final = 5.0
"""Seconds: such a daemon is asked every two."""

STEPS: Final = 720
"""An hour."""


class RateTrail:
    """Begins with the first rates that it is told."""

    def __init__(self) -> None:
        self._ring: RateRing | None = None

    def add(self, down: int, up: int, now: float) -> None:
        """`now` is seconds since the epoch."""
        if self._ring is None:
            self._ring = RateRing(STEP, STEPS, now)
        self._ring.add(max(0, down), max(0, up), now)

    def history(self, now: float) -> RateHistory:
        return RateHistory(None, () if self._ring is None else (self._ring.series(now, now),))
