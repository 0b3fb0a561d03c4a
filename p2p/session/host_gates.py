"""Whose turn it is to talk to which tracker host: for all torrents of a session, whether they are one or ten thousand.

The rule: who waits is an entry in a line, not a task. A host is asked by a few at a time, and hosts take turns, so that
the torrents of one keep nobody of another waiting. Announces begin no faster than a pace, those of torrents that want
peers first, so that a start is no storm. A host that has not answered yet is tried by one caller, one that keeps its
callers waiting is left alone for a while, and who waits for long counts no more among those at once: so dead trackers
cost little and starve nobody.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from p2p.errors import TrackerError
from p2p.session.tracker_health import TrackerHealth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PER_HOST: Final = 4
"""Announces to one tracker host at once. More gain nothing and look like an attack."""

AT_ONCE: Final = 64
"""Announces of a session at once: each is a connection, which home routers track by the hundred. Those that have waited
for SLOW_FAILURE seconds do not count, or a few dead hosts would hold all of them."""

MOST_AT_ONCE: Final = 256
"""Announces at once, slow ones counted."""

PACE: Final = 40.0
"""Announces that may begin in a second, after the first BURST. Each costs one to two milliseconds, so that a start of
thousands leaves the session nine tenths of its time; at the usual interval this is the pace of 72,000 torrents."""

BURST: Final = 40.0

SLOW_FAILURE: Final = 5.0
"""Seconds. A failure that took longer kept others waiting; a quick refusal did not."""
SLOW_FAILURES: Final = 3
"""Slow failures in a row before a host is left alone."""
SILENT_FAILURES: Final = 2
"""The same for a host that has never answered."""
PAUSE: Final = 60.0
"""Seconds a host is left alone at first; doubled while it stays dead."""
PAUSE_MAX: Final = 600.0
"""Seconds. A third of the usual interval: what a host that came back can have missed."""


class Haste(Enum):
    """Who goes first, and who keeps the pace."""

    FAREWELL = "farewell"
    """Goes before all others, and at no pace: whoever says it is about to end."""
    WANTING = "wants peers"
    ROUTINE = "routine"


class Outcome(Enum):
    """How a turn ended."""

    GOOD = "answered"
    FAILED = "failed"
    NONE = "given up"
    """By ourselves, which says nothing of the host."""


class Caller(Protocol):
    """Who waits for a turn. Exactly one of the two is called, never from within `HostGates.ask`."""

    def on_turn(self) -> None:
        """It is time; `HostGates.leave` ends the turn."""

    def on_refused(self, error: TrackerError) -> None:
        """There is no turn: the host is left alone."""


@dataclass(slots=True)
class _Since:
    """Since when a turn lasts, and what will note that it is a slow one."""

    began: float
    timer: asyncio.TimerHandle
    slow: bool = False


@dataclass(slots=True)
class _Gate:
    under_way: dict[Caller, _Since] = field(default_factory=dict)
    """Whose turn it is."""
    lines: dict[Haste, deque[Caller]] = field(default_factory=dict)
    answered: bool = False
    slow_failures: int = 0
    pause: float = PAUSE
    closed_until: float = -math.inf

    @property
    def idle(self) -> bool:
        return not self.under_way and not any(self.lines.values()) and not self.slow_failures


class HostGates:
    """See the module's head. `per_host` and `at_once` are turns at the same time, `pace` is turns a second."""

    def __init__(self, *, per_host: int = PER_HOST, at_once: int = AT_ONCE, pace: float = PACE) -> None:
        self._per_host = per_host
        self._at_once = at_once
        self._pace = pace
        self.health = TrackerHealth()
        self._gates: dict[str, _Gate] = {}
        self._ready: dict[Haste, dict[str, None]] = {haste: {} for haste in Haste}
        """Hosts whose next caller could go, in the order of their turns."""
        self._under_way = 0
        self._slow = 0
        """How many of those under way are slow."""
        self._next_at = -math.inf
        """When the next may begin by the pace; as long ago as the burst that is left is long."""
        self._timer: asyncio.Handle | None = None

    def ask(self, host: str, caller: Caller, haste: Haste) -> None:
        """Wait for a turn with `host`, behind those who ask in the same haste."""
        gate = self._gates.setdefault(host, _Gate())
        gate.lines.setdefault(haste, deque()).append(caller)
        self._on_gate(host, gate)
        self._serve_soon()

    def forget(self, host: str, caller: Caller) -> bool:
        """Wait no more. False if it did not wait: its turn has come, or there is none."""
        gate = self._gates.get(host)
        for line in () if gate is None else gate.lines.values():
            if caller in line:
                line.remove(caller)
                self._on_gate(host, self._gates[host])
                return True
        return False

    def leave(self, host: str, caller: Caller, outcome: Outcome) -> None:
        """A turn is over."""
        now = asyncio.get_running_loop().time()
        gate = self._gates[host]
        since = gate.under_way.pop(caller)
        since.timer.cancel()
        self._under_way -= 1
        self._slow -= since.slow
        if outcome is Outcome.FAILED and now - since.began >= SLOW_FAILURE:
            self._on_slow_failure(gate, now)
        elif outcome is not Outcome.NONE:
            gate.answered, gate.slow_failures, gate.pause = True, 0, PAUSE
        self._on_gate(host, gate)
        self._serve_soon()

    @asynccontextmanager
    async def turn(self, host: str, haste: Haste = Haste.FAREWELL) -> AsyncIterator[None]:
        """Wait for a turn with `host`, and have it. Raises TrackerError while the host is left alone."""
        caller = _Waiting(asyncio.get_running_loop().create_future())
        self.ask(host, caller, haste)
        try:
            await caller.future
        except asyncio.CancelledError:
            if not self.forget(host, caller) and caller.had_turn:
                self.leave(host, caller, Outcome.NONE)  # the turn came in the same moment as the cancel
            raise
        outcome = Outcome.NONE
        try:
            yield
            outcome = Outcome.GOOD
        except TrackerError:
            outcome = Outcome.FAILED
            raise
        finally:
            self.leave(host, caller, outcome)

    def close(self) -> None:
        """Give no turn any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._at_once = 0

    # -- whose turn

    def _on_gate(self, host: str, gate: _Gate) -> None:
        """Something about a host is other than it was: who of its callers could go?"""
        most = self._per_host if gate.answered and not gate.slow_failures else 1
        may = len(gate.under_way) < most or gate.closed_until > asyncio.get_running_loop().time()
        for haste, ready in self._ready.items():
            if may and gate.lines.get(haste):
                ready.setdefault(host)
            else:
                ready.pop(host, None)
        if gate.idle:
            self._gates.pop(host, None)

    def _serve_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            host, haste = self._next()
            if host is None:
                return
            gate = self._gates[host]
            if gate.closed_until > now:
                self._refuse(host, gate)
                continue
            if self._under_way - self._slow >= self._at_once or self._under_way >= MOST_AT_ONCE:
                return
            if haste is not Haste.FAREWELL:
                if self._next_at > now:
                    self._timer = loop.call_at(self._next_at, self._serve)
                    return
                self._next_at = max(self._next_at, now - BURST / self._pace) + 1.0 / self._pace
            caller = gate.lines[haste].popleft()
            gate.under_way[caller] = _Since(now, loop.call_later(SLOW_FAILURE, self._on_slow, gate, caller))
            self._under_way += 1
            del self._ready[haste][host]  # the other hosts have their turn first
            self._on_gate(host, gate)
            caller.on_turn()

    def _next(self) -> tuple[str | None, Haste]:
        for haste, ready in self._ready.items():
            for host in ready:
                return host, haste
        return None, Haste.ROUTINE

    def _refuse(self, host: str, gate: _Gate) -> None:
        refused = [caller for line in gate.lines.values() for caller in line]
        gate.lines.clear()
        self._on_gate(host, gate)
        for caller in refused:
            caller.on_refused(TrackerError(f"{host} has not been answering"))

    def _on_slow(self, gate: _Gate, caller: Caller) -> None:
        gate.under_way[caller].slow = True
        self._slow += 1
        self._serve_soon()

    def _on_slow_failure(self, gate: _Gate, now: float) -> None:
        gate.slow_failures += 1
        most = SLOW_FAILURES if gate.answered else SILENT_FAILURES
        if gate.slow_failures < most:
            return
        gate.closed_until = now + gate.pause
        gate.pause = min(2 * gate.pause, PAUSE_MAX)
        gate.slow_failures = most - 1  # after the pause, one more is enough


class _Waiting:
    """A caller that is a coroutine."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future
        self.had_turn = False

    def on_turn(self) -> None:
        self.had_turn = True
        if not self.future.done():
            self.future.set_result(None)

    def on_refused(self, error: TrackerError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
