"""One address family's half of a node: its id, table, store, acquaintances (BEP 32: the two networks are apart)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2p.codec.compact import NODE6_SIZE, NODE_SIZE, CompactNodes, unpack_node
from p2p.dht.acquaintances import Acquaintances
from p2p.dht.contact import NEVER, Contact, Standing
from p2p.dht.events import BucketView, FamilyView
from p2p.dht.krpc import encode_node
from p2p.dht.node_id import Reach, id_for, is_id_for, reach
from p2p.dht.outside import OutsideView
from p2p.dht.peer_store import PeerStore
from p2p.dht.round_trips import RoundTrips
from p2p.dht.routing_table import K, NodeTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from p2p.codec.compact import CompactNode
    from p2p.dht.lookup import Lookup
    from p2p.dht.transactions import Waiting
    from p2p.ids import Address, NodeId

SHOWN_HASHES = 50
"""Stored hashes that a view names."""
MAX_HEARD_OF = 256
"""Nodes told of and remembered until the next turn of upkeep, which asks some that the table has room for."""
MAX_TOLD = 512
"""Nodes told of whose contacts are kept, since those near a target tell of the same few: what some searches meet."""
STARTING_POINTS = 16
"""Contacts of the table that a search begins with, and half as many acquaintances."""


@dataclass(slots=True, eq=False)
class Family:
    """State only; what is done with it is decided in `node`."""

    ipv6: bool
    own_id: NodeId
    table: NodeTable
    store: PeerStore
    known: Acquaintances = field(default_factory=Acquaintances)
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    outside: OutsideView = field(default_factory=OutsideView)
    own_addresses: dict[Address, None] = field(default_factory=dict)
    """Addresses that turned out to be ours."""
    joining: Lookup | None = None
    """The search for ourselves, while it lasts."""
    join_at: float = NEVER
    """When to search for ourselves again, should the table be thin."""
    join_pause: float = 0.0
    last_heard: float = NEVER
    """When any query was last answered."""
    heard_of: dict[Address, Contact] = field(default_factory=dict)
    """Nodes told of lately."""
    told: dict[bytes, Contact] = field(default_factory=dict)
    """Contacts that nobody has asked, by their compact form."""
    unjudged: list[Waiting] = field(default_factory=list)
    """Queries that failed while nobody answered: theirs is the fault only if somebody answers soon."""

    @classmethod
    def make(cls, own_id: NodeId, rng: Random, now: float, *, ipv6: bool) -> Family:
        return cls(ipv6, own_id, NodeTable(own_id, now), PeerStore(rng))

    def starting_points(self, target: bytes, now: float) -> list[Contact]:
        """Whom a search asks first: the nearest in the table and of those met lately, the silent ones passed over.

        If that leaves nobody, the silent ones too: then it is likely us who were cut off.
        """
        found = self.likeliest(target, STARTING_POINTS, now)
        return found or self.table.closest(target, STARTING_POINTS, now)

    def likeliest(self, target: bytes, count: int, now: float) -> list[Contact]:
        """As many of the nearest in the table, half as many of those met lately, without the silent ones."""
        found = self.table.closest(target, count, now)
        held = {each.id for each in found}
        found += [each for each in self.known.nearest(target, count // 2, now) if each.id not in held]
        return [each for each in found if not self.known.is_silent(each.address, now)]

    def passed_over(self, target: bytes, now: float) -> list[Contact]:
        """The nearest in the table that searches leave out because they let a query wait: one of theirs may be lost."""
        return [each for each in self.table.closest(target, K, now) if self.known.is_silent(each.address, now)]

    def believed(self, told: Sequence[CompactNode], teller: Address, now: float) -> list[Contact]:
        """The nodes that somebody told us of and that may be: not us, not nowhere, not silent."""
        where = reach(teller.host)
        entries = told.entries if isinstance(told, CompactNodes) else [encode_node(node) for node in told]
        size = NODE6_SIZE if self.ipv6 else NODE_SIZE
        found: list[Contact] = []
        for entry in entries:
            contact = self.told.get(entry)
            if contact is None:
                if len(entry) != size:
                    continue
                contact = Contact(*unpack_node(entry))
                if len(self.told) >= MAX_TOLD:
                    del self.told[next(iter(self.told))]
                self.told[entry] = contact
            if (
                contact.reach >= where
                and contact.reach is not Reach.NOWHERE
                and contact.id != self.own_id
                and contact.address not in self.own_addresses
                and not self.known.is_silent(contact.address, now)
            ):
                found.append(contact)
        return found

    def hear_of(self, contacts: Iterable[Contact]) -> None:
        """Remember nodes told of for the next turn of upkeep, the latest of them."""
        heard_of = self.heard_of
        for contact in contacts:
            heard_of[contact.address] = contact
        while len(heard_of) > MAX_HEARD_OF:
            del heard_of[next(iter(heard_of))]

    def adapted_id(self, rng: Random) -> NodeId | None:
        """A new id, where the one we have is not for the address that others see (BEP 42)."""
        host = self.outside.host
        if host is None or is_id_for(self.own_id, host):
            return None
        return id_for(host, rng)

    def move(self, own_id: NodeId, now: float) -> None:
        """Take another id. The contacts stay, in the buckets that they have from there."""
        contacts = self.table.contacts()
        self.own_id = own_id
        self.table = NodeTable(own_id, now)
        for contact in contacts:
            self.table.add_contact(contact, now)

    def take_up(self, contacts: Iterable[Contact], joined: float, now: float) -> None:
        """Have contacts as they are, in a table that has been looked after since `joined`."""
        for contact in contacts:
            self.table.add_contact(contact)
            self.last_heard = max(self.last_heard, contact.last_response)
            if contact.rtt is not None:
                self.round_trips.observe(contact.rtt)
        self.table.settle(joined, now)
        self.join_at = joined

    def view(self, now: float) -> FamilyView:
        """How it stands."""
        standings = [contact.standing(now) for contact in self.table.contacts()]
        return FamilyView(
            ipv6=self.ipv6,
            node_id=self.own_id,
            outside=self.outside.host,
            good=standings.count(Standing.GOOD),
            questionable=standings.count(Standing.QUESTIONABLE),
            bad=standings.count(Standing.BAD),
            buckets=tuple(
                BucketView(
                    prefix_bits=bucket.prefix_bits,
                    contacts=len(bucket),
                    good=sum(each.standing(now) is Standing.GOOD for each in bucket.nodes.values()),
                    waiting=len(bucket.replacement_nodes),
                    changed=now - bucket.last_updated,
                )
                for bucket in self.table.buckets
            ),
            stored_hashes=self.store.hash_count,
            stored_peers=len(self.store),
            hashes=tuple(self.store.counts(SHOWN_HASHES)),
            rtt=self.round_trips.smoothed,
            stall_after=self.round_trips.stall_after,
        )
