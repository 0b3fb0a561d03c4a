"""A host's way to its network: a rate, and the flows that share it in turns.

The rule: a link serves the flows that have something to carry round-robin, one burst each, so that busy flows get equal
shares and what one flow does not use falls to the others. A burst takes its size divided by the rate. Together with the
bounded window of each stream, two such links in a row approach max-min fairness between the streams of a swarm.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.simulation.agenda import Agenda

P = TypeVar("P")

BURST_TIME: Final = 0.02
"""Seconds of a link's time that one flow's turn takes: short beside a round trip, long enough that events stay few."""

MIN_BURST: Final = 4_096
MAX_BURST: Final = 262_144
"""Bytes in a burst, at the least (events stay few on slow links) and at the most (memory stays small on fast ones)."""


class Flow(Generic[P]):
    """Packets that wait for their turn on a link, in order; `on_carried` takes each burst that the link has carried.

    `queued` is the bytes that wait; `waiting` whether the link has this flow in its round.
    """

    __slots__ = ("_credit", "_on_carried", "packets", "queued", "waiting")

    def __init__(self, on_carried: Callable[[list[P]], None]) -> None:
        self._on_carried = on_carried
        self._credit = 0
        self.packets: deque[tuple[P, int]] = deque()
        self.queued = 0
        self.waiting = False

    def clear(self) -> None:
        """Drop what waits."""
        self.packets.clear()
        self.queued = 0

    def take(self, limit: int) -> tuple[list[P], int]:
        """The next burst and its bytes: whole packets for `limit` bytes and what earlier turns left unused.

        The credit makes shares equal in bytes whatever the sizes of packets (deficit round robin). A burst may be
        empty, when one packet is worth several turns.
        """
        packets = self.packets
        burst: list[P] = []
        credit = available = self._credit + limit
        while packets and packets[0][1] <= credit:
            packet, length = packets.popleft()
            burst.append(packet)
            credit -= length
        self._credit = credit if packets else 0
        size = available - credit
        self.queued -= size
        return burst, size

    def carried(self, burst: list[P]) -> None:
        self._on_carried(burst)


class Link:
    """One direction of a host's access. `rate` is bytes a second, None for no limit; it may change at any time.

    `carried` counts the bytes so far.
    """

    __slots__ = ("_agenda", "_busy", "_flows", "carried", "rate")

    def __init__(self, agenda: Agenda, rate: float | None) -> None:
        self._agenda = agenda
        self._flows: deque[Flow[Any]] = deque()
        self._busy = False
        self.rate = rate
        self.carried = 0

    @property
    def burst(self) -> int:
        """Bytes that one flow may carry in its turn."""
        if self.rate is None:
            return MAX_BURST
        return min(max(int(self.rate * BURST_TIME), MIN_BURST), MAX_BURST)

    def offer(self, flow: Flow[P], packet: P, size: int) -> None:
        """Queue a packet of `size` bytes behind the others of its flow."""
        flow.packets.append((packet, size))
        flow.queued += size
        if not flow.waiting:
            flow.waiting = True
            self._flows.append(flow)
        if not self._busy:
            self._serve()

    def _serve(self) -> None:
        while self._flows:
            flow = self._flows.popleft()
            burst, size = flow.take(self.burst)
            if self.rate is None:
                self._finish(flow, burst, size)
            else:
                self._busy = True
                self._agenda.plan(self._agenda.now + size / self.rate, self._finish_and_serve, flow, burst, size)
                return

    def _finish_and_serve(self, flow: Flow[P], burst: list[P], size: int) -> None:
        self._busy = False
        self._finish(flow, burst, size)
        if not self._busy:
            self._serve()

    def _finish(self, flow: Flow[P], burst: list[P], size: int) -> None:
        if flow.packets:
            self._flows.append(flow)
        else:
            flow.waiting = False
        self.carried += size
        flow.carried(burst)
