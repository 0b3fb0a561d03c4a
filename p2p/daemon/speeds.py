"""The session's limits of rates: the usual ones, the alternative ones, and which of them hold.

The rule: `alt_speed_enabled` says which hold, whoever has set it: a client, or the schedule. While there is a schedule
it is looked at once a minute, as the clock on the wall may be put forward or back at any time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.daemon.schedule import Schedule, Switch, local_time, look_in
from p2p.daemon.session_values import KILO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues

_SCHEDULE: Final = (
    "alt_speed_time_begin",
    "alt_speed_time_day",
    "alt_speed_time_enabled",
    "alt_speed_time_end",
)

SETTINGS: Final = (
    "alt_speed_down",
    "alt_speed_enabled",
    *_SCHEDULE,
    "alt_speed_up",
    "speed_limit_down",
    "speed_limit_down_enabled",
    "speed_limit_up",
    "speed_limit_up_enabled",
)
"""The keys that this applies."""

LEAST_WAIT: Final = 0.1
"""Seconds: the loop's clock may come round a moment before the wall's."""


class Speeds:
    """See the module's head. `wall` is seconds since the epoch, `zone` where the clock hangs, None for the machine's;
    `set_limits` takes the bytes a second down and up that hold, None for no limit."""

    def __init__(
        self,
        values: SessionValues,
        *,
        wall: Callable[[], float],
        zone: tzinfo | None,
        set_limits: Callable[[float | None, float | None], None],
    ) -> None:
        self._values = values
        self._wall = wall
        self._zone = zone
        self._set_limits = set_limits
        self._switch = Switch()
        self._wake = asyncio.Event()

    async def apply(self, changes: Mapping[str, Json]) -> None:
        if any(name in changes for name in _SCHEDULE):
            self._switch.forget()
            self._look("alt_speed_enabled" in changes)
            self._wake.set()
        self._hold()

    async def run(self) -> None:
        """Follow the clock, until cancelled."""
        self._switch.forget()
        while True:
            self._wake.clear()
            if self._look(chosen=False):
                self._hold()
            if self._schedule() is None:
                await self._wake.wait()
            else:
                await asyncio.sleep(max(look_in(self._wall()), LEAST_WAIT))

    def _look(self, chosen: bool) -> bool:  # noqa: FBT001
        """Switch as the schedule says, but for what a client has chosen in the same breath; whether it did."""
        said = self._switch.round(self._schedule(), local_time(self._wall(), self._zone))
        if said is None or chosen:
            return False
        self._values.note("alt_speed_enabled", said)
        return True

    def _schedule(self) -> Schedule | None:
        values = self._values
        if not values.flag("alt_speed_time_enabled"):
            return None
        return Schedule(
            begin=int(values.number("alt_speed_time_begin")),
            end=int(values.number("alt_speed_time_end")),
            days=int(values.number("alt_speed_time_day")),
        )

    def _hold(self) -> None:
        values = self._values
        if values.flag("alt_speed_enabled"):
            self._set_limits(values.number("alt_speed_down") * KILO, values.number("alt_speed_up") * KILO)
        else:
            self._set_limits(values.rate("speed_limit_down"), values.rate("speed_limit_up"))
