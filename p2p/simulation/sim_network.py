"""A simulated internet: hosts with rates and latencies, streams, datagrams, names, loss and partitions.

The rule: everything that happens is ordered by (time, order of planning), and chance comes from the `rng` given, so one
seed is one history. Latency between two hosts is the sum of both their access latencies unless set for the pair; rates
belong to hosts and are shared by their streams (see `link`). A partition keeps streams waiting, as a cable pulled out
does, and loses datagrams. Addresses that belong to no host answer nothing. For multicast all hosts are on one link.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_interface
from typing import TYPE_CHECKING, Final

from p2p.codec import compact
from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.net.network import MAX_ANSWER, MAX_ASKING, Interface
from p2p.simulation.agenda import Agenda
from p2p.simulation.errors import SimulationError
from p2p.simulation.first_words import FirstWords
from p2p.simulation.link import Flow, Link
from p2p.simulation.sim_listener import SimListener
from p2p.simulation.sim_stream import Packet, Pipe, SimStream

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from p2p.net.network import Answerer, Datagrams, FirstAnswerer, Listener, Network, Stream
    from p2p.simulation.trace import Trace

SYN_WAITS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between the attempts of a connect that nobody answers: Linux gives up after these 127 s."""

DEFAULT_LATENCY: Final = 0.01

MIN_WINDOW: Final = 65_536
MAX_WINDOW: Final = 4 << 20
WINDOW_SLACK: Final = 0.1
"""A stream's window holds what the slower of its two links carries in a round trip and this many seconds, within the
two bounds, as a kernel that tunes its buffers ends up with. Without rates it is `UNLIMITED_WINDOW`."""

UNLIMITED_WINDOW: Final = 1 << 20

DATAGRAM_QUEUE: Final = 262_144
"""Bytes of datagrams that wait at a host's link in either direction; more are lost."""

MAX_DATAGRAM: Final = 65_507

FIRST_FREE_PORT: Final = 49_152

WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 -- addresses of a simulated host


class SimInternet:
    """All hosts and what lies between them.

    `loss` is the probability that a datagram is lost; `trace` takes every event.
    """

    def __init__(self, rng: random.Random, *, loss: float = 0.0, trace: Trace | None = None) -> None:
        self.agenda = Agenda()
        self.loss = loss
        self.trace = trace
        self._rng = rng
        self._hosts: dict[str, SimHost] = {}
        self._names: dict[str, list[str]] = {}
        self._latencies: dict[frozenset[SimHost], float] = {}
        self._cuts: dict[frozenset[SimHost], None] = {}
        self._held: list[tuple[Pipe, SimHost, SimHost, list[Packet]]] = []

    def host(
        self,
        addresses: str | Sequence[str],
        *,
        up: float | None = None,
        down: float | None = None,
        latency: float = DEFAULT_LATENCY,
    ) -> SimHost:
        """A new host. `up` and `down` are bytes a second, None for no limit; `latency` is seconds to the middle of the
        network. Raises SimulationError for an address that is taken or no address, and for a rate that carries nothing.
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
        host = SimHost(self, canonical, up, down, latency)
        for address in canonical:
            self._hosts[address] = host
        return host

    def name(self, name: str, *addresses: str) -> None:
        """Let a host name resolve to these addresses, in this order."""
        self._names[name] = list(addresses)

    def set_latency(self, one: SimHost, other: SimHost, latency: float) -> None:
        """Seconds between two hosts, one way, in place of the sum of their own."""
        self._latencies[frozenset((one, other))] = latency

    def latency(self, one: SimHost, other: SimHost) -> float:
        """Seconds between two hosts, one way; none from a host to itself."""
        if one is other:
            return 0.0
        if self._latencies:
            latency = self._latencies.get(frozenset((one, other)))
            if latency is not None:
                return latency
        return one.latency + other.latency

    def partition(self, one_side: Sequence[SimHost], other_side: Sequence[SimHost]) -> None:
        """Let nothing pass between the two sides. What is under way still arrives."""
        for one in one_side:
            for other in other_side:
                self._cuts[frozenset((one, other))] = None

    def heal(self) -> None:
        """End every partition; what streams had to hold back goes on its way."""
        self._cuts.clear()
        held, self._held = self._held, []
        for pipe, sender, receiver, burst in held:
            self.carry(pipe, sender, receiver, burst)

    def is_cut(self, one: SimHost, other: SimHost) -> bool:
        return bool(self._cuts) and frozenset((one, other)) in self._cuts

    def find(self, source: SimHost, host: str) -> SimHost | None:
        """The host behind an address as `source` sees it; None for nobody."""
        if _is_loopback(host):
            return source
        return self._hosts.get(host)

    def members_of(self, group: Address) -> list[SimHost]:
        """The hosts with a member of a multicast group, in order of creation."""
        return [host for host in dict.fromkeys(self._hosts.values()) if group in host.members]

    def addresses_of(self, name: str) -> list[str]:
        """What a name resolves to; empty if it is unknown."""
        return self._names.get(name, [])

    def carry(self, pipe: Pipe, sender: SimHost, receiver: SimHost, burst: list[Packet]) -> None:
        """Take a stream's burst from the sender's link to the receiver's, never ahead of an earlier one."""
        if self.is_cut(sender, receiver):
            self._held.append((pipe, sender, receiver, burst))
            return
        pipe.last_arrival = max(self.agenda.now + self.latency(sender, receiver), pipe.last_arrival)
        self.agenda.plan(pipe.last_arrival, pipe.arrive, burst)

    def loses(self, source: SimHost, target: SimHost) -> bool:
        """Whether this datagram is lost on the way."""
        return self.is_cut(source, target) or (self.loss > 0.0 and self._rng.random() < self.loss)

    def record(self, kind: str, source: Address, target: Address, payload: bytes | memoryview) -> None:
        """Note an event in the trace."""
        if self.trace is not None:
            self.trace(self.agenda.now, kind, source, target, payload)


