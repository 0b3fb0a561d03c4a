"""How leechers of a simulated swarm misbehave: production sessions with other settings, disk or policy, and intruders.

The rule: a behaviour is a change of settings or of the disk where one will do, so that all else about such a peer is
what users run. Only who never shares at all is a script (`p2p.simulation.intruders`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from p2p.simulation.intruders import CROWD, crowd, flood
from p2p.swarm.choker import ROUND_INTERVAL, ChokeRound, ChokerSnapshot
from p2p.swarm.choking import POLICIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from p2p.simulation.intruders import IntruderScript
    from p2p.swarm.choker import ChokePeer
    from p2p.swarm.choking.policy import PolicyFactory

FREE_RIDER: Final = "free-rider"

TRICKLE: Final = 512.0
"""Bytes a second: a block in half a minute."""


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

    lies: bool = False
    """What it sends is not what it has. Others ban it, so nobody waits until it is done."""

    leaves_when_done: bool = False
    script: IntruderScript | None = None
    """What it does in place of a session; then it downloads nothing, and nobody waits until it is done."""

    lines: int = 1
    """Identities by which a script calls each session."""

    @property
    def awaited(self) -> bool:
        """Whether a swarm goes on until it is done."""
        return not self.lies and self.script is None


AS_WE_ARE: Final = Behaviour()

BEHAVIOURS: Final[Mapping[str, Behaviour]] = MappingProxyType(
    {
        FREE_RIDER: Behaviour(settings={"choking": FREE_RIDER}, idle=True),
        "liar": Behaviour(lies=True, idle=True),
        "snubber": Behaviour(settings={"limit_up": 0.0}, idle=True),
        "trickler": Behaviour(settings={"limit_up": TRICKLE}, idle=True),
        "leaver": Behaviour(leaves_when_done=True),
        "flooder": Behaviour(script=flood, idle=True),
        "sybils": Behaviour(script=crowd, lines=CROWD, idle=True),
    }
)
"""A snubber unchokes and sends nothing, a trickler next to nothing; sybils are many identities on one host."""

CHOKING: Final[Mapping[str, PolicyFactory]] = MappingProxyType({**POLICIES, FREE_RIDER: NoUploads})
"""The choking policies of production, and those of behaviours."""
