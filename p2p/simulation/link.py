"""A host's way to its network: a rate, and the flows that share it in turns.

The rule: a link serves the flows that have something to carry round-robin, one burst of equal size each, so that busy
flows get equal shares and what one flow does not use falls to the others. A burst takes its size divided by the rate.
Together with the bounded window of each stream, two such links in a row approach max-min fairness between the streams
of a swarm. A packet or two of a flow that has nothing else waiting goes between the bursts of others, as in a fair
queue with sparse flows first: it takes its time on the link, but does not wait for a whole round.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from p2p.simulation.agenda import Agenda

BURST_TIME: Final = 0.02
"""Seconds of a link's time that one flow's turn takes: short beside a round trip, long enough that events stay few."""

MIN_BURST: Final = 4_096
MAX_BURST: Final = 262_144
"""Bytes in a burst, at the least (events stay few on slow links) and at the most (memory stays small on fast ones)."""

SPARSE: Final = 2_920
"""Bytes that do not wait for a round: two packets."""


class Flow(Protocol):
    """What has packets for a link. The link alone sets `waiting`: whether it has this flow in its round."""

    waiting: bool
    packets: list[Any]
    """In order. What the link did not carry at once waits here."""

    opens_at: float
    """Where `take` gives nothing although packets wait: when it will again."""

    def take(self, limit: int, now: float) -> tuple[list[Any], int]:
        """The next burst and its bytes, about `limit` of them."""

    def carried(self, burst: list[Any], size: int, until: float) -> None:
        """The link has the burst's last byte through at `until`, which is now or soon."""


class Link:
    """One direction of a host's access. `carried` counts the bytes so far."""

    __slots__ = ("_agenda", "_busy", "_flows", "_free_at", "_patience", "_rate", "burst", "carried", "changes")

    def __init__(self, agenda: Agenda, rate: float | None) -> None:
        self._agenda = agenda
        self._flows: deque[Flow] = deque()
        self._busy = False
        self._free_at = 0.0
        self.carried = 0
        self.burst = MAX_BURST
        """Bytes that one flow may carry in its turn."""
        self.changes = 0
        """How often the rate was set."""
        self._rate: float | None = None
        self._patience = 0.0
        self.rate = rate

    @property
    def rate(self) -> float | None:
        """Bytes a second, None for no limit. It may change at any time: the burst under way is the last at the old."""
        return self._rate

    @rate.setter
    def rate(self, rate: float | None) -> None:
        self._rate = rate
        self.changes += 1
        if rate is None:
            self.burst = MAX_BURST
            self._patience = 0.0
        else:
            self.burst = min(max(int(rate * BURST_TIME), MIN_BURST), MAX_BURST)
            self._patience = self.burst / rate

    def offer(self, flow: Flow, packets: list[Any], size: int) -> None:
        """Carry packets of `size` bytes in all behind the others of their flow."""
        if flow.waiting:
            flow.packets += packets
            return
        now = self._agenda.now
        rate = self._rate
        if size <= SPARSE and (rate is None or self._free_at <= now + self._patience):
            until = now
            if rate is not None:
                took = size / rate
                until += took
                self._free_at = max(now, self._free_at) + took
            self.carried += size
            flow.carried(packets, size, until)
            return
        flow.packets += packets
        flow.waiting = True
        self._flows.append(flow)
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        if self._busy:
            return
        if self._free_at <= now or self._rate is None:
            self._serve()
        else:
            self._busy = True
            self._agenda.plan(self._free_at, self._serve)

    def _serve(self) -> None:
        """Give turns until the link is busy with one, or nobody has anything."""
        now = self._agenda.now
        flows = self._flows
        self._busy = True  # what comes while a burst is handed on waits for its turn
        while flows:
            flow = flows.popleft()
            burst, size = flow.take(self.burst, now)
            if not burst:
                if flow.packets:
                    self._agenda.plan(flow.opens_at, self._resume, flow)
                else:
                    flow.waiting = False
                continue
            until = now
            if self._rate is not None:
                until = self._free_at = max(now, self._free_at) + size / self._rate
            if flow.packets:
                flows.append(flow)
            else:
                flow.waiting = False
            self.carried += size
            flow.carried(burst, size, until)
            if until > now:
                if flows:
                    self._agenda.plan(until, self._serve)
                else:
                    self._busy = False
                return
        self._busy = False

    def _resume(self, flow: Flow) -> None:
        self._flows.append(flow)
        self._go_on(self._agenda.now)
