"""Choking policies by name: who is unchoked, and for what.

`legout` is the default: tit for tat while leeching, turns while seeding (Legout et al. 2006 say why). The
others are there to be compared with it, by `starling simulate swarm --choker NAME`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from p2p.swarm.choker import Choker
from p2p.swarm.choking.cohen import Cohen
from p2p.swarm.choking.proportional_share import ProportionalShare
from p2p.swarm.choking.rate_based import RateBased

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.swarm.choking.policy import PolicyFactory

__all__ = ["DEFAULT", "POLICIES"]

DEFAULT: Final = "legout"

POLICIES: Final[Mapping[str, PolicyFactory]] = MappingProxyType(
    {DEFAULT: Choker, "cohen": Cohen, "rate-based": RateBased, "proportional": ProportionalShare}
)
