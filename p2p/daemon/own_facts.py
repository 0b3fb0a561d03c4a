"""What our daemon tells beyond Transmission's RPC, as values: the server writes them, the client reads them, and the
schema is generated from them.

Sizes are bytes, rates bytes a second, durations seconds; times are seconds since the epoch. Counts start with the
daemon. None stands where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """`serial` rises by one with each line; `text` has no line breaks."""

    serial: int
    time: float
    level: str
    logger: str
    text: str
