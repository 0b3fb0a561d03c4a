"""How fast a swarm can be at best: the fluid bound, which no protocol beats (Kumar and Ross 2006).

Content of F bytes reaches the last of N peers no sooner than the seeders can send it once, than the slowest link takes
it in, and than all uplinks together can send N copies.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def fluid_bound(
    size: int, seed_ups: Sequence[float | None], ups: Sequence[float | None], downs: Sequence[float | None]
) -> float:
    """Seconds: max(F/u_s, F/d_min, N F/(u_s + sum u_i)). Rates in bytes a second, None for no limit.

    `ups` has a 0 for those who never upload.
    """
    seeded = sum(_rate(rate) for rate in seed_ups)
    offered = seeded + sum(_rate(rate) for rate in ups)
    slowest = min((_rate(rate) for rate in downs), default=math.inf)
    return max(size / seeded, size / slowest, len(downs) * size / offered)


def _rate(rate: float | None) -> float:
    return math.inf if rate is None else rate
