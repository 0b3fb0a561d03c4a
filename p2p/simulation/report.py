"""What a run of a simulated swarm says: how soon all were done, beside what is possible, who gave what to whom.

The rule: a report is a function of the result, so the same plan gives the same report, whatever the machine.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from p2p.simulation.bound import fluid_bound
from p2p.simulation.figures import jain, median, percentile, spearman
from p2p.simulation.swarm import SEEDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.simulation.plan import SwarmPlan
    from p2p.simulation.sampling import Sample
    from p2p.simulation.swarm import PeerClass, SwarmResult


@dataclass(frozen=True, slots=True)
class Completion:
    """Seconds from a leecher's arrival until it is done, but for `last`, which is from the start; None of nobody."""

    done: int
    median: float | None
    p95: float | None
    last: float | None


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How those fared who are alike. Rates are bytes a second a peer over its download, None where nobody was done."""

    name: str
    peers: int
    completion: Completion
    rate: float | None
    """The mean rate of download of those who were done."""

    sent: int
    """Payload bytes that they sent to leechers."""

    received: int
    """Payload bytes that they received, from whomever."""

    received_from: dict[str, int]
    """The same by the sender's class."""

    done_at: tuple[float, ...]
    """When each was done, in seconds from the start, in the order they came."""

    @property
    def reciprocation(self) -> float | None:
        """What they got of leechers beside what they gave them; None of those who gave nothing."""
        given_back = self.received - self.received_from.get(SEEDERS, 0)
        return given_back / self.sent if self.sent else None


@dataclass(frozen=True, slots=True)
class SwarmReport:
    """See the module's head. Times in virtual seconds, sizes in bytes."""

    plan: SwarmPlan
    leechers: int
    """Those who are waited for: neither liars nor who only pretends to share."""

    came: int
    completion: Completion
    bound: float
    """The fluid bound, plus the time until the last had come."""

    bound_ratio: float | None
    """The last completion beside the bound; None unless all were done."""

    seed_copies: float
    """Copies that the seeders sent, in all."""

    seed_copies_first: float
    """Those before the first leecher was done."""

    jain: float | None
    """Jain's index of the rates of download, 1 where all are equal."""

    spearman: float | None
    """How far the rank of a leecher's download followed that of its upload until the first was done, -1 to 1."""

    uplink_use: float | None
    """The share of the leechers' uplinks that was used until the first was done; None without limits."""

    wasted: int
    corrupt: int
    correct: bool
    """Whether every byte of every leecher that is done equals the content."""

    classes: tuple[ClassReport, ...]
    samples: tuple[Sample, ...]
    ended_at: float
    events: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, in an order that is always the same."""
        plan = self.plan
        return {
            "plan": {
                "seed": plan.seed,
                "seeders": plan.seeders,
                "leechers": plan.leechers,
                "size": plan.size,
                "piece_length": plan.piece_length,
                "up": str(plan.up),
                "down": str(plan.down),
                "seed_up": plan.seed_up,
                "seed_down": plan.seed_down,
                "rtt": [plan.rtt.least, plan.rtt.most],
                "arrivals": str(plan.arrivals),
                "choker": plan.choker,
                "behaviours": str(plan.behaviours),
            },
            "leechers": self.leechers,
            "came": self.came,
            "completion": asdict(self.completion),
            "bound": self.bound,
            "bound_ratio": self.bound_ratio,
            "seed_copies": self.seed_copies,
            "seed_copies_before_first": self.seed_copies_first,
            "jain": self.jain,
            "spearman": self.spearman,
            "uplink_use": self.uplink_use,
            "wasted": self.wasted,
            "corrupt": self.corrupt,
            "correct": self.correct,
            "classes": [{**asdict(found), "reciprocation": found.reciprocation} for found in self.classes],
            "samples": [asdict(sample) for sample in self.samples],
            "virtual_seconds": self.ended_at,
            "events": self.events,
        }


def report_on(result: SwarmResult) -> SwarmReport:
    """The report of a run."""
    plan = result.plan
    seats = [seat for seat in result.attendances if seat.member.kind.awaited]
    finished = [seat for seat in seats if seat.done_at is not None]
    all_done = len(finished) == result.awaited
    ups = [0.0 if seat.member.kind.idle else seat.member.kind.up for seat in seats]
    bound = fluid_bound(plan.size, [plan.seed_up] * plan.seeders, ups, [seat.member.kind.down for seat in seats])
    bound += max((seat.member.arrives for seat in seats), default=0.0)
    last = max(result.done_at.values(), default=0.0)
    snapshots = [result.snapshots[seat.member.name] for seat in seats]
    sent_first = [sent for sent, _ in result.rates_before_first]
    received_first = [received for _, received in result.rates_before_first]
    return SwarmReport(
        plan=plan,
        leechers=result.awaited,
        came=len(seats),
        completion=_completion(result, None),
        bound=bound,
        bound_ratio=last / bound if all_done else None,
        seed_copies=result.seeded / plan.size,
        seed_copies_first=result.seeded_before_first / plan.size,
        jain=jain([plan.size / (seat.done_at - seat.joined_at) for seat in finished if seat.done_at is not None]),
        spearman=spearman(sent_first, received_first),
        uplink_use=_uplink_use(sent_first, ups, min(result.done_at.values(), default=result.ended_at)),
        wasted=sum(snapshot.wasted for snapshot in snapshots),
        corrupt=sum(snapshot.corrupt for snapshot in snapshots),
        correct=all(result.correct[seat.member.name] for seat in finished),
        classes=tuple(_class_report(result, kind) for kind in _classes(result)),
        samples=result.samples,
        ended_at=result.ended_at,
        events=result.events,
    )


def _classes(result: SwarmResult) -> list[PeerClass]:
    """The fastest first."""
    found = {seat.member.kind.name: seat.member.kind for seat in result.attendances}
    return sorted(
        found.values(),
        key=lambda kind: (-(kind.up or float("inf")), -(kind.down or float("inf")), kind.name),
    )


def _class_report(result: SwarmResult, kind: PeerClass) -> ClassReport:
    name = kind.name
    own = [seat for seat in result.attendances if seat.member.kind.name == name]
    rates = [result.plan.size / (seat.done_at - seat.joined_at) for seat in own if seat.done_at is not None]
    taken = {giver: size for (giver, taker), size in sorted(result.traffic.items()) if taker == name}
    return ClassReport(
        name=name,
        peers=len(own),
        completion=_completion(result, name),
        rate=sum(rates) / len(rates) if rates else None,
        sent=sum(size for (giver, taker), size in result.traffic.items() if giver == name and taker != SEEDERS),
        received=sum(taken.values()),
        received_from=taken,
        done_at=tuple(seat.done_at for seat in own if seat.done_at is not None),
    )


def _completion(result: SwarmResult, kind: str | None) -> Completion:
    kinds = {seat.member.kind.name for seat in result.attendances if seat.member.kind.awaited}
    chosen = kinds if kind is None else {kind}
    seats = [seat for seat in result.attendances if seat.member.kind.name in chosen]
    times = [(seat.joined_at, seat.done_at) for seat in seats if seat.done_at is not None]
    taken = [done - joined for joined, done in times]
    last = max((done for _, done in times), default=None)
    return Completion(len(times), median(taken), percentile(taken, 0.95), last)


def _uplink_use(sent: Sequence[int], ups: Sequence[float | None], seconds: float) -> float | None:
    capacity = 0.0
    for rate in ups[: len(sent)]:
        if rate is None:
            return None
        capacity += rate * seconds
    return sum(sent) / capacity if capacity else None
