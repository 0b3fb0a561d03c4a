"""What a simulated DHT has shown: how soon peers are found and how often, what a search costs, what a node costs.

The rule: times and counts of the searches are those of virtual time, the same in every run of a plan; `digest` is equal
where they are. Wall time and memory are this machine's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from p2p.simulation.figures import median, percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.simulation.dht_plan import DhtPlan

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(slots=True)
class Outcome:
    """One search. Times are seconds."""

    began: float
    first: float | None = None
    """From its beginning to the first peer that is there; None where it found none."""
    took: float | None = None
    """To its end."""
    hops: int = 0
    """Nodes on the way to the one that told of peers, that one included."""
    asked: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """How values lie."""

    median: float
    p95: float
    most: float
    mean: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None where there is no value."""
        middle, p95 = median(values), percentile(values, 0.95)
        if middle is None or p95 is None:
            return None
        return cls(middle, p95, max(values), sum(values) / len(values))


@dataclass(frozen=True, slots=True)
class DhtReport:
    """See the module's head."""

    plan: DhtPlan
    outcomes: tuple[Outcome, ...]
    """The searches, in the order in which they began."""
    searches: int
    """Searches that ended, and whose owner did not go meanwhile."""
    found: int
    """Those of them that found a peer that is there."""
    first_peers: Spread | None
    """Seconds to the first peers, of those that found any."""
    whole: Spread | None
    """Seconds to the end of the search."""
    hops: Spread | None
    queries: Spread | None
    """Queries sent in a search."""
    messages: Spread | None
    """Queries and answers."""
    announces: int
    announced_to: float
    """Nodes that confirmed, an announce."""
    contacts: float
    """In the table of a node, on average."""
    unreachable: float
    """Share of those whose node has gone or is behind NAT."""
    bytes_per_second: float
    """Sent and received by a node, headers of IP and UDP included, on average."""
    bytes_most: float
    """The same of the node with the most, of those that were there throughout."""
    joined: int
    """Nodes that came while the network was watched."""
    departed: int
    datagrams: int
    events: int
    """Datagrams delivered and timers run."""
    made: int
    """Nodes that were reached, so that they came to have a table and all."""
    virtual_time: float
    digest: str
    wall_time: float = 0.0
    build_time: float = 0.0
    memory: int | None = None
    """Bytes that the process grew by for each node made, ids and addresses of all included; None where that cannot be
    told."""

    @property
    def success(self) -> float | None:
        """Share of searches that found a peer; None without searches."""
        return self.found / self.searches if self.searches else None

    @property
    def events_per_second(self) -> float:
        """Of wall time."""
        return self.events / self.wall_time if self.wall_time else 0.0

    def to_json(self) -> dict[str, Json]:
        """All of it, for programs. Seconds, bytes and shares."""
        plan = {key: getattr(value, "value", value) for key, value in asdict(self.plan).items()}
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del fields["outcomes"]
        spreads = {name: asdict(value) for name, value in fields.items() if isinstance(value, Spread)}
        fields.update(spreads, plan=plan)
        return {**fields, "success": self.success, "events_per_second": self.events_per_second}
