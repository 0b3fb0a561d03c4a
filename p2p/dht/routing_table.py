"""Who is near whom: the contacts of a node, and the nearest of them to a target. With `contact` and `shortlist`
the door to `kademlia`.

Its Kademlia core carries this: `Node`, the order of a `KBucket` and its replacement cache, `NodeHeap`, `RoutingTable`.
What is overridden, because BEP 5 or a bound of ours asks for something else:

- buckets cover exactly 0 to 2^160 - 1 and split where a prefix ends; only a bucket that holds our own id splits;
- `split` and `flush` make buckets of ours, whose replacement cache holds k contacts, and the wide ranges hold more than
  k, so that a search begins nearer to its target;
- time comes from the caller; nothing reads a clock or sends a ping by itself;
- the nearest are exactly the nearest, from however many buckets they come.

A contact enters the table only once it has answered. One table is for one address family (BEP 32).
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain
from typing import TYPE_CHECKING, Final

from kademlia.node import Node
from kademlia.routing import KBucket, RoutingTable

from p2p.dht.contact import FRESH_FOR, MAX_FAILURES, NEVER, Contact, Standing
from p2p.dht.nearby import Nearby
from p2p.dht.node_id import NODE_ID_BITS
from p2p.ids import NodeId

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from random import Random

    from p2p.ids import Address

K: Final = 8
"""Contacts in a bucket, nodes in an answer, nodes that keep a value (BEP 5)."""

WIDTHS: Final = (128, 64, 32, 16)
"""Contacts in the buckets of the farthest half, quarter, eighth and sixteenth of all ids; K in the others. A search
begins four bits nearer to its target, for some 200 contacts more."""

THIN_PAUSE: Final = 15.0
"""Seconds until a bucket that is not full is refreshed again, doubled each time up to FRESH_FOR. When many join at once
each is told of few, and whole ranges can remain unknown to whole ranges, which no other search would notice."""

MAX_PER_HOST: Final = 1
MAX_PER_SUBNET: Final = 2
"""Contacts of one public IP address in a table, and of one /24 or /64 in a bucket: so no host or hoster fills it."""
MAX_SUBNETS: Final = 2_048
"""Subnets noted until those that have gone are forgotten: tables hold some 600 contacts, the waiting included."""

LOOK_AHEAD: Final = 60.0
"""Seconds for which questionable contacts are looked for at once."""

_TOP: Final = 2**NODE_ID_BITS - 1


class Bucket(KBucket):
    """A range of ids and the contacts in it, the one seen longest ago first; `line` has those that count, of all
    buckets of a table, by their ids.
    """

    def __init__(self, low: int, high: int, ksize: int, now: float, line: Nearby | None = None) -> None:
        self._created = now
        self._line = Nearby() if line is None else line
        self.width = high ^ low
        """The range's size less one, which is the mask of the bits that differ in it."""
        super().__init__(low, high, ksize)
        self.nodes: dict[bytes, Contact] = {}  # keeps its order as the base's does, in half of the memory
        self.max_replacement_nodes = K
        self._refresh_at = now + THIN_PAUSE
        self._pause = THIN_PAUSE

    def touch_last_updated(self) -> None:
        """The base marks its creation by this and would read a clock; later changes are marked by `changed`."""
        self.last_updated = self._created

    def changed(self, now: float) -> None:
        self.last_updated = now

    def is_wanting(self, now: float) -> bool:
        """Whether it has fewer than K contacts, and had for its pause."""
        return len(self) < K and now >= self._refresh_at

    @property
    def refresh_at(self) -> float:
        """When it is due for a refresh at the earliest, if nothing changes."""
        fresh_until = self.last_updated + FRESH_FOR
        return min(fresh_until, self._refresh_at) if len(self) < K else fresh_until

    def refreshed(self, now: float) -> None:
        """A search in it begins."""
        self.changed(now)
        self._pause = min(2 * self._pause, FRESH_FOR)
        self._refresh_at = now + self._pause

    def settle(self, since: float, now: float) -> None:
        """It has been refreshed every FRESH_FOR since then."""
        self._pause = FRESH_FOR
        self._refresh_at = now + FRESH_FOR - (now - since) % FRESH_FOR

    def split(self) -> tuple[Bucket, Bucket]:
        """Its two halves. What has changed last in either is not known, so both are as old as the whole."""
        low, high = self.range
        middle = (low + high) // 2
        halves = (
            Bucket(low, middle, self.ksize, self.last_updated, self._line),
            Bucket(middle + 1, high, self.ksize, self.last_updated, self._line),
        )
        for node in chain(self.nodes.values(), self.replacement_nodes.values()):
            halves[node.long_id > middle].add_node(node)
        return halves

    def add_node(self, node: Contact) -> bool:
        counts: bool = super().add_node(node)
        if counts:
            self._line.put(node)
        return counts

    def remove_node(self, node: Contact) -> None:
        """Let a contact go; the one that came to wait last takes its place."""
        counted = node.id in self.nodes
        super().remove_node(node)
        if counted:
            self._line.discard(node.long_id)
            if self.nodes:
                self._line.put(next(reversed(self.nodes.values())))

    @property
    def prefix_bits(self) -> int:
        """Bits that the ids of its range share."""
        return NODE_ID_BITS - self.width.bit_length()

    def widen(self, size: int) -> None:
        """Let it hold so many; who waits moves up."""
        self.ksize = size
        while self.replacement_nodes and len(self) < size:
            node_id, node = self.replacement_nodes.popitem()
            self.nodes[node_id] = node
            self._line.put(node)

    def contacts(self) -> Iterator[Contact]:
        """Those that count, and then those that wait for a place."""
        yield from self.nodes.values()
        yield from self.replacement_nodes.values()

    def least_recent(self, now: float) -> Contact | None:
        """The questionable contact that was seen longest ago; None once one that is good was seen before."""
        node: Contact
        for node in self.nodes.values():
            standing = node.standing(now)
            if standing is Standing.QUESTIONABLE:
                return node
            if standing is Standing.GOOD:
                return None
        return None

    def first_bad(self, now: float) -> Contact | None:
        """The bad contact that was seen longest ago."""
        node: Contact
        for node in self.nodes.values():
            if node.standing(now) is Standing.BAD:
                return node
        return None


