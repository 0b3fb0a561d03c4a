"""One node's place in a simulated DHT: its node once somebody has reached it, its NAT, what it has carried."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from p2p.dht.events import Event
    from p2p.ids import Address, NodeId

MAX_HOLES: Final = 512
"""Addresses that a NAT remembers until those out of date are forgotten."""


class Speaker(Protocol):
    """What is at a host: a node of ours, or an attacker. `DhtNode` describes the methods."""

    def receive_datagram(self, data: bytes, address: Address, now: float) -> None: ...

    def datagrams_to_send(self) -> Iterable[tuple[bytes, Address]]: ...

    def next_event(self) -> Event | None: ...

    def next_timer(self) -> float: ...

    def on_timer(self, now: float) -> None: ...


@dataclass(slots=True, eq=False)
class DhtHost:
    """See the module's head. Times are seconds, sizes bytes with the headers of IP and UDP."""

    number: int
    address: Address
    node_id: NodeId
    natted: bool = False
    speaker: Speaker | None = None
    """None until somebody reaches it."""
    born: float = 0.0
    gone: bool = False
    armed: float = math.inf
    """When its timer is planned."""
    keeps_time: bool = True
    """Whether its timers run."""
    received: int = 0
    sent: int = 0
    queries: int = 0
    _holes: dict[int, float] = field(default_factory=dict)

    def open_hole(self, number: int, now: float, memory: float) -> None:
        """It sends to a node: that one may send back for `memory` seconds."""
        holes = self._holes
        holes[number] = now
        if len(holes) > MAX_HOLES:
            self._holes = {other: opened for other, opened in holes.items() if now - opened <= memory}

    def lets_in(self, number: int, now: float, memory: float) -> bool:
        """Whether a datagram of that node comes through."""
        return not self.natted or now - self._holes.get(number, -math.inf) <= memory
