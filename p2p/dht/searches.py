"""The searches of a node: which run, what they ask, what they tell, and the announces that follow them.

The rule: a search runs in each family by itself (BEP 32), and a node that answers one is at once known to the others
that it is near enough for. Beyond MAX_RUNNING, searches begin in the order they were asked for.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from p2p.dht.events import Announced, Joined, NodeAsked, PeersFound, SearchDone
from p2p.dht.krpc import AnnouncePeer, FindNode, GetPeers
from p2p.dht.lookup import WIDTH, Lookup
from p2p.dht.node_id import NODE_ID_BITS, is_credible, reach
from p2p.dht.transactions import TIMEOUT
from p2p.ids import InfoHash, NodeId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.dht.contact import Contact
    from p2p.dht.events import Event
    from p2p.dht.family import Family
    from p2p.dht.krpc import Response
    from p2p.dht.line import Line
    from p2p.dht.transactions import Waiting
    from p2p.ids import Address

MAX_RUNNING: Final = 64
"""Searches at once: some 250 queries under way, which a home line carries."""

MAX_STORED: Final = 100
"""Peers of our own store that a search begins with."""

BOTH: Final = (False, True)
"""Nodes of both families are asked for while we join, so that either network leads to the other (BEP 32)."""


class Purpose(Enum):
    PEERS = "peers"
    NODES = "nodes"
    JOIN = "join"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class AnnouncePlan:
    port: int
    implied_port: bool


@dataclass(slots=True, eq=False)
class Step:
    """One query of a search, and what came of it."""

    contact: Contact
    took: float | None = None
    peers: int = 0
    nodes: int = 0


@dataclass(slots=True, eq=False)
class Run:
    """A search in one family."""

    search: Search
    family: Family
    lookup: Lookup
    done: bool = False
    last_try: bool = False
    """Whether it asks those passed over as well, since nobody has told of peers."""
    steps: dict[Address, Step] = field(default_factory=dict)
    """In order of asking."""


@dataclass(slots=True, eq=False)
class Search:
    """A search in one or both families. Nobody is told of number 0."""

    number: int
    purpose: Purpose
    target: bytes
    started: float
    plan: AnnouncePlan | None = None
    witnesses: Sequence[Contact] = ()
    """Whom to ask in any case, however far from the target."""
    runs: list[Run] = field(default_factory=list)
    announces_waiting: int = 0
    keepers: dict[Address, tuple[NodeId, bool]] = field(default_factory=dict)
    """Who was told of the announce, and whether they have confirmed it."""
    cancelled: bool = False

    @property
    def done(self) -> bool:
        return all(run.done for run in self.runs)


class Searches:
    """See the module's head. Told of each answer, stall and failure by the node."""

    def __init__(self, families: Mapping[bool, Family], line: Line, events: deque[Event]) -> None:
        self._families = families
        self._line = line
        self._events = events
        self._running: dict[Run, None] = {}
        self._answered: dict[Run, None] = {}
        self._begun: deque[Run] = deque()
        self._queue: deque[Search] = deque()

    @property
    def count(self) -> int:
        """Searches that run or wait to."""
        return len({id(run.search) for run in self._running}) + len(self._queue)

    @property
    def refreshing(self) -> int:
        """Refreshes under way."""
        return sum(run.search.purpose is Purpose.REFRESH for run in self._running)

    def start(self, search: Search, families: Sequence[Family], now: float) -> None:
        """Queue a search in these families; `settle` begins it."""
        search.runs = [Run(search, family, Lookup(NodeId(search.target))) for family in families]
        self._queue.append(search)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Begin searches that wait, while there is room. To be called after whatever may have ended one."""
        while self._queue and len(self._running) < MAX_RUNNING:
            self._begin(self._queue.popleft(), now)

    def join(self, family: Family, seeds: Sequence[Address], now: float) -> None:
        """Search for ourselves, from the table and from `seeds`; or ask these too if that search runs."""
        joining = next((run for run in self._running if run.family is family and run.lookup is family.joining), None)
        if joining is None:
            search = Search(0, Purpose.JOIN, family.own_id, now)
            joining = Run(search, family, Lookup(family.own_id))
            search.runs = [joining]
            family.joining = joining.lookup
            self._running[joining] = None
            joining.lookup.offer(family.starting_points(family.own_id, now), depth=0)
        for seed in seeds:
            joining.lookup.seeds_waiting += 1
            self._line.ask(FindNode(family.own_id, self._want(joining)), seed, now, run=joining)
        self._advance(joining, now)

    def cancel(self, number: int) -> None:
        """The owner no longer cares; nothing more is asked or told."""
        for run in [run for run in self._running if run.search.number == number]:
            run.done = True
            run.search.cancelled = True
            del self._running[run]
        self._queue = deque(search for search in self._queue if search.number != number)
        kept = [event for event in self._events if getattr(event, "search", 0) != number]
        self._events.clear()
        self._events.extend(kept)

    def on_peers(self, waiting: Waiting, response: Response) -> bool:
        """A node tells of peers, which is all that is looked at for now. Whether there is something new to tell."""
        run = waiting.run
        if run is None or waiting.announces:
            return False
        where = reach(waiting.address.host)
        found = run.lookup.on_peers(response.sender, [peer for peer in response.values if is_credible(peer, where)])
        if not found or run.done or not run.search.number:
            return False
        self._events.append(PeersFound(run.search.number, tuple(found), waiting.address))
        return True

    def on_answer(self, waiting: Waiting, contact: Contact, response: Response, now: float) -> None:
        """A query of a search, or an announce, was answered by `contact`. What is asked next is for `go_on`."""
        run = waiting.run
        if run is None:
            return
        if waiting.announces:
            if not waiting.given_up:
                run.search.keepers[waiting.address] = (contact.id, True)
                self._on_announced(run.search)
            return
        lookup, family = run.lookup, run.family
        if waiting.contact is None:
            lookup.seeds_waiting -= not waiting.given_up
        elif waiting.contact.id != contact.id:
            lookup.on_failed(waiting.contact)
        told = family.believed(response.nodes6 if family.ipv6 else response.nodes, waiting.address, now)
        lookup.on_answer(contact, response.token, told, ())
        step = run.steps.setdefault(waiting.address, Step(contact))
        step.contact, step.took = contact, now - waiting.sent
        step.peers, step.nodes = len(response.values), len(response.nodes6 if family.ipv6 else response.nodes)
        family.hear_of(told)
        if run.done:
            return
        if run.search.purpose is Purpose.JOIN:
            self._join_other(family, response, waiting.address, now)
        self._answered[run] = None

    def go_on(self, now: float) -> None:
        """Ask what follows from the answers that have come, and let searches that have begun know all they can."""
        if not (self._answered or self._begun or self._queue):
            return
        while self._begun:
            run = self._begun.popleft()
            run.lookup.offer(run.family.starting_points(run.search.target, now), depth=0)
            self._advance(run, now)
        while self._answered:
            run = next(iter(self._answered))
            del self._answered[run]
            self._advance(run, now)
        self.settle(now)

    def meet(self, contact: Contact, family: Family, now: float) -> None:
        """A node has answered: searches that it is near enough for learn of it, and those that knew nobody begin."""
        for run in list(self._running):
            if run.family is family and run.lookup.wants(contact):
                run.lookup.offer([contact], depth=0)
                self._advance(run, now)

    def on_stalled(self, waiting: Waiting, now: float) -> None:
        """A query takes longer than answers usually do."""
        run = waiting.run
        if run is None or run.done or waiting.announces:
            return
        if waiting.contact is not None:
            run.lookup.on_stalled(waiting.contact)
            run.family.known.on_silence(waiting.contact, waiting.address, waiting.sent + TIMEOUT)
            self._advance(run, now)

    def on_given_up(self, waiting: Waiting, now: float) -> None:
        """A query takes so long that nobody waits for it any more."""
        run = waiting.run
        waiting.given_up = True
        if run is None:
            return
        if waiting.announces:
            self._on_announced(run.search)
            return
        if waiting.contact is not None:
            run.lookup.on_given_up(waiting.contact)
        else:
            run.lookup.seeds_waiting -= 1
        self._advance(run, now)

    def on_failed(self, waiting: Waiting, now: float) -> None:
        """A query has failed, or was answered with an error."""
        run = waiting.run
        if run is None:
            return
        if waiting.announces:
            if not waiting.given_up:
                self._on_announced(run.search)
            return
        if waiting.contact is not None:
            run.lookup.on_failed(waiting.contact)
        else:
            run.lookup.seeds_waiting -= not waiting.given_up
        self._advance(run, now)

    def _begin(self, search: Search, now: float) -> None:
        for run in search.runs:
            self._running[run] = None
            self._begun.append(run)
            run.lookup.offer(run.family.likeliest(search.target, WIDTH, now), depth=0)
            if search.purpose is Purpose.PEERS:
                self._tell_stored(run, now)
        for run in search.runs:
            for contact in search.witnesses:
                run.lookup.seeds_waiting += 1
                self._line.ask(self._question(run), contact.address, now, run=run)
            if not run.lookup.is_empty:
                self._advance(run, now)

    def _tell_stored(self, run: Run, now: float) -> None:
        """Peers that others announced to ourselves."""
        stored = run.family.store.sample(InfoHash(run.search.target), MAX_STORED, now)
        if stored:
            run.lookup.peers.update(dict.fromkeys(stored))
            self._events.append(PeersFound(run.search.number, tuple(stored), None))

    def _advance(self, run: Run, now: float) -> None:
        """Ask whom the search wants asked, and end it if it is over."""
        if run.done:
            return
        lookup = run.lookup
        if lookup.is_empty and run.family.joining not in (None, lookup):
            return  # nobody is known yet; `meet` will tell
        while True:
            step = lookup.next_step()
            if step.ask is None:
                break
            lookup.on_asked(step.ask)
            run.steps[step.ask.address] = Step(step.ask)
            self._line.ask(self._question(run), step.ask.address, now, contact=step.ask, run=run)
        if step.done and run.search.purpose is Purpose.PEERS and not lookup.peers and not run.last_try:
            run.last_try = True
            lookup.offer(run.family.passed_over(run.search.target, now), depth=0)
            self._advance(run, now)
        elif step.done:
            self._finish(run, now)

    def _question(self, run: Run) -> FindNode | GetPeers:
        if run.search.purpose is Purpose.PEERS:
            return GetPeers(InfoHash(run.search.target))
        return FindNode(NodeId(run.search.target), self._want(run))

    def _want(self, run: Run) -> tuple[bool, ...]:
        return BOTH if run.search.purpose is Purpose.JOIN and len(self._families) > 1 else ()

    def _finish(self, run: Run, now: float) -> None:
        run.done = True
        del self._running[run]
        search = run.search
        if search.purpose is Purpose.JOIN:
            run.family.joining = None
            run.family.table.make_due()
            self._events.append(Joined(run.family.ipv6, run.lookup.answered))
            for waiting in [each for each in self._running if each.family is run.family and each.lookup.is_empty]:
                self._advance(waiting, now)
        if search.plan is not None:
            for contact, token in run.lookup.keepers():
                ask = AnnouncePeer(InfoHash(search.target), search.plan.port, token, search.plan.implied_port)
                search.announces_waiting += 1
                search.keepers[contact.address] = (contact.id, False)
                self._line.ask(ask, contact.address, now, contact=contact, run=run, announces=True)
        if search.number and search.done:
            self._events.append(_report(search, now))
            if search.plan is not None and not search.announces_waiting:
                self._events.append(_announced(search))

    def _on_announced(self, search: Search) -> None:
        search.announces_waiting -= 1
        if search.done and not search.announces_waiting and not search.cancelled:
            self._events.append(_announced(search))

    def _join_other(self, family: Family, response: Response, teller: Address, now: float) -> None:
        """Nodes of the other network, told while we join this one, lead into it (BEP 32)."""
        other = self._families.get(not family.ipv6)
        told = response.nodes if family.ipv6 else response.nodes6
        if other is None or other.joining is not None or other.table.size or not told:
            return
        contacts = other.believed(told, teller, now)
        self.join(other, [contact.address for contact in contacts], now)


def _report(search: Search, now: float) -> SearchDone:
    lookups = [run.lookup for run in search.runs]
    return SearchDone(
        search=search.number,
        nearest=tuple((each.id, each.address) for lookup in lookups for each in lookup.nearest()),
        peers=sum(len(lookup.peers) for lookup in lookups),
        asked=sum(lookup.asked for lookup in lookups),
        answered=sum(lookup.answered for lookup in lookups),
        hops=max(lookup.hops for lookup in lookups),
        took=now - search.started,
        trail=tuple(_asked(run, step) for run in search.runs for step in run.steps.values()),
    )


def _asked(run: Run, step: Step) -> NodeAsked:
    contact = step.contact
    bits = NODE_ID_BITS - (contact.long_id ^ int.from_bytes(run.search.target, "big")).bit_length()
    hop = run.lookup.depth(contact.id)
    return NodeAsked(contact.id, contact.address, bits, hop, step.took, step.peers, step.nodes)


def _announced(search: Search) -> Announced:
    nodes = tuple((node_id, address, stored) for address, (node_id, stored) in search.keepers.items())
    return Announced(search.number, sum(stored for *_, stored in nodes), len(nodes), nodes)
