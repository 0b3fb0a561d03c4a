"""A node of the Mainline DHT without a socket (BEP 5, 32, 42, 43): datagrams and time in, datagrams and events out.

Call a method, then take each `next_event`, send `datagrams_to_send`, and call `on_timer` at `next_timer`. What an
answer brought is the first event after it; what is to be asked next is worked out only when the caller goes on. What
the rest of `p2p.dht` decides is joined here: who asked and who answered reaches table, acquaintances and searches.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from p2p.dht import krpc
from p2p.dht.answers import Answers
from p2p.dht.events import IdChanged, NodeView, PingFailed, Pong, Traffic
from p2p.dht.family import Family
from p2p.dht.krpc import BadQuery, ErrorReply, Ping, Query, Response
from p2p.dht.line import Line
from p2p.dht.node_id import Reach, is_credible
from p2p.dht.rate_limit import RateLimit
from p2p.dht.searches import AnnouncePlan, Purpose, Search, Searches
from p2p.dht.state import SavedTable
from p2p.dht.token import Tokens
from p2p.dht.upkeep import Upkeep
from p2p.errors import DhtError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from random import Random

    from p2p.dht.contact import Contact
    from p2p.dht.events import Event
    from p2p.dht.transactions import Waiting
    from p2p.ids import Address, InfoHash, NodeId

MAX_OWN_ADDRESSES: Final = 16
"""More than any host has; others could make it grow by copying our id."""

_QUERY_MARK: Final = b"1:y1:q"
"""Stands in every query, whatever the order of its keys; so a flood of queries costs no decoding."""


class DhtNode:
    """See the module's head.

    `ids` has our id for each family that we take part in, by whether it is IPv6. `secret` is 16 bytes or more that
    nobody can guess. A `read_only` node asks and never answers (BEP 43).
    """

    def __init__(
        self,
        ids: Mapping[bool, NodeId],
        *,
        rng: Random,
        secret: bytes,
        now: float,
        read_only: bool = False,
        limit: RateLimit | None = None,
    ) -> None:
        self._rng = rng
        self._read_only = read_only
        self._limit = limit or RateLimit()
        self._families = {ipv6: Family.make(ids[ipv6], rng, now, ipv6=ipv6) for ipv6 in sorted(ids)}
        self._traffic = Traffic()
        self._events: deque[Event] = deque()
        self._answers = Answers(self._families, Tokens(secret))
        self._line = Line(self._families, secret, self._traffic, read_only=read_only)
        self._searches = Searches(self._families, self._line, self._events)
        self._upkeep = Upkeep(self._families, self._line, self._searches, rng, now)
        self._last_number = 0
        self._unread: deque[tuple[Waiting, Response]] = deque()
        """Answers of which only the peers have been looked at."""
        self._now = now
        """When something last happened."""

    def bootstrap(self, addresses: Iterable[Address], now: float) -> None:
        """Join the network by way of these addresses and of what the table holds; `Joined` tells how it went, a family.

        The addresses are kept, and asked again for as long as nobody answers. Those of a family we have no part in are
        passed over.
        """
        self._upkeep.add_seeds(addresses)
        for family in self._families.values():
            self._upkeep.join(family, now)
        self._searches.settle(now)

    def get_peers(self, info_hash: InfoHash, now: float) -> int:
        """Search for peers. The number under which `PeersFound` and, once, `SearchDone` tell of it."""
        return self._search(Purpose.PEERS, info_hash, None, now)

    def announce(self, info_hash: InfoHash, port: int, now: float, *, implied_port: bool = False) -> int:
        """Search for peers, then tell the nearest nodes that we take connections at `port` (1 to 65535).

        With `implied_port` they take the port that our datagrams come from. As `get_peers`; `Announced` comes last.
        """
        if not 0 < port <= 65_535:
            raise ValueError(f"no peer is reached at port {port}")
        return self._search(Purpose.PEERS, info_hash, AnnouncePlan(port, implied_port), now)

    def find_node(self, target: NodeId, now: float) -> int:
        """Search for the nodes nearest to an id; `SearchDone` names them."""
        return self._search(Purpose.NODES, target, None, now)

    def cancel(self, number: int, now: float) -> None:
        """Drop a search; nothing is told of it any more."""
        self._searches.cancel(number)
        self._searches.settle(now)

    def ping(self, address: Address, now: float) -> int:
        """Ping a node. The number under which `Pong` or `PingFailed` tells of it. DhtError for a family we have not."""
        if address.is_ipv6 not in self._families:
            raise DhtError(f"no way to reach {address}: this node has no part in its address family")
        self._last_number += 1
        self._line.ask(Ping(), address, now, ping=self._last_number)
        return self._last_number

    def add_node(self, address: Address, now: float) -> None:
        """There may be a node here, as a peer's `port` message says: ping it, so that it enters the table if it is."""
        family = self._families.get(address.is_ipv6)
        if family is not None and is_credible(address, Reach.LOOPBACK):
            self._upkeep.verify(family, address, None, now)

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None:
        """A datagram came from `address`."""
        self._go_on()
        self._now = now
        traffic = self._traffic
        traffic.received += 1
        traffic.bytes_received += len(data)
        if address.is_ipv6 not in self._families or not address.port:
            return
        if _QUERY_MARK in data and (self._read_only or not self._limit.allow(address.host, now)):
            traffic.over_limit += 1
            return
        try:
            message = krpc.decode(data)
        except DhtError:
            traffic.broken += 1
            return
        match message:
            case Query():
                self._on_query(message, address, now)
            case BadQuery():
                traffic.queries_received += 1
                self._line.send(self._answers.refuse(message, address), address)
            case Response():
                self._on_response(message, address, now)
            case ErrorReply():
                self._on_error(message, address, now)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """What is to be sent now, and where. There may be more after; when there is nothing, nothing is left to do."""
        datagrams = self._line.datagrams_to_send()
        if datagrams:
            return datagrams
        self._go_on()
        return self._line.datagrams_to_send()

    def next_timer(self) -> float:
        """When `on_timer` is to be called."""
        due = self._line.next_timer
        upkeep = self._upkeep.next_timer
        return upkeep if due is None else min(due, upkeep)

    def on_timer(self, now: float) -> None:
        """Time has passed."""
        self._go_on()
        self._now = now
        while (late := self._line.next_late(now)) is not None:
            if late.given_up:
                self._searches.on_given_up(late.waiting, now)
            else:
                self._searches.on_stalled(late.waiting, now)
        for waiting in self._line.transactions.expired(now):
            self._on_silence(waiting, now)
        if self._upkeep.next_timer <= now:
            self._upkeep.run(now)
        self._searches.settle(now)

    def next_event(self) -> Event | None:
        """The next thing that happened; None when all have been told."""
        if not self._events:
            self._go_on()
        return self._events.popleft() if self._events else None

    @property
    def contact_count(self) -> int:
        """Nodes in the tables, whatever their standing."""
        return sum(family.table.size for family in self._families.values())

    def snapshot(self, now: float) -> NodeView:
        """How the node stands."""
        return NodeView(
            families=tuple(family.view(now) for family in self._families.values()),
            searches=self._searches.count,
            waiting=len(self._line.transactions),
            read_only=self._read_only,
            traffic=replace(self._traffic),
        )

    def closest(self, target: bytes, count: int, now: float, *, ipv6: bool = False) -> list[Contact]:
        """The contacts nearest to `target`, good ones first, without asking anybody."""
        family = self._families.get(ipv6)
        return [] if family is None else family.table.closest(target, count, now)

    def saved(self, now: float) -> SavedTable:
        """What is worth keeping over a restart: ids, and contacts that are not bad, good ones first."""
        return SavedTable.of(self._families, now)

    def restore(self, saved: SavedTable, now: float) -> None:
        """Take up contacts kept over a restart, questionable until they answer. The ids were given to `__init__`."""
        for ipv6, family in self._families.items():
            for contact in saved.contacts(ipv6=ipv6):
                family.table.add_contact(contact, now)

    def take_up(self, contacts: Sequence[Contact], now: float, *, joined: float) -> None:
        """Take up contacts with what is known of how they behave, from a node that has searched for itself at `joined`
        and looked after its table since: nothing has to be asked anew.
        """
        for family in self._families.values():
            family.take_up([each for each in contacts if each.address.is_ipv6 == family.ipv6], joined, now)

    def _search(self, purpose: Purpose, target: bytes, plan: AnnouncePlan | None, now: float) -> int:
        self._last_number += 1
        search = Search(self._last_number, purpose, target, now, plan)
        self._searches.start(search, list(self._families.values()), now)
        return self._last_number

    def _on_query(self, query: Query, address: Address, now: float) -> None:
        self._traffic.queries_received += 1
        family = self._families[address.is_ipv6]
        if query.sender == family.own_id and address in family.own_addresses:
            return
        self._line.send(self._answers.answer(query, address, now), address)
        if not query.read_only and family.table.on_query(query.sender, address, now):
            self._upkeep.verify(family, address, None, now)

    def _go_on(self) -> None:
        """Do what has been put off."""
        while self._unread:
            self._take_in(*self._unread.popleft(), self._now)
        self._searches.go_on(self._now)

    def _on_response(self, response: Response, address: Address, now: float) -> None:
        waiting = self._line.transactions.take(response.transaction, address)
        if waiting is None:
            self._traffic.unasked += 1
            return
        self._traffic.responses_received += 1
        family = self._families[address.is_ipv6]
        if response.sender == family.own_id:
            self._on_ourselves(waiting, family, now)
        elif response.values and self._searches.on_peers(waiting, response):
            self._unread.append((waiting, response))
        else:
            self._take_in(waiting, response, now)

    def _take_in(self, waiting: Waiting, response: Response, now: float) -> None:
        """What an answer says besides peers: who is there, how fast, and whom they know."""
        address = waiting.address
        family = self._families[address.is_ipv6]
        rtt = now - waiting.sent
        family.last_heard = now
        family.round_trips.observe(rtt)
        contact = family.table.on_response(response.sender, address, rtt, now)
        family.known.on_answer(contact)
        if waiting.ping:
            self._events.append(Pong(waiting.ping, address, response.sender, rtt, response.version))
        self._searches.on_answer(waiting, contact, response, now)
        self._searches.meet(contact, family, now)
        self._upkeep.on_answer(family, contact, now)
        if response.ip is not None:
            self._on_outside_view(family, address, response.ip, now)

    def _on_error(self, error: ErrorReply, address: Address, now: float) -> None:
        waiting = self._line.transactions.take(error.transaction, address)
        if waiting is None:
            self._traffic.unasked += 1
            return
        self._families[address.is_ipv6].last_heard = now
        if waiting.ping:
            reason = DhtError(f"{address} answered with error {error.code}: {error.reason or 'no reason given'}")
            self._events.append(PingFailed(waiting.ping, address, reason))
        self._searches.on_failed(waiting, now)

    def _on_ourselves(self, waiting: Waiting, family: Family, now: float) -> None:
        """We were told of ourselves under an address that we did not know as ours (or another has copied our id)."""
        family.own_addresses[waiting.address] = None
        if len(family.own_addresses) > MAX_OWN_ADDRESSES:
            del family.own_addresses[next(iter(family.own_addresses))]
        if waiting.ping:
            self._events.append(PingFailed(waiting.ping, waiting.address, DhtError(f"{waiting.address} is this node")))
        self._searches.on_failed(waiting, now)

    def _on_silence(self, waiting: Waiting, now: float) -> None:
        """A query has failed. It counts against the node only if others answer: else we may be cut off."""
        family = self._families[waiting.address.is_ipv6]
        if family.last_heard > waiting.sent:
            self._upkeep.on_silence(family, waiting, now)
        else:
            self._upkeep.on_quiet(family, waiting, now)
        if waiting.ping:
            self._events.append(
                PingFailed(waiting.ping, waiting.address, DhtError(f"{waiting.address} did not answer"))
            )
        self._searches.on_failed(waiting, now)

    def _on_outside_view(self, family: Family, voter: Address, seen: Address, now: float) -> None:
        """Somebody says where it sees us. Once enough agree, our id is made to fit, and we join again under it."""
        if not family.outside.vote(voter, seen):
            return
        fitting = family.adapted_id(self._rng)
        if fitting is not None:
            family.move(fitting, now)
            self._events.append(IdChanged(family.ipv6, fitting))
            self._upkeep.join(family, now)
