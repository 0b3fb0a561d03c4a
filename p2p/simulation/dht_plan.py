"""What is simulated of a DHT: how many nodes, how far apart, who of them is dead or behind NAT, comes and goes, or
attacks, and what is looked for. Values alone; everything that happens follows from them and `seed`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

from p2p.simulation.errors import SimulationError

MOST_NODES: Final = 1_000_000
"""Nodes of one network: five times the largest swarm on record. Ids and addresses alone take a gigabyte."""
MOST_SEARCHES: Final = 1_000_000
LONGEST: Final = 30 * 86_400.0
"""Seconds of virtual time. A month of a hundred nodes computes for hours."""


class Origin(Enum):
    """How the network comes to be there."""

    BUILT = "built"
    """Tables are filled as those of a network are that has been there for long."""
    JOINED = "joined"
    """Node after node joins by way of one that is there, as in life."""


class Refusal(Enum):
    """What attackers near a key do."""

    FALSE_NODES = "false-nodes"
    """They answer with others of their own, and know no peer."""
    SILENCE = "silence"
    """They answer pings alone."""


@dataclass(frozen=True, slots=True)
class DhtPlan:
    """See the module's head. Times are seconds, shares lie between 0 and 1."""

    seed: int
    nodes: int = 1_000
    """Nodes that are there, those behind NAT included, attackers and dead entries not."""
    origin: Origin = Origin.BUILT

    rtt: float = 0.090
    """The median round trip of two nodes."""
    rtt_spread: float = 0.6
    """Standard deviation of its logarithm: 0.6 puts one pair in twenty above 2.7 times the median."""
    jitter: float = 0.1
    """The most that one datagram takes longer than its pair's usual, as a share of it."""
    loss: float = 0.01
    """Share of datagrams that are lost."""

    dead_share: float = 0.0
    """Share of the entries of built tables whose node has gone."""
    nat_share: float = 0.0
    """Share of nodes that hear only from whom they have sent to within `nat_memory`. They answer as all others do, are
    in tables, and have not said that they are read-only (BEP 43), as most have not on the real network."""
    nat_memory: float = 120.0
    """RFC 4787 asks for two minutes at least."""

    lifetime: float | None = None
    """Median lifetime of a node; None: nobody comes or goes. Lifetimes are exponential, so that the old are no safer
    than the young, and whoever goes is followed by a newcomer."""

    attackers: int = 0
    """Nodes around each attacked key, nearer to it than all others, each at an address of its own."""
    attack: Refusal = Refusal.FALSE_NODES
    attacked: float = 1.0
    """Share of torrents that are attacked."""

    torrents: int = 100
    announcers: int = 1
    """Nodes that announce each torrent."""
    searches: int = 200
    over: float = 60.0
    """Seconds over which searches begin, by chance."""
    upkeep: bool = True
    """Whether nodes that are not searching look after their tables meanwhile. Without, they answer and no more: a
    network at one moment, of any size, of which only those are made that somebody reaches."""

    def __post_init__(self) -> None:
        _within("nodes", self.nodes, 2, MOST_NODES)
        _within("searches", self.searches, 0, MOST_SEARCHES)
        _within("torrents", self.torrents, 1, MOST_SEARCHES)
        _within("announcers", self.announcers, 1, self.nodes)
        _within("attackers", self.attackers, 0, 1_000)
        _within("seconds", self.over, 1, LONGEST)
        _within("seconds of a round trip", self.rtt, 0.0001, 10)
        _within("the spread of round trips", self.rtt_spread, 0, 2)
        for name, share in (("loss", self.loss), ("jitter", self.jitter), ("attacked", self.attacked)):
            _within(f"the share {name}", share, 0, 1)
        for name, share in (("of dead entries", self.dead_share), ("behind NAT", self.nat_share)):
            _within(f"the share {name}", share, 0, 0.9)
        if self.lifetime is not None:
            _within("the median lifetime", self.lifetime, 10, math.inf)
            if not self.upkeep:
                raise SimulationError("nodes that come and go need upkeep")
        if self.origin is Origin.JOINED and (self.dead_share or not self.upkeep):
            raise SimulationError("a network that joins has no dead entries at first, and needs upkeep")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise SimulationError(f"{name}: {value:g} is not between {least:g} and {most:g}")
