"""Which goals of seeding hold for each torrent: its own, the session's, or none.

The rule: the engine is told the goals that hold, and ends a seeding by itself; here they are worked out anew only for a
torrent whose wishes have changed, and for all when the session's have. Who starts a torrent that has reached its ratio
or its time wants it seeded on: that goal is taken from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.ports import UNCHANGED, GoalMode
from p2p.session.goals import Goals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.ports import TorrentChange
    from p2p.daemon.session_values import SessionValues

SETTINGS: Final = (
    "idle_seeding_limit",
    "idle_seeding_limit_enabled",
    "seed_ratio_limit",
    "seed_ratio_limited",
    "starling_seed_time_limit",
    "starling_seed_time_limited",
)
"""The keys that this applies."""

_WISHES: Final = {
    "seed_idle_limit": "seed_idle_limit",
    "seed_idle_mode": "seed_idle_mode",
    "seed_ratio_limit": "seed_ratio_limit",
    "seed_ratio_mode": "seed_ratio_mode",
    "starling_seed_time_limit": "seed_time_limit",
    "starling_seed_time_mode": "seed_time_mode",
}
"""What a client changes, and the wish that it is."""

MINUTE: Final = 60.0


def chosen(mode: GoalMode, own: float, session: float | None) -> float | None:
    """The limit that holds; None for none."""
    match mode:
        case GoalMode.GLOBAL:
            return session
        case GoalMode.OWN:
            return own
        case GoalMode.UNLIMITED:
            return None


class GoalKeeper:
    """See the module's head. `torrents` are all there are."""

    def __init__(self, values: SessionValues, torrents: Iterable[ManagedTorrent]) -> None:
        self._values = values
        self._torrents = torrents
        self._session = self._read()
        """What the session's settings come to: ratio, minutes idle, minutes in all."""

    def hold(self, managed: ManagedTorrent) -> None:
        """Let the goals hold that the torrent's wishes and the session's settings come to."""
        managed.torrent.set_goals(self._goals(managed))

    def change(self, managed: ManagedTorrent, change: TorrentChange) -> None:
        """What a client says of the torrent's own."""
        for name, wish in _WISHES.items():
            value = getattr(change, name)
            if value is not UNCHANGED:
                setattr(managed.wishes, wish, value)
        self.hold(managed)

    def on_start(self, managed: ManagedTorrent) -> None:
        """A client starts it."""
        wishes, torrent = managed.wishes, managed.torrent
        goals = self._goals(managed)
        if torrent.metainfo is None or managed.left_until_done:
            return
        if goals.ratio is not None and managed.uploaded_ever >= goals.ratio * managed.size_when_done:
            wishes.seed_ratio_mode = GoalMode.UNLIMITED
        if goals.time_in_all is not None and managed.seconds_seeding >= goals.time_in_all:
            wishes.seed_time_mode = GoalMode.UNLIMITED
        self.hold(managed)

    async def apply(self, changes: Mapping[str, Json]) -> None:  # noqa: ARG002 - all goals are worked out anew
        self._session = self._read()
        for managed in list(self._torrents):
            self.hold(managed)

    def _goals(self, managed: ManagedTorrent) -> Goals:
        wishes = managed.wishes
        ratio, idle, time = self._session
        idle = chosen(wishes.seed_idle_mode, wishes.seed_idle_limit, idle)
        time = chosen(wishes.seed_time_mode, wishes.seed_time_limit, time)
        return Goals(
            ratio=chosen(wishes.seed_ratio_mode, wishes.seed_ratio_limit, ratio),
            idle=None if idle is None else idle * MINUTE,
            time_in_all=None if time is None else time * MINUTE,
        )

    def _read(self) -> tuple[float | None, float | None, float | None]:
        return (
            self._limit("seed_ratio_limit", "seed_ratio_limited"),
            self._limit("idle_seeding_limit", "idle_seeding_limit_enabled"),
            self._limit("starling_seed_time_limit", "starling_seed_time_limited"),
        )

    def _limit(self, limit: str, switch: str) -> float | None:
        return self._values.number(limit) if self._values.flag(switch) else None
