"""The session in a line: rates, limits, counts, and the room on disk. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.quantities import format_rate, format_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.client_values import Space, Statistics
    from p2p.daemon.names import Json

KILO = 1_000
"""Bytes in the kilobyte of the RPC's limits."""


def figures_of(place: str, statistics: Statistics, settings: Mapping[str, Json]) -> str:
    """The first line of the screen."""
    slow = settings.get("alt_speed_enabled") is True
    down = _limit(settings, "down", slow=slow)
    up = _limit(settings, "up", slow=slow)
    active = f"{statistics.active_torrent_count:,} active, {statistics.paused_torrent_count:,} stopped"
    return "  ".join(
        part
        for part in (
            f"▼ {format_rate(statistics.download_speed)}{down}",
            f"▲ {format_rate(statistics.upload_speed)}{up}",
            "slow" if slow else "",
            active,
            place,
        )
        if part
    )


def room_of(space: Space | None) -> str:
    """What is free where downloads go; empty where nobody knows."""
    return "" if space is None else f"{format_size(space.free)} free"


def _limit(settings: Mapping[str, Json], way: str, *, slow: bool) -> str:
    name = f"alt_speed_{way}" if slow else f"speed_limit_{way}"
    limit = settings.get(name)
    if not isinstance(limit, int) or not (slow or settings.get(f"{name}_enabled") is True):
        return ""
    return f" (of {format_rate(limit * KILO)})"
