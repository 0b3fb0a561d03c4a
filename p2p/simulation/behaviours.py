"""How leechers of a simulated swarm misbehave: production sessions with other settings or another policy.

The rule: a behaviour is a change of settings, so that all else about such a peer is what users run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from p2p.swarm.choker import ROUND_INTERVAL, ChokeRound, ChokerSnapshot
from p2p.swarm.choking import POLICIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from p2p.swarm.choker import ChokePeer
    from p2p.swarm.choking.policy import PolicyFactory

FREE_RIDER: Final = "free-rider"


class NoUploads:
    """A choking policy that unchokes nobody."""

    def __init__(self, *, slots: int | None) -> None:
        del slots  # it has none, whatever the user says
        self.next_round = -math.inf

    @property
    def slots(self) -> int:
        return 0

    def set_slots(self, slots: int | None) -> None:
        """It has none, whatever the user says."""

    def hold(self, most: int | None) -> None:
        """Fewer than none there cannot be."""

    def round(
        self,
        peers: Sequence[ChokePeer],
        now: float,
        rng: Random,  # noqa: ARG002 - the port's shape
        *,
        seeding: bool,  # noqa: ARG002
        upload_rate: float,  # noqa: ARG002
        upload_limit: float | None,  # noqa: ARG002
    ) -> ChokeRound:
        self.next_round = now + ROUND_INTERVAL
        return ChokeRound((), tuple(peer.key for peer in peers if not peer.choked), None, 0)

    def fill(
        self,
        peers: Sequence[ChokePeer],  # noqa: ARG002 - the port's shape
        now: float,  # noqa: ARG002
        rng: Random,  # noqa: ARG002
        *,
        seeding: bool,  # noqa: ARG002
    ) -> ChokeRound:
        return ChokeRound((), (), None, 0)

    def snapshot(self) -> ChokerSnapshot:
        return ChokerSnapshot(slots=0, optimistic=None, next_round=self.next_round, next_optimistic=None)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What sets such a leecher apart."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Settings` and their values."""

    idle: bool = False
    """Its uplink is of no use to others."""


BEHAVIOURS: Final[Mapping[str, Behaviour]] = MappingProxyType(
    {FREE_RIDER: Behaviour(settings={"choking": FREE_RIDER}, idle=True)}
)

CHOKING: Final[Mapping[str, PolicyFactory]] = MappingProxyType({**POLICIES, FREE_RIDER: NoUploads})
"""The choking policies of production, and those of behaviours."""
