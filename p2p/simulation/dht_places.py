"""Where the nodes of a simulated DHT are: their addresses, ids, and how long a datagram takes from one to another.

The rule: all of it follows from the seed and the number of a node, whatever happens in which order. A round trip is the
median times a factor of each of the two places, times one of the pair, all three log-normal: far places are far from
everybody, and half of the spread is between pairs.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from p2p.dht.node_id import Reach, id_for, reach
from p2p.ids import Address

if TYPE_CHECKING:
    import random

    from p2p.ids import NodeId

PORT: Final = 6881
_STEPS: Final = 4_096
"""Steps of the distribution of a pair's factor."""
_FIRST: Final = 0x9E3779B97F4A7C15
_SECOND: Final = 0xC2B2AE3D27D4EB4F
_MASK: Final = 2**64 - 1


class Distances:
    """How long a datagram is on its way, by the numbers of two nodes."""

    def __init__(self, median_rtt: float, spread: float) -> None:
        self._one_way = median_rtt / 2
        self._place_spread = spread / 2  # two places: half of the variance
        self._places: list[float] = []
        self._seen = 0
        pair = NormalDist(0.0, spread / math.sqrt(2)) if spread else None
        self._pairs = [math.exp(pair.inv_cdf((each + 0.5) / _STEPS)) if pair else 1.0 for each in range(_STEPS)]

    def settle(self, rng: random.Random) -> None:
        """The next node takes its place."""
        self._places.append(math.exp(rng.gauss(0.0, self._place_spread)))

    def between(self, one: int, other: int) -> float:
        """Seconds from one node to another; the same back."""
        low, high = (one, other) if one < other else (other, one)
        mixed = ((low * _FIRST) ^ (high * _SECOND)) & _MASK
        mixed = (mixed ^ mixed >> 29) * _FIRST & _MASK
        places = self._places
        return self._one_way * places[low] * places[high] * self._pairs[mixed >> 52]


class Addresses:
    """Public IPv4 addresses that nobody has yet, with ids that are for them (BEP 42)."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._taken: dict[int, None] = {}

    def next_address(self) -> Address:
        """One by chance, and nobody else's."""
        while True:
            number = self._rng.randrange(1 << 24, 224 << 24)
            host = f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            if number not in self._taken and reach(host) is Reach.PUBLIC:
                self._taken[number] = None
                return Address(host, PORT)

    def id_at(self, address: Address) -> NodeId:
        """An id that the node at this address may have."""
        return id_for(address.host, self._rng)
