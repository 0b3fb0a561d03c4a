"""How long a packet is under way between two hosts.

The rule: what was set for the pair, else what was set for their two regions plus both access latencies, else the sum of
the access latencies. All are seconds one way, and the same in both directions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.simulation.errors import SimulationError

if TYPE_CHECKING:
    from p2p.simulation.sim_host import SimHost


class Latencies:
    """See the module's head."""

    __slots__ = ("_pairs", "_regions")

    def __init__(self) -> None:
        self._pairs: dict[tuple[SimHost, SimHost], float] = {}
        self._regions: dict[tuple[str, str], float] = {}

    def set_pair(self, one: SimHost, other: SimHost, latency: float) -> None:
        """Between two hosts, whatever their own latencies and regions are."""
        _check(latency)
        self._pairs[one, other] = self._pairs[other, one] = latency

    def set_regions(self, one: str, other: str, latency: float) -> None:
        """Between the access points of two regions, or of one."""
        _check(latency)
        self._regions[one, other] = self._regions[other, one] = latency

    def between(self, one: SimHost, other: SimHost) -> float:
        """Seconds one way; none from a host to itself."""
        if one is other:
            return 0.0
        if self._pairs and (pair := self._pairs.get((one, other))) is not None:
            return pair
        access = one.latency + other.latency
        if self._regions and one.region is not None and other.region is not None:
            return access + self._regions.get((one.region, other.region), 0.0)
        return access


def _check(latency: float) -> None:
    if not 0 <= latency < float("inf"):
        raise SimulationError(f"a latency of {latency} seconds")
