"""When a torrent has been seeded enough. Pure.

The rule: the goal that is reached first ends the seeding. The ratio is what was uploaded to what is wanted of the
torrent, both over all runs. A torrent is idle while no payload moves, whether leechers are there and ask for nothing or
nobody is there at all: a seed that nobody needs is what the goal is for. Idleness counts from the last payload, or from
the beginning of this seeding, and never while its own limit or the session's lets nothing go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goals:
    """None for no such goal. Durations in seconds."""

    ratio: float | None = None
    idle: float | None = None
    time: float | None = None
    """Of seeding in this run."""
    time_in_all: float | None = None
    """Of seeding over all runs."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """How a torrent that is seeded stands. Sizes in bytes, durations in seconds."""

    uploaded: int
    size: int
    """Of what is wanted."""
    idle_for: float
    seeding_for: float
    """In this run."""
    seeding_in_all: float


def reached(goals: Goals, seeding: Seeding) -> str | None:
    """The goal that is reached, as a user would say it, or None."""
    if goals.ratio is not None and seeding.size and seeding.uploaded >= goals.ratio * seeding.size:
        return f"ratio {goals.ratio:g} reached"
    if goals.time is not None and seeding.seeding_for >= goals.time:
        return f"seeded for {goals.time / 60:g} min"
    if goals.time_in_all is not None and seeding.seeding_in_all >= goals.time_in_all:
        return f"seeded for {goals.time_in_all / 60:g} min in all"
    if goals.idle is not None and seeding.idle_for >= goals.idle:
        return f"idle for {goals.idle / 60:g} min"
    return None


def look_in(goals: Goals, seeding: Seeding) -> float:
    """Seconds until a goal can be reached by the passing of time alone; infinity if none can."""
    return min(
        math.inf if goals.time is None else goals.time - seeding.seeding_for,
        math.inf if goals.time_in_all is None else goals.time_in_all - seeding.seeding_in_all,
        math.inf if goals.idle is None else goals.idle - seeding.idle_for,
    )
