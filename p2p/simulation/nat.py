"""Address translation as home routers do it: which datagrams come in, and from which port those that go out seem to be.

The rule, by kind (RFC 3489, 5; in the words of RFC 4787 how endpoints are mapped and filtered):

- full cone: a port that sent something takes datagrams from everybody;
- restricted: from hosts that it sent to;
- port restricted: from exactly the addresses that it sent to;
- symmetric: as before, and each address sees another port.

What was opened closes again a while after the last datagram out (RFC 4787, REQ-5). Nobody can connect from outside,
unless the port is forwarded, as port mapping does. A host is alone behind its translator, whose address it has, and a
port keeps its number but where the kind is symmetric. IPv6 is not translated.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from p2p.ids import Address

OPEN_FOR: Final = 120.0
"""Seconds after the last datagram out: the least that RFC 4787 lets a translator choose, and what most do."""

NEVER: Final = float("-inf")

FIRST_OUTER_PORT: Final = 20_000
"""Where the ports of a symmetric translator begin."""

MOST_OPEN: Final = 4_096
"""Addresses that a translator remembers; those opened first are forgotten, as in the small memory of home routers."""


class NatKind(Enum):
    FULL_CONE = "full cone"
    RESTRICTED = "restricted"
    PORT_RESTRICTED = "port restricted"
    SYMMETRIC = "symmetric"


class Nat:
    """The translator of one host. `now` is seconds."""

    __slots__ = ("_forwarded", "_inner_ports", "_next_port", "_open", "_outer_ports", "kind")

    def __init__(self, kind: NatKind) -> None:
        self.kind = kind
        self._forwarded: dict[int, None] = {}
        self._open: dict[tuple[int, object], float] = {}
        """When what was opened closes: by the outer port, and what comes in there (an address, a host, or anything)."""
        self._outer_ports: dict[tuple[int, Address], int] = {}
        self._inner_ports: dict[int, tuple[int, Address]] = {}
        """Of a symmetric translator: the outer port for an inner one and a target, and back."""
        self._next_port = FIRST_OUTER_PORT

    def forward(self, port: int) -> None:
        """Let everything come in at a port, streams and datagrams."""
        self._forwarded[port] = None

    def unforward(self, port: int) -> None:
        self._forwarded.pop(port, None)

    def takes_stream(self, port: int) -> bool:
        """Whether somebody outside can connect to the port."""
        return port in self._forwarded

    def outward(self, source: Address, target: Address, now: float) -> Address:
        """Where a datagram from `source` seems to come from. It opens the way back."""
        port = source.port
        if self.kind is NatKind.SYMMETRIC and port not in self._forwarded:
            port = self._outer_port(source.port, target, now)
        key = (port, self._filtered_by(target))
        self._open.pop(key, None)
        self._open[key] = now + OPEN_FOR
        if len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
        return Address(source.host, port)

    def inward(self, source: Address, target: Address, now: float) -> Address | None:
        """The inner address that a datagram reaches; None if it does not come in."""
        if target.port in self._forwarded:
            return target
        if self._open.get((target.port, self._filtered_by(source)), NEVER) < now:
            return None
        if self.kind is NatKind.SYMMETRIC:
            inner, _ = self._inner_ports[target.port]
            return Address(target.host, inner)
        return target

    def _filtered_by(self, other: Address) -> object:
        match self.kind:
            case NatKind.FULL_CONE:
                return None
            case NatKind.RESTRICTED:
                return other.host
            case NatKind.PORT_RESTRICTED | NatKind.SYMMETRIC:
                return other

    def _outer_port(self, inner: int, target: Address, now: float) -> int:
        known = self._outer_ports.get((inner, target))
        if known is not None and self._open.get((known, target), NEVER) >= now:
            return known
        if known is not None:  # it has closed: another one is next
            del self._inner_ports[known]
        while (port := self._next_port) in self._inner_ports and self._is_open(port, now):
            self._next_port = port + 1 if port < 65_535 else FIRST_OUTER_PORT
        self._next_port = port + 1 if port < 65_535 else FIRST_OUTER_PORT
        former = self._inner_ports.pop(port, None)
        if former is not None:
            self._outer_ports.pop(former, None)
        self._outer_ports[inner, target] = port
        self._inner_ports[port] = (inner, target)
        return port

    def _is_open(self, port: int, now: float) -> bool:
        _, target = self._inner_ports[port]
        return self._open.get((port, target), NEVER) >= now