class SimHost:
    """A host: addresses, two links, and the network as a program on it sees it."""

    def __init__(
        self, internet: SimInternet, addresses: list[str], up: float | None, down: float | None, latency: float
    ) -> None:
        self.internet = internet
        self.addresses = addresses
        self.latency = latency
        self.up = Link(internet.agenda, up)
        self.down = Link(internet.agenda, down)
        self.loopback = Link(internet.agenda, None)
        self.network: Network = SimNetwork(self)
        self.listeners: dict[Address, SimListener] = {}
        self.sockets: dict[Address, SimDatagrams] = {}
        self.members: dict[Address, list[SimMember]] = {}
        self._next_port = FIRST_FREE_PORT
        self._leaving: Flow[_Datagram] = Flow(self._carry_datagrams)
        self._arriving: Flow[_Datagram] = Flow(self._deliver_datagrams)

    def __repr__(self) -> str:
        return f"SimHost({', '.join(self.addresses)})"

    def source_for(self, remote: Address) -> str:
        """The address of this host that reaches `remote`. NetworkError if there is none of its family."""
        if _is_loopback(remote.host):
            return remote.host
        for address in self.addresses:
            if (":" in address) == remote.is_ipv6:
                return address
        raise NetworkError("network is unreachable")

    def place(self, local: Address, taken: dict[Address, SimListener] | dict[Address, SimDatagrams]) -> Address:
        """Where a socket asked to bind at `local` stands. NetworkError if it cannot."""
        if local.host not in WILDCARDS and not self._has(local.host):
            raise NetworkError("cannot assign requested address")
        place = local if local.port else Address(local.host, self.free_port())
        for other in taken:
            if other.port == place.port and other.is_ipv6 == place.is_ipv6 and _overlap(other.host, place.host):
                raise NetworkError("address already in use")
        return place

    def free_port(self) -> int:
        """The next port for a socket that did not ask for one."""
        used = {address.port for address in (*self.listeners, *self.sockets)}
        while True:
            port = self._next_port
            self._next_port = port + 1 if port < 65_535 else FIRST_FREE_PORT
            if port not in used:
                return port

    def listener_at(self, address: Address) -> SimListener | None:
        return self.listeners.get(address) or self.listeners.get(Address(_wildcard(address), address.port))

    def send_datagram(self, source: Address, target: Address, data: bytes) -> None:
        """Queue a datagram on the link; one that finds no room is lost."""
        if self.internet.find(self, target.host) is self:
            self.internet.agenda.plan(self.internet.agenda.now, self._deliver_datagrams, [(source, target, data)])
        elif self._leaving.queued + len(data) > DATAGRAM_QUEUE:
            self.internet.record("lost", source, target, data)
        else:
            self.up.offer(self._leaving, (source, target, data), len(data))

    def _has(self, address: str) -> bool:
        return address in self.addresses or _is_loopback(address)

    def _carry_datagrams(self, burst: list[_Datagram]) -> None:
        internet = self.internet
        for source, target, data in burst:
            if _is_multicast(target.host):
                for member in internet.members_of(target):
                    self._carry(member, source, target, data)
            else:
                self._carry(internet.find(self, target.host), source, target, data)

    def _carry(self, receiver: SimHost | None, source: Address, target: Address, data: bytes) -> None:
        internet = self.internet
        if receiver is None or internet.loses(self, receiver):
            internet.record("lost", source, target, data)
        else:
            when = internet.agenda.now + internet.latency(self, receiver)
            internet.agenda.plan(when, receiver.on_datagram, source, target, data)

    def on_datagram(self, source: Address, target: Address, data: bytes) -> None:
        """A datagram has crossed the distance and waits for this host's link."""
        if self._arriving.queued + len(data) > DATAGRAM_QUEUE:
            self.internet.record("lost", source, target, data)
        else:
            self.down.offer(self._arriving, (source, target, data), len(data))

    def _deliver_datagrams(self, burst: list[_Datagram]) -> None:
        for source, target, data in burst:
            for member in list(self.members.get(target, ())):
                self.internet.record("datagram", source, target, data)
                member.on_datagram(data, source)
            if _is_multicast(target.host):
                continue
            socket = self.sockets.get(target) or self.sockets.get(Address(_wildcard(target), target.port))
            if socket is None:
                self.internet.record("lost", source, target, data)
            else:
                self.internet.record("datagram", source, target, data)
                socket.on_datagram(data, source)


