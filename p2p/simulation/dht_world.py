"""A DHT of thousands of production nodes in virtual time: datagrams and timers in order, and nothing else.

The rule: every datagram is bytes that one node's production code has written and another's reads. No loop, no tasks:
datagrams and times go into a node, datagrams and events come out, so all it takes is an agenda. What is due at one time
happens in the order it was planned in. A node is made when somebody first reaches it, with the table that it has had
all along; so a network costs what is used of it.
"""

from __future__ import annotations

import math
import random
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from p2p.dht.node import DhtNode
from p2p.dht.upkeep import REJOIN, TURN
from p2p.simulation.dht_host import DhtHost
from p2p.simulation.dht_places import Addresses, Distances
from p2p.simulation.dht_tables import Census

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.dht.contact import Contact
    from p2p.dht.events import Event
    from p2p.ids import Address
    from p2p.simulation.dht_host import Speaker
    from p2p.simulation.dht_plan import DhtPlan

HEADERS: Final = 28
"""Bytes of IPv4 and UDP around a datagram."""


class DhtWorld:
    """See the module's head. `on_event` is told of what nodes tell their owners, with their host."""

    def __init__(self, plan: DhtPlan, on_event: Callable[[DhtHost, Event], None]) -> None:
        self.plan = plan
        self.now = 0.0
        self.events = 0
        """Datagrams delivered and timers run."""
        self.datagrams = 0
        self.lost = 0
        self.made = 0
        """Nodes that somebody has reached."""
        self.hosts: list[DhtHost] = []
        self.rng = random.Random(f"{plan.seed}:chance")
        self._node_rng = random.Random(f"{plan.seed}:nodes")
        self._places_rng = random.Random(f"{plan.seed}:places")
        self.addresses = Addresses(random.Random(f"{plan.seed}:addresses"))
        self._distances = Distances(plan.rtt, plan.rtt_spread)
        self._by_address: dict[Address, DhtHost] = {}
        self._census = Census([])
        self._on_event = on_event
        self._agenda: list[tuple[float, int, Any, Any, Any]] = []
        self._planned = 0

    # -- who is there

    def add_host(self, address: Address | None = None, *, natted: bool = False) -> DhtHost:
        """A host at an address of its own, with nobody at it yet."""
        address = self.addresses.next_address() if address is None else address
        host = DhtHost(len(self.hosts), address, self.addresses.id_at(address), natted, born=self.now)
        self.hosts.append(host)
        self._distances.settle(self._places_rng)
        self._by_address[address] = host
        return host

    def know(self, entries: list[Contact]) -> None:
        """Tables that are built from now on hold these."""
        self._census = Census(entries)

    def make_node(self, host: DhtHost) -> DhtNode:
        """A production node without contacts at a host."""
        secret = f"{self.plan.seed}:secret:{host.number}".encode()
        since = self.now - TURN * self.rng.random()  # so that not all look after their tables at one moment
        node = DhtNode({False: host.node_id}, rng=self._node_rng, secret=secret, now=since)
        host.speaker = node
        self.made += 1
        return node

    def reach_node(self, host: DhtHost) -> Speaker:
        """Who is at a host; made with its table if nobody has asked before."""
        if host.speaker is None:
            rng = random.Random(f"{self.plan.seed}:table:{host.number}")
            own = int.from_bytes(host.node_id, "big")
            contacts = self._census.contacts_of(own, self.now, rng, lambda entry: self.rtt(host, entry.address))
            node = self.make_node(host)
            node.take_up(contacts, self.now, joined=self.now - REJOIN * rng.random())
            self._arm(host)
        return host.speaker  # type: ignore[return-value]

    def remove(self, host: DhtHost) -> None:
        """Its node goes, without a word."""
        host.gone = True
        host.speaker = None
        host.armed = math.inf

    def rtt(self, host: DhtHost, address: Address) -> float:
        """The round trip to whoever is or was at an address, as it usually is."""
        return 2 * self._distances.between(host.number, self._by_address[address].number)

    def is_silent(self, address: Address) -> bool:
        """Whether strangers get no answer from there."""
        host = self._by_address.get(address)
        return host is None or host.gone or host.natted

    # -- what happens

    def plan_action(self, when: float, action: Callable[..., None], *arguments: Any) -> None:
        """Do `action(*arguments)` at `when`, after everything already planned for that time."""
        self._planned += 1
        heappush(self._agenda, (when, self._planned, None, action, arguments))

    def run(self, until: float) -> None:
        """Let time pass, to `until` seconds."""
        agenda = self._agenda
        memory = self.plan.nat_memory
        while agenda and agenda[0][0] <= until:
            when, _, host, data, source = heappop(agenda)
            self.now = when
            if host is None:
                data(*source)
                continue
            if host.gone:
                continue
            if data is None:
                if host.armed != when:
                    continue  # it was planned anew
                host.armed = math.inf
                if host.speaker.next_timer() <= when:
                    self.events += 1
                    host.speaker.on_timer(when)
                    self.pump(host)
                else:
                    self._arm(host)
                continue
            if not host.lets_in(source.number, when, memory):
                continue
            self.events += 1
            host.received += len(data) + HEADERS
            speaker = host.speaker if host.speaker is not None else self.reach_node(host)
            speaker.receive_datagram(data, source.address, when)
            self.pump(host)
        self.now = max(self.now, until)

    def pump(self, host: DhtHost) -> None:
        """Carry out what a node wants. To be called after whatever was asked of it."""
        speaker = host.speaker
        if speaker is None:
            return
        while True:
            ready = speaker.datagrams_to_send()
            for data, address in ready:
                self._send(host, data, address)
            event = speaker.next_event()
            if event is not None:
                self._on_event(host, event)
            elif not ready:
                break
        self._arm(host)

    def _arm(self, host: DhtHost) -> None:
        if not host.keeps_time or host.speaker is None:
            return
        due = host.speaker.next_timer()
        if due < host.armed:
            host.armed = due
            self._planned += 1
            heappush(self._agenda, (due, self._planned, host, None, None))

    def _send(self, host: DhtHost, data: bytes, address: Address) -> None:
        self.datagrams += 1
        host.sent += len(data) + HEADERS
        plan, rng = self.plan, self.rng
        target = self._by_address.get(address)
        if target is None or target.gone:
            return
        if host.natted:
            host.open_hole(target.number, self.now, plan.nat_memory)
        if rng.random() < plan.loss:
            self.lost += 1
            return
        takes = self._distances.between(host.number, target.number) * (1.0 + plan.jitter * rng.random())
        self._planned += 1
        heappush(self._agenda, (self.now + takes, self._planned, target, data, host))
