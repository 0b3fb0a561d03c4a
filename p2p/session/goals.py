"""When a torrent has been seeded enough. Pure."""

from __future__ import annotations


def reached(
    *, uploaded: int, size: int, seeding_for: float, seed_ratio: float | None, seed_time: float | None
) -> str | None:
    """The goal that is reached, as a user would say it, or None. Sizes in bytes, times in seconds."""
    if seed_ratio is not None and uploaded >= seed_ratio * size:
        return f"ratio {seed_ratio:g} reached"
    if seed_time is not None and seeding_for >= seed_time:
        return f"seeded for {seed_time / 60:g} min"
    return None