_Datagram = tuple[Address, Address, bytes]


class SimNetwork:
    """The network port of one simulated host."""

    __slots__ = ("_host",)

    def __init__(self, host: SimHost) -> None:
        self._host = host

    async def connect(self, remote: Address, *, local: Address | None = None) -> Stream:
        host = self._host
        source = host.source_for(remote) if local is None or local.host in WILDCARDS else local.host
        near = host.place(Address(source, local.port if local is not None else 0), {})
        if near.is_ipv6 != remote.is_ipv6:
            raise NetworkError("network is unreachable")
        attempt = _Attempt(host, near, remote)
        try:
            for wait in SYN_WAITS:
                attempt.send()
                answered, _ = await asyncio.wait((attempt.answer,), timeout=wait)
                if answered:
                    return attempt.answer.result()
        except asyncio.CancelledError:
            attempt.give_up()
            raise
        attempt.give_up()
        raise NetworkError("connection timed out")

    async def listen(self, local: Address, on_stream: Callable[[Stream], None]) -> Listener:
        place = self._host.place(local, self._host.listeners)
        listener = SimListener(self._host, place, on_stream)
        self._host.listeners[place] = listener
        return listener

    async def listen_answering(
        self, local: Address, answer: FirstAnswerer, on_stream: Callable[[Stream, bytes], None]
    ) -> Listener:
        return await self.listen(local, lambda stream: FirstWords(stream, answer, on_stream).wait())

    async def open_datagrams(self, local: Address, on_datagram: Callable[[bytes, Address], None]) -> Datagrams:
        place = self._host.place(local, self._host.sockets)
        socket = SimDatagrams(self._host, place, on_datagram)
        self._host.sockets[place] = socket
        return socket

    async def open_answering(self, local: Address, answer: Answerer) -> Datagrams:
        def on_datagram(data: bytes, source: Address) -> None:
            [reply] = answer([data], [(source.port, compact.pack(source)[:-2])]) if len(data) <= MAX_ASKING else [b""]
            if reply and len(reply) <= MAX_ANSWER:
                socket.send(bytes(reply), source)

        return (socket := await self.open_datagrams(local, on_datagram))

    async def open_multicast(
        self,
        group: Address,
        on_datagram: Callable[[bytes, Address], None],
        *,
        interface: str | None = None,
        source: str | None = None,
    ) -> Datagrams:
        del interface, source  # a simulated host has one, and one address of a family
        self._host.source_for(group)
        member = SimMember(self._host, group, on_datagram)
        self._host.members.setdefault(group, []).append(member)
        return member

    def multicast_interfaces(self) -> list[Interface]:
        return [Interface("link", tuple(ip_interface(f"{address}/0") for address in self._host.addresses))]

    async def resolve(self, host: str, port: int) -> list[Address]:
        if not 0 <= port <= 65_535:
            raise NetworkError(f"port {port} is outside 0..65535")
        try:
            return [Address.parse(host, port)]
        except ValueError:
            await asyncio.sleep(2 * self._host.latency)
        found = self._host.internet.addresses_of(host)
        if not found:
            raise NetworkError("name or service not known")
        return [Address.parse(address, port) for address in found]


