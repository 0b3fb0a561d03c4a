"""How long answers take, and so how long is too long. As TCP does it (RFC 6298), over all nodes of a family."""

from __future__ import annotations

from typing import Final

FIRST_STALL: Final = 0.6
"""Seconds before anything is measured: a round trip around the world takes 0.3."""
MIN_STALL: Final = 0.02
"""Seconds that a busy machine may take by itself."""
MAX_STALL: Final = 1.5
DEVIATIONS: Final = 2.0
"""Mean deviations above the mean after which nobody waits. TCP takes 4, because to send again costs it dearly; a search
asks another, and the answer still counts: with 2, one in ten comes after that on the network."""


class RoundTrips:
    """Takes in round trips in seconds."""

    __slots__ = ("deviation", "smoothed")

    def __init__(self) -> None:
        self.smoothed: float | None = None
        self.deviation = 0.0

    def observe(self, rtt: float) -> None:
        """An answer took so long."""
        if self.smoothed is None:
            self.smoothed, self.deviation = rtt, rtt / 2
        else:
            self.deviation += (abs(rtt - self.smoothed) - self.deviation) / 4
            self.smoothed += (rtt - self.smoothed) / 8

    @property
    def stall_after(self) -> float:
        """Seconds after which a query without an answer is slower than nearly all are."""
        if self.smoothed is None:
            return FIRST_STALL
        return min(max(self.smoothed + DEVIATIONS * self.deviation, MIN_STALL), MAX_STALL)
