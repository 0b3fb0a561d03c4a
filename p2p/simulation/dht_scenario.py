"""Runs a plan: the network comes to be, torrents are announced and renewed, nodes search, nodes come and go.

The rule: whoever announces does so as a session does, every quarter of an hour for as long as it is there. A search has
found something once it is told of a peer that is there: what somebody announced who has gone since does not count.
"""

from __future__ import annotations

import hashlib
import math
import random
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.dht.contact import Contact
from p2p.dht.events import Announced, PeersFound, SearchDone
from p2p.dht.node import DhtNode
from p2p.ids import Address, InfoHash
from p2p.session.dht_announcer import INTERVAL
from p2p.simulation.dht_plan import DhtPlan, Origin
from p2p.simulation.dht_report import DhtReport, Outcome, Spread
from p2p.simulation.dht_sybils import Sybil, id_beside
from p2p.simulation.dht_world import DhtWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.dht.events import Event
    from p2p.simulation.dht_host import DhtHost

ANNOUNCE_OVER: Final = 20.0
"""Seconds over which torrents are announced for the first time."""
SETTLE: Final = 10.0
"""Seconds from there to the first search."""
LAST_SEARCH: Final = 20.0
"""Seconds that the last searches have to end."""
JOIN_GAP: Final = 0.2
"""Seconds from one node that joins to the next, where the whole network does."""
JOIN_SETTLE: Final = 120.0
SEEDS: Final = 3
"""Nodes that a newcomer knows by address, as from its last time there."""
OLD_ENOUGH: Final = 30.0
"""Seconds after which a newcomer may be who announces or searches."""
LOOKED_AT: Final = 500
"""Tables that are looked at in the end."""
SLICES: Final = 200
"""Times that progress is told."""


@dataclass(slots=True, eq=False)
class Torrent:
    """What is announced: who does, and who of them has been confirmed."""

    info_hash: InfoHash
    port: int
    announcers: dict[int, DhtHost] = field(default_factory=dict)
    confirmed: dict[Address, None] = field(default_factory=dict)