class _Attempt:
    """A connect under way. Every attempt after the first is the same handshake again, so one answer ends it."""

    __slots__ = ("_given_up", "_host", "_near", "_remote", "_stream", "answer")

    def __init__(self, host: SimHost, near: Address, remote: Address) -> None:
        self._host = host
        self._near = near
        self._remote = remote
        self._stream: SimStream | None = None
        self._given_up = False
        self.answer: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()

    def send(self) -> None:
        internet = self._host.internet
        far = internet.find(self._host, self._remote.host)
        if far is not None and not internet.is_cut(self._host, far):
            internet.agenda.plan(internet.agenda.now + internet.latency(self._host, far), self._arrive, far)

    def give_up(self) -> None:
        self._given_up = True
        if self.answer.done() and not self.answer.cancelled():
            self.answer.exception()  # nobody will ask for it any more
        if self._stream is not None:
            self._stream.abort()

    def _arrive(self, far: SimHost) -> None:
        internet = self._host.internet
        if self._stream is not None or self.answer.done():
            return  # the second of two attempts that were both slow
        back = internet.agenda.now + internet.latency(self._host, far)
        listener = far.listener_at(self._remote)
        if listener is None:
            internet.record("refuse", self._near, self._remote, b"")
            internet.agenda.plan(back, self._refuse)
            return
        internet.record("connect", self._near, self._remote, b"")
        there = Pipe(self._host, far, _window(internet, self._host, far))
        here = Pipe(far, self._host, _window(internet, far, self._host))
        here.last_arrival = back  # nothing overtakes the answer
        near_end = SimStream(self._host, self._near, self._remote, here, there)
        far_end = SimStream(far, self._remote, self._near, there, here)
        near_end.peer, far_end.peer = far_end, near_end
        self._stream = near_end
        if self._given_up:
            near_end.abort()
        internet.agenda.plan(back, self._accept, near_end)
        listener.on_stream(far_end)

    def _accept(self, stream: SimStream) -> None:
        if not self.answer.done() and not self._given_up:
            self.answer.set_result(stream)

    def _refuse(self) -> None:
        if not self.answer.done() and not self._given_up:
            self.answer.set_exception(NetworkError("connection refused"))


class SimDatagrams:
    """A bound datagram socket of a simulated host."""

    __slots__ = ("_host", "local", "on_datagram")

    def __init__(self, host: SimHost, local: Address, on_datagram: Callable[[bytes, Address], None]) -> None:
        self._host = host
        self.local = local
        self.on_datagram = on_datagram

    def send(self, data: bytes, to: Address) -> None:
        if (
            self._host.sockets.get(self.local) is not self
            or len(data) > MAX_DATAGRAM
            or to.is_ipv6 != self.local.is_ipv6
        ):
            return
        try:
            source = self._host.source_for(to) if self.local.host in WILDCARDS else self.local.host
        except NetworkError:
            return  # no way there: a lost datagram
        self._host.send_datagram(Address(source, self.local.port), to, data)

    def close(self) -> None:
        if self._host.sockets.get(self.local) is self:
            del self._host.sockets[self.local]


class SimMember:
    """A member of a multicast group."""

    __slots__ = ("_host", "local", "on_datagram")

    def __init__(self, host: SimHost, group: Address, on_datagram: Callable[[bytes, Address], None]) -> None:
        self._host = host
        self.local = group
        self.on_datagram = on_datagram

    def send(self, data: bytes, to: Address) -> None:
        if (
            self not in self._host.members.get(self.local, ())
            or len(data) > MAX_DATAGRAM
            or to.is_ipv6 != self.local.is_ipv6
        ):
            return
        self._host.send_datagram(Address(self._host.source_for(to), self.local.port), to, data)

    def close(self) -> None:
        members = self._host.members.get(self.local, [])
        if self in members:
            members.remove(self)
        if not members:
            self._host.members.pop(self.local, None)


def _wildcard(address: Address) -> str:
    return WILDCARDS[address.is_ipv6]


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"


def _is_multicast(host: str) -> bool:
    return ip_address(host).is_multicast


def _overlap(one: str, other: str) -> bool:
    return one == other or one in WILDCARDS or other in WILDCARDS


def _window(internet: SimInternet, sender: SimHost, receiver: SimHost) -> int:
    rates = [rate for rate in (sender.up.rate, receiver.down.rate) if rate is not None]
    if not rates:
        return UNLIMITED_WINDOW
    seconds = 2 * internet.latency(sender, receiver) + WINDOW_SLACK
    return min(max(int(min(rates) * seconds), MIN_WINDOW), MAX_WINDOW)
