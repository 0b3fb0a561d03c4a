"""A simulated host: addresses, two links and what is bound to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.ids import Address
from p2p.simulation.link import Link
from p2p.simulation.sim_datagrams import WILDCARDS, DatagramQueue
from p2p.simulation.sim_port import SimNetwork

if TYPE_CHECKING:
    from p2p.net.network import Network
    from p2p.simulation.nat import Nat
    from p2p.simulation.sim_datagrams import Datagram, SimDatagrams, SimMember
    from p2p.simulation.sim_listener import SimListener
    from p2p.simulation.sim_network import SimInternet

DATAGRAM_QUEUE: Final = 262_144
"""Bytes of datagrams that wait at a host's link in either direction, unless told otherwise; more are lost."""

FIRST_FREE_PORT: Final = 49_152


class SimHost:
    """A host: addresses, two links, and the network as a program on it sees it."""

    def __init__(
        self,
        internet: SimInternet,
        addresses: list[str],
        up: float | None,
        down: float | None,
        *,
        latency: float,
        region: str | None,
        datagram_queue: int,
        nat: Nat | None,
    ) -> None:
        self.internet = internet
        self.addresses = addresses
        self.latency = latency
        self.region = region
        self.nat = nat
        """What stands between this host and the others; None for nothing."""
        self.datagram_queue = datagram_queue
        """Bytes of datagrams that wait at a link in either direction; more are lost."""
        self.up = Link(internet.agenda, up)
        self.down = Link(internet.agenda, down)
        self.loopback = Link(internet.agenda, None)
        self.network: Network = SimNetwork(self)
        self.listeners: dict[Address, SimListener] = {}
        self.sockets: dict[Address, SimDatagrams] = {}
        self.members: dict[Address, list[SimMember]] = {}
        self._next_port = FIRST_FREE_PORT
        self._leaving = DatagramQueue(self._carry_datagrams)
        self._arriving = DatagramQueue(self._deliver_datagrams)

    def __repr__(self) -> str:
        return f"SimHost({', '.join(self.addresses)})"

    def source_for(self, remote: Address) -> str:
        """The address of this host that reaches `remote`. NetworkError if there is none of its family."""
        if is_loopback(remote.host):
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

    def listener_for(self, address: Address, source: SimHost) -> SimListener | None:
        """Who takes a stream to `address` from that host."""
        outside = source is not self and self.nat is not None and not address.is_ipv6
        if outside and self.nat is not None and not self.nat.takes_stream(address.port):
            return None
        return self.listeners.get(address) or self.listeners.get(Address(_wildcard(address), address.port))

    def send_datagram(self, source: Address, target: Address, data: bytes) -> None:
        """Queue a datagram on the link; one that finds no room is lost."""
        internet = self.internet
        if internet.find(self, target.host) is self:
            internet.agenda.plan(internet.agenda.now, self._deliver_datagrams, [(source, target, data)], 0.0)
        else:
            if self.nat is not None and not source.is_ipv6 and not _is_multicast(target.host):
                source = self.nat.outward(source, target, internet.agenda.now)
            self._queue(self._leaving, self.up, (source, target, data))

    def _queue(self, queue: DatagramQueue, link: Link, datagram: Datagram) -> None:
        size = len(datagram[2])
        if queue.queued + size > self.datagram_queue:
            self.internet.record("lost", *datagram)
        else:
            queue.queued += size
            link.offer(queue, [datagram], size)

    def _has(self, address: str) -> bool:
        return address in self.addresses or is_loopback(address)

    def _carry_datagrams(self, burst: list[Datagram], until: float) -> None:
        internet = self.internet
        for source, target, data in burst:
            if _is_multicast(target.host):
                for member in internet.members_of(target):
                    self._carry(member, source, target, data, until)
            else:
                self._carry(internet.find(self, target.host), source, target, data, until)

    def _carry(self, receiver: SimHost | None, source: Address, target: Address, data: bytes, until: float) -> None:
        internet = self.internet
        if receiver is None or internet.loses(self, receiver):
            internet.record("lost", source, target, data)
        else:
            when = until + internet.delay(self, receiver)
            internet.agenda.plan(when, receiver.on_datagram, source, target, data)

    def on_datagram(self, source: Address, target: Address, data: bytes) -> None:
        """A datagram has crossed the distance and waits for this host's link."""
        inner: Address | None = target
        if self.nat is not None and not target.is_ipv6 and not _is_multicast(target.host):
            inner = self.nat.inward(source, target, self.internet.agenda.now)
        if inner is None:
            self.internet.record("lost", source, target, data)
        else:
            self._queue(self._arriving, self.down, (source, inner, data))

    def _deliver_datagrams(self, burst: list[Datagram], until: float) -> None:  # noqa: ARG002 -- the queue's shape
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


def _wildcard(address: Address) -> str:
    return WILDCARDS[address.is_ipv6]


def is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"


def _is_multicast(host: str) -> bool:
    """224.0.0.0/4 and ff00::/8. Hosts are in canonical form."""
    if ":" in host:
        return host.startswith("ff") and host.index(":") == 4
    return host[3:4] == "." and "224" <= host[:3] <= "239"


def _overlap(one: str, other: str) -> bool:
    return one == other or one in WILDCARDS or other in WILDCARDS
