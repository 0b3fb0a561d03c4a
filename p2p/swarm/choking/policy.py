"""What a choking policy is to those who ask it. `Choker` is one, and the base of most others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from p2p.swarm.choker import ChokePeer, ChokeRound, ChokerSnapshot


class ChokingPolicy(Protocol):
    """Decides who is unchoked in one torrent. Only its rounds and fills unchoke anybody; see `Choker`."""

    @property
    def slots(self) -> int:
        """Regular slots; one optimistic slot comes on top."""

    @property
    def next_round(self) -> float:
        """When the next round is due."""

    def set_slots(self, slots: int | None) -> None: ...

    def hold(self, most: int | None) -> None: ...

    def round(
        self,
        peers: Sequence[ChokePeer],
        now: float,
        rng: Random,
        *,
        seeding: bool,
        upload_rate: float,
        upload_limit: float | None,
    ) -> ChokeRound: ...

    def fill(self, peers: Sequence[ChokePeer], now: float, rng: Random, *, seeding: bool) -> ChokeRound: ...

    def snapshot(self) -> ChokerSnapshot: ...


class PolicyFactory(Protocol):
    """Makes the policy of a torrent. `slots` fixes the number of regular slots; None leaves it to the policy."""

    def __call__(self, *, slots: int | None) -> ChokingPolicy: ...
