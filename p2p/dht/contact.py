"""A node as a table holds it: who it is, where, and how it has behaved toward us. With `routing_table` and `shortlist`
the door to `kademlia`.

The rule: who and where never changes, and tables may share it (`anew`); how it has behaved is each table's own.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from kademlia.node import Node

from p2p.codec.compact import CompactNode
from p2p.dht.krpc import encode_node
from p2p.dht.node_id import Reach, is_id_for, reach, subnet

if TYPE_CHECKING:
    from p2p.ids import Address, NodeId

FRESH_FOR: Final = 900.0
"""Seconds after which a silent contact is questionable and an unchanged bucket is due for a refresh (BEP 5)."""

MAX_FAILURES: Final = 2
"""Queries in a row without an answer that make a contact bad (BEP 5: "multiple"): one lost datagram says nothing."""

NEVER: Final = float("-inf")


class Standing(Enum):
    """What BEP 5 calls a node."""

    GOOD = "good"
    QUESTIONABLE = "questionable"
    BAD = "bad"


class Contact(Node):
    """A node somewhere: its id, its address, and how it has behaved toward us. Times are seconds, rtt too."""

    def __init__(self, node_id: NodeId, address: Address) -> None:
        super().__init__(node_id, address.host, address.port)
        self.id: NodeId = node_id
        self.address = address
        self.last_response = NEVER
        self.last_query = NEVER
        self.failures = 0
        """Queries in a row that it left without an answer."""
        self.rtt: float | None = None
        self._compact: bytes | None = None
        self._compliant: bool | None = None
        self._reach: Reach | None = None
        self._subnet: bytes | None = None

    def anew(self) -> Contact:
        """The same node at the same address, as somebody has it who knows nothing else of it."""
        made = Contact.__new__(Contact)
        made.id, made.long_id = self.id, self.long_id
        made.address, made.ip, made.port = self.address, self.ip, self.port
        made.last_response = made.last_query = NEVER
        made.failures = 0
        made.rtt = None
        # What was worked out of these, it is worked out of once for all.
        made._compact, made._compliant = self.compact, self.compliant  # noqa: SLF001 - of its own kind
        made._reach, made._subnet = self.reach, self.subnet  # noqa: SLF001
        return made

    @property
    def compact(self) -> bytes:
        """The 26 or 38 bytes that tell others of it."""
        if self._compact is None:
            self._compact = encode_node(CompactNode(self.id, self.address))
        return self._compact

    @property
    def reach(self) -> Reach:
        """From where it can be reached; from nowhere at port 0."""
        if self._reach is None:
            self._reach = reach(self.address.host) if self.address.port else Reach.NOWHERE
        return self._reach

    @property
    def compliant(self) -> bool:
        """Whether its id may be at its address (BEP 42)."""
        if self._compliant is None:
            self._compliant = is_id_for(self.id, self.address.host)
        return self._compliant

    @property
    def subnet(self) -> bytes:
        """Its /24 or /64."""
        if self._subnet is None:
            self._subnet = subnet(self.address.host)
        return self._subnet

    @property
    def last_seen(self) -> float:
        return max(self.last_response, self.last_query)

    def standing(self, now: float) -> Standing:
        """Good: answered within 15 minutes, or ever and asked us something within 15 minutes (BEP 5).

        One query without an answer makes it questionable until it answers again, MAX_FAILURES make it bad.
        """
        if self.failures:
            return Standing.BAD if self.failures >= MAX_FAILURES else Standing.QUESTIONABLE
        answered = self.last_response
        if now - answered < FRESH_FOR or (answered != NEVER and now - self.last_query < FRESH_FOR):
            return Standing.GOOD
        return Standing.QUESTIONABLE
