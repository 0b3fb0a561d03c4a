"""Datagrams of simulated hosts: bound sockets, members of multicast groups, and the queues at a host's links.

The rule: a datagram is carried whole or lost. What finds no room in a queue, no way, or no socket is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.errors import NetworkError
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.simulation.sim_host import SimHost

Datagram = tuple[Address, Address, bytes]
"""Source, target and content."""

MAX_DATAGRAM: Final = 65_507

WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 -- addresses of a simulated host


class DatagramQueue:
    """Datagrams that wait at a link, for `carry(datagrams, until)`. `queued` is their bytes."""

    __slots__ = ("_carry", "opens_at", "packets", "queued", "waiting")

    def __init__(self, carry: Callable[[list[Datagram], float], None]) -> None:
        self._carry = carry
        self.packets: list[Datagram] = []
        self.queued = 0
        self.waiting = False
        self.opens_at = 0.0

    def take(self, limit: int, now: float) -> tuple[list[Datagram], int]:  # noqa: ARG002 -- the port's shape
        """Whole datagrams, one in any case."""
        size = taken = 0
        for _, _, data in self.packets:
            if taken and size + len(data) > limit:
                break
            size += len(data)
            taken += 1
        burst = self.packets[:taken]
        del self.packets[:taken]
        return burst, size

    def carried(self, burst: list[Datagram], size: int, until: float) -> None:
        self.queued -= size
        self._carry(burst, until)


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
