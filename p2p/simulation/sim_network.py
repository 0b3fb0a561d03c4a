"""A simulated internet: hosts with rates and latencies, streams, datagrams, names, loss and partitions.

The rule: everything that happens is ordered by (time, order of planning), and chance comes from the `rng` given, so one
seed is one history. Rates belong to hosts and are shared by their streams (see `link`), latencies to hosts, regions or
pairs (see `latency`). A partition keeps streams waiting, as a cable pulled out does, and loses datagrams. Where packets
are lost, datagrams are gone and streams come a round trip later, as what is sent again does. Addresses that belong to
no host answer nothing. For multicast all hosts are on one link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.ids import Address
from p2p.simulation.agenda import Agenda
from p2p.simulation.errors import SimulationError
from p2p.simulation.latency import Latencies
from p2p.simulation.nat import Nat
from p2p.simulation.sim_datagrams import SimDatagrams
from p2p.simulation.sim_host import DATAGRAM_QUEUE, SimHost, is_loopback
from p2p.simulation.sim_port import SimNetwork

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from p2p.simulation.nat import NatKind
    from p2p.simulation.sim_stream import Packet, Pipe
    from p2p.simulation.trace import Trace

__all__ = ["SimDatagrams", "SimHost", "SimInternet", "SimNetwork"]

DEFAULT_LATENCY: Final = 0.01

SEGMENT: Final = 1_460
"""Bytes of a stream in one packet, each of which may be lost."""


class SimInternet:
    """All hosts and what lies between them.

    `loss` is the probability that a packet is lost; `jitter` the seconds that each is late at the most, drawn evenly;
    `reordering` the probability that a datagram takes twice as long as it should, so that later ones come before it.
    `trace` takes every event.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        loss: float = 0.0,
        jitter: float = 0.0,
        reordering: float = 0.0,
        trace: Trace | None = None,
    ) -> None:
        self.agenda = Agenda()
        self.loss = loss
        self.jitter = jitter
        self.reordering = reordering
        self.trace = trace
        self._rng = rng
        self._hosts: dict[str, SimHost] = {}
        self._names: dict[str, list[str]] = {}
        self.latencies = Latencies()
        self._cuts: dict[frozenset[SimHost], None] = {}
        self._held: list[tuple[Pipe, SimHost, SimHost, list[Packet], int]] = []

    def host(
        self,
        addresses: str | Sequence[str],
        *,
        up: float | None = None,
        down: float | None = None,
        latency: float = DEFAULT_LATENCY,
        region: str | None = None,
        datagram_queue: int = DATAGRAM_QUEUE,
        nat: NatKind | None = None,
    ) -> SimHost:
        """A new host. `up` and `down` are bytes a second, None for no limit; `latency` is seconds to the middle of the
        network, or of its `region`; `datagram_queue` is the bytes of datagrams that may wait at each link; `nat` is the
        kind of translator that it is behind.

        Raises SimulationError for an address that is taken or no address, and for a rate that carries nothing.
        """
        if any(rate is not None and rate <= 0 for rate in (up, down)):
            raise SimulationError("a rate must be above 0, or None for no limit")
        texts = [addresses] if isinstance(addresses, str) else list(addresses)
        try:
            canonical = [Address.parse(text, 0).host for text in texts]
        except ValueError as error:
            raise SimulationError(str(error)) from error
        for address in canonical:
            if address in self._hosts:
                raise SimulationError(f"{address} belongs to another host")
        host = SimHost(
            self,
            canonical,
            up,
            down,
            latency=latency,
            region=region,
            datagram_queue=datagram_queue,
            nat=None if nat is None else Nat(nat),
        )
        for address in canonical:
            self._hosts[address] = host
        return host

    def name(self, name: str, *addresses: str) -> None:
        """Let a host name resolve to these addresses, in this order."""
        self._names[name] = list(addresses)

    def set_latency(self, one: SimHost, other: SimHost, latency: float) -> None:
        """Seconds between two hosts, one way, in place of the sum of their own."""
        self.latencies.set_pair(one, other, latency)

    def latency(self, one: SimHost, other: SimHost) -> float:
        """Seconds between two hosts, one way; none from a host to itself."""
        return self.latencies.between(one, other)

    def delay(self, source: SimHost, target: SimHost) -> float:
        """Seconds that the next datagram takes."""
        latency = self.latencies.between(source, target)
        if self.reordering > 0.0 and self._rng.random() < self.reordering:
            latency *= 2
        if self.jitter > 0.0:
            latency += self._rng.uniform(0.0, self.jitter)
        return latency

    def partition(self, one_side: Sequence[SimHost], other_side: Sequence[SimHost]) -> None:
        """Let nothing pass between the two sides. What is under way still arrives."""
        for one in one_side:
            for other in other_side:
                self._cuts[frozenset((one, other))] = None

    def heal(self) -> None:
        """End every partition; what streams had to hold back goes on its way."""
        self._cuts.clear()
        held, self._held = self._held, []
        for pipe, sender, receiver, burst, size in held:
            self.carry(pipe, sender, receiver, burst, size, self.agenda.now)

    def is_cut(self, one: SimHost, other: SimHost) -> bool:
        return bool(self._cuts) and frozenset((one, other)) in self._cuts

    def find(self, source: SimHost, host: str) -> SimHost | None:
        """The host behind an address as `source` sees it; None for nobody."""
        if is_loopback(host):
            return source
        return self._hosts.get(host)

    def members_of(self, group: Address) -> list[SimHost]:
        """The hosts with a member of a multicast group, in order of creation."""
        return [host for host in dict.fromkeys(self._hosts.values()) if group in host.members]

    def addresses_of(self, name: str) -> list[str]:
        """What a name resolves to; empty if it is unknown."""
        return self._names.get(name, [])

    def carry(
        self, pipe: Pipe, sender: SimHost, receiver: SimHost, burst: list[Packet], size: int, when: float
    ) -> None:
        """Take a stream's burst, which leaves at `when`, to the receiver's link, never ahead of an earlier one."""
        if self._cuts and self.is_cut(sender, receiver):
            self._held.append((pipe, sender, receiver, burst, size))
            return
        latency = self.latencies.between(sender, receiver)
        arrival = when + latency
        if self.jitter > 0.0:
            arrival += self._rng.uniform(0.0, self.jitter)
        if self.loss > 0.0 and self._rng.random() >= (1 - self.loss) ** -(-size // SEGMENT):
            arrival += 2 * latency
        if arrival < pipe.last_arrival:
            arrival = pipe.last_arrival
        else:
            pipe.last_arrival = arrival
        self.agenda.plan(arrival, pipe.arrive, burst, size)

    def loses(self, source: SimHost, target: SimHost) -> bool:
        """Whether this datagram is lost on the way."""
        return self.is_cut(source, target) or (self.loss > 0.0 and self._rng.random() < self.loss)

    def record(self, kind: str, source: Address, target: Address, payload: bytes | memoryview) -> None:
        """Note an event in the trace."""
        if self.trace is not None:
            self.trace(self.agenda.now, kind, source, target, payload)
