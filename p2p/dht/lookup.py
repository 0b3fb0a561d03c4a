"""One search through one family's network for the nodes nearest to a target (BEP 5), and for peers on the way.

The rule: not round by round. A number of queries is always under way to the nearest candidates not asked yet. One that
takes longer than answers usually do is stalled: it stops counting, its place goes to the next, and its answer still
counts if it comes. The search ends when the k nearest that are not stalled have answered.

Ids that are not for their address (BEP 42) are asked, a few of them, but never counted among the k nearest; so who
makes up ids near a target can neither prolong a search nor end it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.dht.routing_table import K
from p2p.dht.shortlist import Shortlist

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from p2p.dht.contact import Contact
    from p2p.ids import Address, NodeId

WIDTH: Final = 6
"""Queries under way while answers still come nearer. Kademlia's alpha is 3; but of all nodes told of, nearly half are
gone or behind NAT and do not answer."""
LAST_WIDTH: Final = 8
"""Queries under way once an answer has brought nothing nearer: the k nearest are known, and all have to be asked."""
MAX_CANDIDATES: Final = 128
"""Candidates kept, the nearest: a search asks some 30."""
MAX_QUERIES: Final = 200
"""Queries of one search, after which it ends with what it has: far more than the largest network needs."""
MAX_STRANGERS: Final = K
"""Nodes asked whose ids are not for their addresses."""
MAX_STRANGE_CANDIDATES: Final = 32
"""Candidates among them, so that a crowd of them does not displace the others."""
MAX_CANDIDATES_PER_HOST: Final = 1
"""Candidates at one public IP address, so that answers cannot aim us at a victim (or a host count many times)."""
MAX_PEERS: Final = 3_000
"""Peers of one search, more than any client connects to."""


class _State(Enum):
    """What has become of a candidate that was asked."""

    ASKED = 1
    STALLED = 2
    """Slower than answers usually are; waited for only while there is nobody else."""
    GIVEN_UP = 3
    """Waited for no longer; an answer still counts."""
    ANSWERED = 4
    FAILED = 5


class LookupStep(NamedTuple):
    """What a search wants now."""

    ask: Contact | None
    done: bool


class Lookup:
    """See the module's head. Whoever runs it asks `next_step` until nothing is to be asked, and tells what came."""

    def __init__(self, target: NodeId, *, k: int = K) -> None:
        self.target = target
        self.asked = 0
        """Queries sent."""
        self.answered = 0
        self.seeds_waiting = 0
        """Addresses asked of which no id is known (bootstrap); the search lasts while there are any."""
        self.hops = 0
        """Steps from us to whoever first told of peers; without peers, to the farthest along that answered."""
        self.tokens: dict[bytes, bytes] = {}
        """By node id."""
        self.peers: dict[Address, None] = {}
        self._k = k
        self._shortlist = Shortlist(target, k)
        self._states: dict[bytes, _State] = {}
        self._depths: dict[bytes, int] = {}
        self._hosts: dict[str, int] = {}
        self._under_way = 0
        self._width = WIDTH
        self._strangers = 0
        self._strange_candidates = 0

    @property
    def is_empty(self) -> bool:
        """Whether it knows nobody, and nobody is about to tell."""
        return not self._shortlist.heap and not self.seeds_waiting

    def offer(self, contacts: Iterable[Contact], *, depth: int) -> bool:
        """Take in candidates that are `depth` steps away. Whether one is among the k nearest."""
        shortlist = self._shortlist
        nearer = False
        bound = self._bound()
        for contact in contacts:
            if contact.id in self._states or contact in shortlist:
                continue
            if not contact.compliant:
                if self._strange_candidates >= MAX_STRANGE_CANDIDATES:
                    continue
                self._strange_candidates += 1
            if not contact.reach.is_local:
                host = contact.address.host
                count = self._hosts.get(host, 0)
                if count >= MAX_CANDIDATES_PER_HOST:
                    continue
                self._hosts[host] = count + 1
            shortlist.push(contact)
            self._depths[contact.id] = depth
            nearer = nearer or shortlist.node.long_id ^ contact.long_id < bound
        for dropped in shortlist.trim(MAX_CANDIDATES):
            self._hosts.pop(dropped.address.host, None)
        return nearer

    def wants(self, contact: Contact) -> bool:
        """Whether a contact met elsewhere is new here and nearer than the k-th."""
        if contact.id in self._states or contact in self._shortlist:
            return False
        return self._shortlist.node.distance_to(contact) < self._bound()

    def next_step(self) -> LookupStep:
        """Whom to ask now, None for nobody; and whether the search is over."""
        counted = 0
        waiting = False
        stalled = self.seeds_waiting > 0
        for contact in self._shortlist.sorted():
            state = self._states.get(contact.id)
            if state is None:
                if self.asked >= MAX_QUERIES:
                    break
                if contact.compliant or self._strangers < MAX_STRANGERS:
                    return LookupStep(contact if self._under_way < self._width else None, done=False)
                continue
            if state is _State.STALLED:
                stalled = True
                continue
            if not contact.compliant:
                stalled = stalled or state is _State.ASKED
                continue
            if state is _State.GIVEN_UP:
                continue
            waiting = waiting or state is _State.ASKED
            counted += 1
            if counted == self._k:
                break
        return LookupStep(None, done=not waiting and (counted == self._k or not stalled))

    def on_asked(self, contact: Contact) -> None:
        """The query to a candidate is sent."""
        self._states[contact.id] = _State.ASKED
        self._under_way += 1
        self.asked += 1
        self._strangers += not contact.compliant

    def on_stalled(self, contact: Contact) -> None:
        """It takes longer than answers usually do."""
        if self._states.get(contact.id) is _State.ASKED:
            self._states[contact.id] = _State.STALLED
            self._under_way -= 1

    def on_given_up(self, contact: Contact) -> None:
        """It takes so long that the search should rather end without it."""
        self.on_stalled(contact)
        if self._states.get(contact.id) is _State.STALLED:
            self._states[contact.id] = _State.GIVEN_UP

    def on_failed(self, contact: Contact) -> None:
        """There will be no answer, or it was an error."""
        self.on_stalled(contact)
        if self._states.get(contact.id) is not _State.ANSWERED:
            self._states[contact.id] = _State.FAILED
            self._shortlist.remove([contact.id])

    def on_answer(
        self, contact: Contact, token: bytes | None, told: Sequence[Contact], peers: Iterable[Address]
    ) -> list[Address]:
        """A node has answered: with a token, nodes and peers. The peers that are new.

        It need not have been asked under this id: a node is who its answer says.
        """
        depth = self._depths.get(contact.id, 0)
        if contact not in self._shortlist:
            self._shortlist.push(contact)
        self.on_stalled(contact)
        self._states[contact.id] = _State.ANSWERED
        self._shortlist.mark_contacted(contact)
        self.answered += 1
        if token is not None:
            self.tokens[contact.id] = token
        if not self.offer(told, depth=depth + 1):
            self._width = LAST_WIDTH
        if not self.peers:
            self.hops = max(self.hops, depth + 1)
        return self.on_peers(contact.id, peers)

    def on_peers(self, node_id: NodeId, peers: Iterable[Address]) -> list[Address]:
        """A node has told of peers. Those that are new."""
        found = [peer for peer in dict.fromkeys(peers) if peer not in self.peers][: MAX_PEERS - len(self.peers)]
        if found and not self.peers:
            self.hops = self._depths.get(node_id, 0) + 1
        self.peers.update(dict.fromkeys(found))
        return found

    def depth(self, node_id: NodeId) -> int:
        """Steps from us to a node that was asked."""
        return self._depths.get(node_id, 0) + 1

    def nearest(self) -> list[Contact]:
        """The k nearest nodes that answered, in order."""
        answered = (each for each in self._shortlist.sorted() if self._states.get(each.id) is _State.ANSWERED)
        return [contact for contact, _ in zip(answered, range(self._k), strict=False)]

    def keepers(self) -> list[tuple[Contact, bytes]]:
        """Whom to announce to, with their tokens: the k nearest that gave one, and beside those whose ids are not for
        their addresses as many again, so that the k nearest of good repute are always among them (BEP 42).
        """
        chosen: list[tuple[Contact, bytes]] = []
        compliant = 0
        for contact in self._shortlist.sorted():
            token = self.tokens.get(contact.id)
            if token is None or not (contact.compliant or len(chosen) < self._k):
                continue
            chosen.append((contact, token))
            compliant += contact.compliant
            if compliant == self._k:
                break
        return chosen

    def _bound(self) -> int:
        """The distance of the k-th candidate."""
        heap = self._shortlist.heap
        return heap[self._k - 1][0] if len(heap) >= self._k else 1 << 160