class DhtScenario:
    """One run of a plan. `clock` is real seconds."""

    def __init__(self, plan: DhtPlan, clock: Callable[[], float]) -> None:
        self.plan = plan
        self._clock = clock
        self.world = DhtWorld(plan, self._on_event)
        self.outcomes: list[Outcome] = []
        self._rng = random.Random(f"{plan.seed}:scenario")
        self._present: list[DhtHost] = []
        self._place_of: dict[int, int] = {}
        self._torrents: list[Torrent] = []
        self._searching: dict[tuple[int, int], tuple[Outcome, Torrent]] = {}
        self._announcing: dict[tuple[int, int], Torrent] = {}
        self._stored: list[int] = []
        self._joined = self._departed = 0
        self._node_seconds = 0.0
        self._counted_at = 0.0
        self._carried = 0
        """Bytes of those that have gone."""
        self._began = 0.0
        self._ends = 0.0

    def run(self, on_progress: Callable[[float, float], None] = lambda _now, _end: None) -> DhtReport:
        """Play it; `on_progress` is told of virtual seconds now and at the end."""
        memory, started = peak_memory(), self._clock()
        self._populate()
        built = self._clock()
        self._plan_all()
        for part in range(1, SLICES + 1):
            self.world.run(self._ends * part / SLICES)
            on_progress(self.world.now, self._ends)
        grown = peak_memory()
        return self._report(
            build_time=built - started,
            wall_time=self._clock() - built,
            memory=None if memory is None or grown is None else (grown - memory) // max(self.world.made, 1),
        )

    # -- how the network comes to be

    def _populate(self) -> None:
        plan, world = self.plan, self.world
        natted = dict.fromkeys(self._rng.sample(range(plan.nodes), round(plan.nat_share * plan.nodes)))
        if plan.origin is Origin.JOINED:
            natted.pop(0, None)  # somebody has to be reachable by the second
        for number in range(plan.nodes):
            self._add(world.add_host(natted=number in natted))
        live = len(world.hosts)
        for _ in range(round(live * plan.dead_share / (1 - plan.dead_share))):
            world.remove(world.add_host())
        entries = [Contact(host.node_id, host.address) for host in world.hosts]
        for number in range(plan.torrents):
            self._torrents.append(Torrent(InfoHash(self._rng.randbytes(20)), 1_024 + number % 60_000))
        for torrent in self._torrents[: round(plan.attacked * plan.torrents)]:
            entries += self._besiege(torrent.info_hash)
        world.know(entries)
        if plan.origin is Origin.BUILT:
            for host in self._present:
                host.keeps_time = plan.upkeep
                if plan.upkeep:
                    world.reach_node(host)

    def _besiege(self, info_hash: InfoHash) -> list[Contact]:
        """Put attackers around a key; the entries that tables may have of them."""
        hosts = [self.world.add_host() for _ in range(self.plan.attackers)]
        crowd = []
        for host in hosts:
            host.node_id = id_beside(info_hash, self._rng)
            crowd.append(Contact(host.node_id, host.address))
        for host in hosts:
            host.speaker = Sybil(host.node_id, self.plan.attack, crowd)
        return crowd

    def _plan_all(self) -> None:
        plan, world, rng = self.plan, self.world, self._rng
        start = 0.0
        if plan.origin is Origin.JOINED:
            for number, host in enumerate(list(self._present)):
                world.plan_action(number * JOIN_GAP, self._join, host, number)
            start = plan.nodes * JOIN_GAP + JOIN_SETTLE
        self._began = start
        world.plan_action(start, self._begin_watch)
        for torrent in self._torrents:
            for _ in range(plan.announcers):
                world.plan_action(start + ANNOUNCE_OVER * rng.random(), self._find_announcer, torrent)
        first = start + ANNOUNCE_OVER + SETTLE
        for _ in range(plan.searches):
            world.plan_action(first + plan.over * rng.random(), self._search)
        if plan.lifetime is not None:
            for host in self._present:
                world.plan_action(start + self._lifetime(), self._depart, host)
        self._ends = first + plan.over + LAST_SEARCH

    def _begin_watch(self) -> None:
        """What was carried until now does not count."""
        for host in self._present:
            host.received = host.sent = 0
        self._counted_at = self.world.now

    # -- who comes and goes

    def _add(self, host: DhtHost) -> None:
        self._place_of[host.number] = len(self._present)
        self._present.append(host)

    def _lifetime(self) -> float:
        return self._rng.expovariate(math.log(2) / (self.plan.lifetime or math.inf))

    def _join(self, host: DhtHost, before: int) -> None:
        """A node joins by way of some that are there; `before` of them are, in the order of coming."""
        world = self.world
        node = world.make_node(host)
        others = [self._rng.randrange(before) for _ in range(SEEDS)] if before else []
        seeds = [self._present[each] for each in others]
        reachable = [seed.address for seed in seeds if not seed.natted] or [world.hosts[0].address] * bool(before)
        node.bootstrap(dict.fromkeys(reachable), world.now)
        world.pump(host)

    def _depart(self, host: DhtHost) -> None:
        """A node goes, and another comes."""
        world = self.world
        self._count()
        self._departed += 1
        self._carried += host.received + host.sent
        place = self._place_of.pop(host.number)
        last = self._present.pop()
        if last is not host:
            self._present[place] = last
            self._place_of[last.number] = place
        world.remove(host)
        for key in [key for key in self._searching if key[0] == host.number]:
            self.outcomes.remove(self._searching.pop(key)[0])
        for torrent in self._torrents:
            if torrent.announcers.pop(host.number, None) is not None:
                torrent.confirmed.pop(Address(host.address.host, torrent.port), None)
                self._find_announcer(torrent)
        newcomer = world.add_host(natted=self._rng.random() < self.plan.nat_share)
        self._joined += 1
        self._join(newcomer, len(self._present))
        self._add(newcomer)
        world.plan_action(world.now + self._lifetime(), self._depart, newcomer)

    def _count(self) -> None:
        """Add up the time that nodes were there."""
        self._node_seconds += (self.world.now - self._counted_at) * len(self._present)
        self._counted_at = self.world.now

    # -- who announces and who searches

    def _somebody(self, torrent: Torrent) -> DhtHost:
        """A node by chance that has been there for a while and does not announce this torrent."""
        while True:
            host = self._rng.choice(self._present)
            settled = host.born == 0.0 or self.world.now - host.born >= OLD_ENOUGH
            if settled and (host.number not in torrent.announcers or len(self._present) <= self.plan.announcers):
                return host

    def _at_work(self, host: DhtHost) -> DhtNode:
        """The node at a host whose owner wants something of it."""
        host.keeps_time = True
        node = self.world.reach_node(host)
        if not isinstance(node, DhtNode):
            raise TypeError("attackers are asked for nothing")
        return node

    def _find_announcer(self, torrent: Torrent) -> None:
        host = self._somebody(torrent)
        torrent.announcers[host.number] = host
        self._announce(torrent, host)

    def _announce(self, torrent: Torrent, host: DhtHost) -> None:
        if host.gone:
            return
        number = self._at_work(host).announce(torrent.info_hash, torrent.port, self.world.now)
        self._announcing[host.number, number] = torrent
        self.world.pump(host)
        self.world.plan_action(self.world.now + INTERVAL, self._announce, torrent, host)

    def _search(self) -> None:
        known = [torrent for torrent in self._torrents if torrent.confirmed]
        if not known:
            return
        torrent = self._rng.choice(known)
        host = self._somebody(torrent)
        outcome = Outcome(self.world.now)
        self.outcomes.append(outcome)
        number = self._at_work(host).get_peers(torrent.info_hash, self.world.now)
        self._searching[host.number, number] = (outcome, torrent)
        self.world.pump(host)

    def _on_event(self, host: DhtHost, event: Event) -> None:
        match event:
            case PeersFound(search=number, peers=peers):
                outcome, torrent = self._searching.get((host.number, number), (None, None))
                if outcome is None or torrent is None or outcome.first is not None:
                    return
                if any(peer in torrent.confirmed for peer in peers):
                    outcome.first = self.world.now - outcome.began
            case SearchDone(search=number):
                outcome, _ = self._searching.pop((host.number, number), (None, None))
                if outcome is not None:
                    outcome.took = event.took
                    outcome.hops, outcome.asked, outcome.answered = event.hops, event.asked, event.answered
            case Announced(search=number, stored=stored):
                torrent = self._announcing.pop((host.number, number), None)
                if torrent is not None and host.number in torrent.announcers:
                    self._stored.append(stored)
                    if stored:
                        torrent.confirmed[Address(host.address.host, torrent.port)] = None

    # -- what came of it

    def _report(self, *, build_time: float, wall_time: float, memory: int | None) -> DhtReport:
        self._count()
        world, present = self.world, self._present
        ended = [outcome for outcome in self.outcomes if outcome.took is not None]
        found = [outcome for outcome in ended if outcome.first is not None]
        carried = self._carried + sum(host.received + host.sent for host in present)
        throughout = [host for host in present if host.born == 0.0]
        watched = max(world.now - self._began, 1e-9)
        contacts, unreachable = self._tables()
        told = (self.outcomes, self._stored, world.events, world.datagrams, carried)
        return DhtReport(
            plan=self.plan,
            outcomes=tuple(ended),
            searches=len(ended),
            found=len(found),
            first_peers=Spread.of([outcome.first for outcome in found if outcome.first is not None]),
            whole=Spread.of([outcome.took for outcome in ended if outcome.took is not None]),
            hops=Spread.of([outcome.hops for outcome in found]),
            queries=Spread.of([outcome.asked for outcome in ended]),
            messages=Spread.of([outcome.asked + outcome.answered for outcome in ended]),
            announces=len(self._stored),
            announced_to=sum(self._stored) / max(len(self._stored), 1),
            contacts=contacts,
            unreachable=unreachable,
            bytes_per_second=carried / max(self._node_seconds, 1e-9),
            bytes_most=max((host.received + host.sent for host in throughout), default=0) / watched,
            joined=self._joined,
            departed=self._departed,
            datagrams=world.datagrams,
            events=world.events,
            made=world.made,
            virtual_time=world.now,
            digest=hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest(),
            wall_time=wall_time,
            build_time=build_time,
            memory=memory,
        )

    def _tables(self) -> tuple[float, float]:
        """Contacts in a table, and the share of them that cannot be reached, on average over some nodes."""
        world = self.world
        nodes = [host.speaker for host in self._present if isinstance(host.speaker, DhtNode)][:LOOKED_AT]
        held = [node.saved(world.now).nodes[False] for node in nodes]
        silent = sum(world.is_silent(contact.address) for contacts in held for contact in contacts)
        count = sum(map(len, held))
        return count / max(len(held), 1), silent / max(count, 1)


def peak_memory() -> int | None:
    """The most memory that this process has had, in bytes; None where the system does not tell."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1_024
