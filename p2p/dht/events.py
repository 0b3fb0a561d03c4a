"""What a node tells its owner, and how it describes itself. Values only; times are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from p2p.errors import DhtError
    from p2p.ids import Address, InfoHash, NodeId


@dataclass(frozen=True, slots=True)
class PeersFound:
    """A search has met peers that it had not before."""

    search: int
    peers: tuple[Address, ...]
    source: Address | None
    """The node that told; None for ourselves."""


@dataclass(frozen=True, slots=True)
class NodeAsked:
    """What a search asked of one node, and what came of it."""

    node_id: NodeId
    address: Address
    bits: int
    """Bits that its id shares with the target: the more, the nearer."""
    hop: int
    """Steps from us to it."""
    took: float | None
    """Seconds to its answer; None without one."""
    peers: int
    nodes: int
    """How many it told of."""


@dataclass(frozen=True, slots=True)
class SearchDone:
    """A search has ended, in both families."""

    search: int
    nearest: tuple[tuple[NodeId, Address], ...]
    """The nearest nodes that answered, by family and then in order."""
    peers: int
    asked: int
    """Queries sent."""
    answered: int
    hops: int
    took: float
    trail: tuple[NodeAsked, ...] = ()
    """Whom it asked, in order."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An announce has ended; `stored` of `asked` nodes have confirmed it."""

    search: int
    stored: int
    asked: int
    nodes: tuple[tuple[NodeId, Address, bool], ...] = ()
    """Whom it was told to, and whether they have confirmed it."""


@dataclass(frozen=True, slots=True)
class Pong:
    """A ping was answered."""

    ping: int
    address: Address
    node_id: NodeId
    rtt: float
    version: bytes | None
    """What program the node is, by its own word (4 bytes by convention)."""


@dataclass(frozen=True, slots=True)
class PingFailed:
    ping: int
    address: Address
    error: DhtError


@dataclass(frozen=True, slots=True)
class Joined:
    """The search for ourselves has ended: those nearest to us know us, or nobody answered (`answered` 0)."""

    ipv6: bool
    answered: int


@dataclass(frozen=True, slots=True)
class IdChanged:
    """Others agree on our address, and our id was not for it (BEP 42)."""

    ipv6: bool
    node_id: NodeId


Event: TypeAlias = PeersFound | SearchDone | Announced | Pong | PingFailed | Joined | IdChanged


@dataclass(slots=True)
class Traffic:
    """Datagrams since the start, counted; sizes in bytes."""

    received: int = 0
    sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    queries_received: int = 0
    queries_sent: int = 0
    responses_received: int = 0
    broken: int = 0
    """Datagrams that are no message."""
    unasked: int = 0
    """Answers to nothing we asked: late beyond use, forged, or of a wrong transaction."""
    over_limit: int = 0
    """Queries left without an answer because there were too many."""


@dataclass(frozen=True, slots=True)
class BucketView:
    """A bucket: the length of its prefix in bits, and its contacts."""

    prefix_bits: int
    contacts: int
    good: int
    waiting: int
    """Contacts in the replacement cache."""
    changed: float
    """Seconds since it last changed."""


@dataclass(frozen=True, slots=True)
class FamilyView:
    """One family's node as it stands."""

    ipv6: bool
    node_id: NodeId
    outside: str | None
    """Our IP address as others see it."""
    good: int
    questionable: int
    bad: int
    buckets: tuple[BucketView, ...]
    stored_hashes: int
    stored_peers: int
    hashes: tuple[tuple[InfoHash, int], ...]
    """Some stored hashes and the number of their peers."""
    rtt: float | None
    """The smoothed round trip."""
    stall_after: float
    """Seconds without an answer after which a search goes on without a node."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as it stands."""

    families: tuple[FamilyView, ...]
    searches: int
    waiting: int
    """Queries without an answer yet."""
    read_only: bool
    traffic: Traffic = field(default_factory=Traffic)