class NodeTable(RoutingTable):
    """The routing table of one address family. `own` is our id; it never enters."""

    buckets: list[Bucket]

    def __init__(self, own: NodeId, now: float, *, k: int = K, widths: Sequence[int] = WIDTHS) -> None:
        self._created = now
        self._widths = widths
        super().__init__(None, k, Node(own))

    def flush(self) -> None:
        self._line = Nearby()
        self.buckets = [Bucket(0, _TOP, self.ksize, self._created, self._line)]
        self._lows = [0]
        self._subnets: dict[bytes, None] = {}
        """Where contacts are that are not local; some may have gone since."""
        self._doubtful: list[Contact] = []
        """Who was questionable when looked for last, or will be by `_looked_until`, in order of urgency."""
        self._looked_until = NEVER
        self._bad: dict[bytes, None] = {}
        """Who has turned bad; some may have gone or answered since."""
        self._refresh_at = NEVER
        """Before then no bucket is due for a refresh."""

    def split_bucket(self, index: int) -> None:
        """Split a bucket; the half that does not hold our own id is as wide as its range deserves."""
        super().split_bucket(index)
        self._refresh_at = NEVER
        self._lows.insert(index + 1, self.buckets[index + 1].range[0])
        for half in self.buckets[index : index + 2]:
            if half.prefix_bits <= len(self._widths) and not half.has_in_range(self.node):
                half.widen(self._widths[half.prefix_bits - 1])

    def get_bucket_for(self, node: Node) -> int:
        """The index of the bucket whose range holds the node's id."""
        return bisect_right(self._lows, node.long_id) - 1

    def lonely_buckets(self, now: float = NEVER) -> list[Bucket]:
        """Buckets due for a refresh, those that have not changed for longest first: nothing has changed in them for 15
        minutes (BEP 5), or they are wanting and not our own, which the search for ourselves fills.
        """
        if now < self._refresh_at:
            return []
        ours = self.buckets[self.get_bucket_for(self.node)]
        self._refresh_at = min(
            [ours.last_updated + FRESH_FOR, *(bucket.refresh_at for bucket in self.buckets if bucket is not ours)]
        )
        due = [
            bucket
            for bucket in self.buckets
            if now - bucket.last_updated >= FRESH_FOR or (bucket.is_wanting(now) and bucket is not ours)
        ]
        return sorted(due, key=_last_updated)

    def add_contact(self, node: Contact, now: float | None = None) -> bool:
        """Enter a contact that has answered, or mark one that is there as seen. Whether it is in the table now.

        In a full bucket it takes the place of a bad contact, or of one whose id is not for its address if its own is;
        where there is none it waits in the replacement cache. Refused are our own id, an id that another address has
        and answers for, and hosts and subnets that have their share.
        """
        now = node.last_seen if now is None else now
        if node.id == self.node.id:
            return False
        bucket = self.buckets[self.get_bucket_for(node)]
        held = self.get(node.id)
        if held is None:
            self._forget_address(node)
            if not self._has_share_left(node, bucket):
                return False
        elif held.address != node.address:
            if held.standing(now) is not Standing.BAD:
                return False
            bucket.remove_node(held)
        while node.id not in bucket.nodes and len(bucket) >= bucket.ksize and bucket.has_in_range(self.node):
            self.split_bucket(self.get_bucket_for(node))
            bucket = self.buckets[self.get_bucket_for(node)]
        if node.failures >= MAX_FAILURES:
            self._bad[node.id] = None
        if node.last_response + FRESH_FOR < self._looked_until:
            self._looked_until = NEVER
        self._note_subnet(node)
        if not bucket.add_node(node):
            yielding = (bucket.first_bad(now) if self._bad else None) or _first_stranger(bucket, node)
            if yielding is None:
                return False
            bucket.remove_node(yielding)  # the replacement that came last is the node
        bucket.changed(now)
        return True

    def find_neighbors(self, node: Node, k: int | None = None, exclude: Node | None = None) -> list[Contact]:
        """The k contacts nearest to `node`, in order; not itself, nor what lives where `exclude` does."""
        found = self._line.nearest(node.long_id)
        wanted = (each for each in found if each.id != node.id and (exclude is None or not each.same_home_as(exclude)))
        return [each for each, _ in zip(wanted, range(k or self.ksize), strict=False)]

    def closest(self, target: bytes, count: int, now: float) -> list[Contact]:
        """The good contacts nearest to `target`, in order; where they are fewer than `count`, questionable ones after
        them: right after a start, and in a network that has slept, there are no others.

        Those whose ids are not for their addresses (BEP 42) take half of the places, and the rest if nobody else does:
        else who makes up enough ids beside a key is all that anybody is told of there.
        """
        good: list[Contact] = []
        strangers: list[Contact] = []
        doubtful: list[Contact] = []
        room = count // 2
        for contact in self._line.nearest(int.from_bytes(target, "big")):
            if len(good) >= count:
                break
            standing = contact.standing(now)
            if standing is Standing.GOOD:
                if contact.compliant:
                    good.append(contact)
                elif room:
                    room -= 1
                    good.append(contact)
                elif len(strangers) < count:
                    strangers.append(contact)
            elif standing is Standing.QUESTIONABLE and len(doubtful) < count:
                doubtful.append(contact)
        good += strangers[: count - len(good)]
        return good + doubtful[: count - len(good)]

    def get(self, node_id: bytes) -> Contact | None:
        """The contact of this id, waiting ones included."""
        bucket = self.buckets[bisect_right(self._lows, int.from_bytes(node_id, "big")) - 1]
        found: Contact | None = bucket.nodes.get(node_id) or bucket.replacement_nodes.get(node_id)
        return found

    def contacts(self) -> list[Contact]:
        """All that count, by range of their buckets."""
        return [contact for bucket in self.buckets for contact in bucket.nodes.values()]

    @property
    def size(self) -> int:
        """How many count."""
        return len(self._line)

    def on_response(self, node_id: NodeId, address: Address, rtt: float, now: float) -> Contact:
        """A node has answered us; it enters if it may."""
        contact = self.get(node_id)
        if contact is None or contact.address != address:
            contact = Contact(node_id, address)
        contact.last_response = now
        contact.failures = 0
        contact.rtt = rtt if contact.rtt is None else 0.75 * contact.rtt + 0.25 * rtt
        self.add_contact(contact, now)
        return contact

    def on_query(self, node_id: NodeId, address: Address, now: float) -> bool:
        """A node has asked us something. Whether it is new and there is reason to ask it back, so that it may enter."""
        contact = self.get(node_id)
        if contact is not None:
            if contact.address == address:
                contact.last_query = now
                bucket = self.buckets[self.get_bucket_for(contact)]
                if node_id in bucket.nodes:
                    bucket.add_node(contact)
            return False
        if node_id == self.node.id:
            return False
        bucket = self.buckets[bisect_right(self._lows, int.from_bytes(node_id, "big")) - 1]
        if len(bucket) < bucket.ksize or bucket.has_in_range(self.node):
            return True
        if len(bucket.replacement_nodes) >= bucket.max_replacement_nodes:
            return False
        return next(iter(bucket.nodes.values())).standing(now) is not Standing.GOOD

    def has_room_for(self, contact: Contact) -> bool:
        """Whether a node of whom we were only told would have a place, did it answer."""
        bucket = self.buckets[self.get_bucket_for(contact)]
        return len(bucket) < bucket.ksize and contact.id not in bucket.nodes and contact.id != self.node.id

    def settle(self, since: float, now: float) -> None:
        """The table has been looked after since then, so what it wants it has asked for in vain."""
        self._refresh_at = NEVER
        for bucket in self.buckets:
            bucket.settle(since, now)

    def make_due(self) -> None:
        """Have all buckets but our own refreshed: who has just joined knows little of what is far (Kademlia, 2.3)."""
        self._refresh_at = NEVER
        for bucket in self.buckets:
            if not bucket.has_in_range(self.node):
                bucket.changed(NEVER)

    def on_silence(self, node_id: bytes, address: Address) -> None:
        """A node has left a query without an answer. A bad one leaves once another waits for its place."""
        contact = self.get(node_id)
        if contact is None or contact.address != address:
            return
        contact.failures += 1
        self._doubtful.insert(0, contact)
        if contact.failures >= MAX_FAILURES:
            self._bad[contact.id] = None
        bucket = self.buckets[self.get_bucket_for(contact)]
        if node_id in bucket.replacement_nodes or (contact.failures >= MAX_FAILURES and bucket.replacement_nodes):
            bucket.remove_node(contact)

    def drop_bad(self) -> None:
        """Let bad contacts go that nothing has replaced. Call it while others answer, so that the fault is theirs."""
        for node_id in self._bad:
            contact = self.get(node_id)
            if contact is not None and contact.failures >= MAX_FAILURES:
                self._refresh_at = NEVER  # its bucket may have become one that wants contacts
                self.buckets[self.get_bucket_for(contact)].remove_node(contact)
        self._bad.clear()

    def challenged(self, node_id: bytes, now: float) -> Contact | None:
        """Whom to ping because others wait for a place in the bucket of `node_id` (BEP 5): the questionable contact
        seen longest ago. None where nobody waits or all are good.
        """
        bucket = self.buckets[bisect_right(self._lows, int.from_bytes(node_id, "big")) - 1]
        return bucket.least_recent(now) if bucket.replacement_nodes else None

    def most_questionable(self, now: float, passing: Container[Address]) -> Contact | None:
        """The questionable contact that has failed or else was seen longest ago, not one at `passing`; None without."""
        if now >= self._looked_until:
            self._look_for_doubtful(now)
        doubtful, at = self._doubtful, 0
        while at < len(doubtful):
            contact = doubtful[at]
            standing = contact.standing(now)
            if standing is Standing.GOOD and contact.last_seen + FRESH_FOR <= self._looked_until:
                break  # nor is one of the others due
            held: Contact | None = self.buckets[self.get_bucket_for(contact)].nodes.get(contact.id)
            if standing is not Standing.QUESTIONABLE or held is not contact:
                del doubtful[at]
            elif contact.address in passing:
                at += 1
            else:
                return contact
        return None

    def _look_for_doubtful(self, now: float) -> None:
        """Once a while for many turns: whoever has been heard from until then is passed over."""
        self._looked_until = now + LOOK_AHEAD
        until = self._looked_until
        self._doubtful = [each for each in self.contacts() if each.standing(until) is Standing.QUESTIONABLE]
        self._doubtful.sort(key=_urgency)

    def _note_subnet(self, node: Contact) -> None:
        if len(self._subnets) >= MAX_SUBNETS:
            self._subnets = {each.subnet: None for bucket in self.buckets for each in bucket.contacts()}
        self._subnets[node.subnet] = None

    def _forget_address(self, node: Contact) -> None:
        """A node with another id has answered there: whoever was there is gone."""
        if node.subnet not in self._subnets:
            return
        for bucket in self.buckets:
            for nodes in (bucket.nodes, bucket.replacement_nodes):
                for contact in nodes.values():
                    if contact.address == node.address:
                        bucket.remove_node(contact)
                        return

    def _has_share_left(self, node: Contact, bucket: Bucket) -> bool:
        """Whether its host and subnet have fewer contacts than they may; local addresses have no bound."""
        if node.subnet not in self._subnets or node.reach.is_local:
            return True
        host = node.address.host
        of_host = sum(each.address.host == host for each_bucket in self.buckets for each in each_bucket.contacts())
        if of_host >= MAX_PER_HOST:
            return False
        return sum(each.subnet == node.subnet for each in bucket.contacts()) < MAX_PER_SUBNET


def random_id_in(bucket: Bucket, rng: Random) -> NodeId:
    """An id in the bucket's range, to search for when it is due."""
    return NodeId(rng.randint(*bucket.range).to_bytes(NODE_ID_BITS // 8, "big"))


def _last_updated(bucket: Bucket) -> float:
    return bucket.last_updated


def _urgency(contact: Contact) -> tuple[bool, float]:
    """Those that have failed first, then those seen longest ago."""
    return not contact.failures, contact.last_seen


def _first_stranger(bucket: Bucket, newcomer: Contact) -> Contact | None:
    """A contact whose id is not for its address, where the newcomer's is (BEP 42)."""
    if not newcomer.compliant:
        return None
    return next((contact for contact in bucket.nodes.values() if not contact.compliant), None)
