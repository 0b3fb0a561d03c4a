"""A torrent's part of the bandwidth: its own limits, those of the group that it is in, and the session's.

The rule: every limit that a torrent comes under holds at once, the tightest decides, and bytes are charged to all. A
torrent, or the whole group that it is in, may be let out of the session's limits; never out of its own or its group's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.session.throttle import Throttle, Weight
from p2p.swarm.rate import RateLimiter

if TYPE_CHECKING:
    from p2p.session.services import Services


class BandwidthGroup:
    """Limits that some torrents share, in bytes a second; None for none."""

    def __init__(self, now: float) -> None:
        self.down = RateLimiter(None, now)
        self.up = RateLimiter(None, now)

    def set_limits(self, *, down: float | None, up: float | None, now: float) -> None:
        self.down.set_limit(down, now)
        self.up.set_limit(up, now)


class Bandwidth:
    """See the module's head. Of one torrent, with its own limits in bytes a second."""

    def __init__(self, services: Services, *, down: float | None, up: float | None, now: float) -> None:
        self.limit_down = RateLimiter(down, now)
        self.limit_up = RateLimiter(up, now)
        self.down = Throttle(self.limit_down, services.turns_down)
        self.up = Throttle(self.limit_up, services.turns_up)
        self._services = services
        self._group: BandwidthGroup | None = None
        self._weight = Weight.NORMAL
        self._honours_session = True

    def set_limits(self, *, down: float | None, up: float | None, now: float) -> None:
        """Change the torrent's own."""
        self.limit_down.set_limit(down, now)
        self.limit_up.set_limit(up, now)

    def place(self, group: BandwidthGroup | None, weight: Weight, *, honours_session: bool) -> None:
        """Change the group that it is in, how many turns it has for each of another's, and whether the session's
        limits hold for it."""
        if (group, weight, honours_session) == (self._group, self._weight, self._honours_session):
            return
        self._group, self._weight, self._honours_session = group, weight, honours_session
        services = self._services
        down = services.turns_down if honours_session else services.free_turns_down
        up = services.turns_up if honours_session else services.free_turns_up
        self.down.place(down, None if group is None else group.down, weight)
        self.up.place(up, None if group is None else group.up, weight)
