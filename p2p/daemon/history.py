"""Rates over time, of the session and of the torrents that move something, in memory of fixed size.

The rule: a ring holds means over equal steps; a step in which nothing was told is one of silence. The session's rings
take 22 KiB, a torrent's 5 KiB, and there are at most MAX_TORRENTS of those: under 4 MB in all. Pure: time is given.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from p2p.daemon.own_facts import RateHistory, RateSeries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SESSION_STEPS: Final = ((1.0, 600), (10.0, 720), (60.0, 1440))
"""Seconds of a step, and how many are kept: ten minutes, two hours, a day."""

TORRENT_STEPS: Final = ((1.0, 300), (10.0, 360))
"""Five minutes, an hour."""

MAX_TORRENTS: Final = 500
"""Torrents whose rates are kept; whoever moved nothing for longest goes."""


class RateRing:
    """The last `count` steps of `interval` seconds."""

    def __init__(self, interval: float, count: int, now: float) -> None:
        self.interval = interval
        self._count = count
        self._down = array("f")
        self._up = array("f")
        self._next = 0
        """Where the oldest stands, once the ring is full."""
        self._step = int(now // interval)
        """The step that is open."""
        self._sums = [0.0, 0.0]
        self._told = 0

    def add(self, down: float, up: float, now: float) -> None:
        """The rates now. Told about once a second."""
        self._turn(now)
        self._sums[0] += down
        self._sums[1] += up
        self._told += 1

    def _turn(self, now: float) -> None:
        step = int(now // self.interval)
        if step <= self._step:
            return
        told = self._told or 1
        self._append(self._sums[0] / told, self._sums[1] / told)
        for _ in range(min(step - self._step - 1, self._count)):
            self._append(0.0, 0.0)
        self._step = step
        self._sums = [0.0, 0.0]
        self._told = 0

    def _append(self, down: float, up: float) -> None:
        if len(self._down) < self._count:
            self._down.append(down)
            self._up.append(up)
            return
        self._down[self._next] = down
        self._up[self._next] = up
        self._next = (self._next + 1) % self._count

    def series(self, now: float, wall: float) -> RateSeries:
        """What is kept; `wall` is the date that `now` is."""
        self._turn(now)
        return RateSeries(
            interval=self.interval,
            end=round(wall - (now - self._step * self.interval), 3),
            down=self._in_order(self._down),
            up=self._in_order(self._up),
        )

    def _in_order(self, values: Sequence[float]) -> tuple[int, ...]:
        return tuple(map(int, (*values[self._next :], *values[: self._next])))


def _rings(steps: Sequence[tuple[float, int]], now: float) -> tuple[RateRing, ...]:
    return tuple(RateRing(interval, count, now) for interval, count in steps)


class History:
    """See the module's head."""

    def __init__(self, now: float) -> None:
        self._session = _rings(SESSION_STEPS, now)
        self._torrents: OrderedDict[int, tuple[RateRing, ...]] = OrderedDict()

    def on_rates(self, down: int, up: int, active: Mapping[int, tuple[int, int]], now: float) -> None:
        """The session's rates, and those of the torrents that move something, about once a second."""
        for ring in self._session:
            ring.add(down, up, now)
        for number, (torrent_down, torrent_up) in active.items():
            rings = self._torrents.get(number)
            if rings is None:
                rings = self._torrents[number] = _rings(TORRENT_STEPS, now)
            else:
                self._torrents.move_to_end(number)
            for ring in rings:
                ring.add(torrent_down, torrent_up, now)
        while len(self._torrents) > MAX_TORRENTS:
            self._torrents.popitem(last=False)

    def forget(self, number: int) -> None:
        """A torrent has gone."""
        self._torrents.pop(number, None)

    def of_session(self, now: float, wall: float) -> RateHistory:
        return RateHistory(None, tuple(ring.series(now, wall) for ring in self._session))

    def of_torrent(self, number: int, now: float, wall: float) -> RateHistory:
        """Empty for one that has moved nothing for long."""
        return RateHistory(number, tuple(ring.series(now, wall) for ring in self._torrents.get(number, ())))
