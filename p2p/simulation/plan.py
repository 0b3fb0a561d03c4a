"""What is simulated: who takes part, on which links, when they come and go, how they behave. Values alone.

The rule: everything that happens in a swarm follows from its plan, whose `seed` is the only chance there is. Which peer
has which rate and behaviour is drawn, but how many have it is exact: shares are counted out, not thrown for.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar

from p2p.quantities import format_rate, parse_rate
from p2p.session.encryption import Encryption
from p2p.simulation.behaviours import BEHAVIOURS
from p2p.simulation.errors import SimulationError
from p2p.swarm.choking import DEFAULT, POLICIES

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

T = TypeVar("T")

MOST_PEERS: Final = 10_000
"""Sessions in one process: a thousand of them take a gigabyte."""

LONGEST_TRIP: Final = 60.0
"""Seconds: connections time out soon after."""

_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%:(.+)")


def _check_shares(shares: Sequence[float], *, whole: bool) -> None:
    if any(not 0 <= share <= 1 for share in shares):
        raise SimulationError("a share lies between 0% and 100%")
    total = sum(shares)
    if total > 1 + 1e-6 or (whole and total < 1 - 1e-6):
        raise SimulationError(f"the shares make {100 * total:g}%")


@dataclass(frozen=True, slots=True)
class RateMix:
    """Rates of links in bytes a second (None: no limit), each with the share of peers that have it; shares sum to 1."""

    classes: tuple[tuple[float, float | None], ...]

    def __post_init__(self) -> None:
        _check_shares([share for share, _ in self.classes], whole=True)
        if any(rate is not None and not 0 < rate < math.inf for _, rate in self.classes):
            raise SimulationError("a link's rate is above 0")

    @classmethod
    def of(cls, rate: float | None) -> RateMix:
        """The same rate for all."""
        return cls(((1.0, rate),))

    @classmethod
    def parse(cls, text: str) -> RateMix:
        """`2MiB/s` for all, `unlimited`, or a mix as `10%:100MiB/s,90%:2MiB/s`. SimulationError for anything else."""
        if "%" not in text:
            return cls.of(_parse_rate(text))
        return cls(tuple((share, _parse_rate(rate)) for share, rate in _parse_shares(text)))

    def __str__(self) -> str:
        if len(self.classes) == 1:
            return rate_name(self.classes[0][1])
        return ",".join(f"{100 * share:g}%:{rate_name(rate)}" for share, rate in self.classes)


@dataclass(frozen=True, slots=True)
class BehaviourMix:
    """Names in `p2p.simulation.behaviours`, each with the share of leechers it has; the rest behave."""

    classes: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        _check_shares([share for share, _ in self.classes], whole=False)
        for _, name in self.classes:
            if name not in BEHAVIOURS:
                raise SimulationError(f"{name!r} is no behaviour: {', '.join(BEHAVIOURS)}")

    @classmethod
    def parse(cls, text: str) -> BehaviourMix:
        """Names and shares out of `30%:free-rider`. SimulationError for anything else."""
        return cls(tuple(_parse_shares(text)))

    @property
    def rest(self) -> float:
        """The share of those who behave."""
        return max(0.0, 1.0 - sum(share for share, _ in self.classes))

    def __str__(self) -> str:
        return ",".join(f"{100 * share:g}%:{name}" for share, name in self.classes)


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Seconds of a round trip between two peers, the least and the most: each host's share is drawn evenly."""

    least: float = 0.040
    most: float = 0.160

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most <= LONGEST_TRIP:
            raise SimulationError("a round trip goes from the least to the most, up to a minute")

    @classmethod
    def parse(cls, text: str) -> RoundTrips:
        """Milliseconds, `40` or `20-80`. SimulationError for anything else."""
        low, dash, high = text.removesuffix("ms").partition("-")
        try:
            return cls(float(low) / 1_000, float(high if dash else low) / 1_000)
        except ValueError as error:
            raise SimulationError(f"{text!r} is no round trip: write it like 20-80, in milliseconds") from error


class ArrivalKind(Enum):
    """How leechers come."""

    FLASH = "flash"
    """All at once."""
    OVER = "over"
    """Evenly over so many seconds."""
    POISSON = "poisson"
    """As independent events, so many a second on average."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When leechers come. `number` is seconds for OVER, leechers a second for POISSON."""

    kind: ArrivalKind = ArrivalKind.FLASH
    number: float = 0.0

    def __post_init__(self) -> None:
        if self.kind is not ArrivalKind.FLASH and not 0 < self.number < math.inf:
            raise SimulationError("arrivals take a number above 0: seconds, or leechers a second")

    @classmethod
    def parse(cls, text: str) -> Arrivals:
        """`flash`, `over:SECONDS` or `poisson:LEECHERS_A_SECOND`. SimulationError for anything else."""
        name, _, number = text.partition(":")
        try:
            kind = ArrivalKind(name)
            return cls(kind, float(number) if kind is not ArrivalKind.FLASH or number else 0.0)
        except ValueError as error:
            raise SimulationError(f"{text!r} is no way to arrive: flash, over:SECONDS or poisson:A_SECOND") from error

    def times(self, count: int, rng: random.Random) -> list[float]:
        """Seconds from the start at which each of `count` leechers comes, rising."""
        match self.kind:
            case ArrivalKind.FLASH:
                return [0.0] * count
            case ArrivalKind.OVER:
                return [self.number * index / count for index in range(count)]
            case ArrivalKind.POISSON:
                now = 0.0
                times = []
                for _ in range(count):
                    now += rng.expovariate(self.number)
                    times.append(now)
                return times

    def __str__(self) -> str:
        return self.kind.value if self.kind is ArrivalKind.FLASH else f"{self.kind.value}:{self.number:g}"


_UP: Final = RateMix.of(1 << 20)
_DOWN: Final = RateMix.of(10 << 20)


@dataclass(frozen=True, slots=True)
class SwarmPlan:
    """What is simulated. Sizes in bytes, rates in bytes a second (None: no limit), times in seconds."""

    seed: int
    leechers: int
    seeders: int = 1
    size: int = 16 << 20
    piece_length: int = 256 << 10
    up: RateMix = _UP
    down: RateMix = _DOWN
    """Of the leechers. Where both are mixes, the peers first in one are first in the other."""

    seed_up: float | None = 1 << 20
    seed_down: float | None = 10 << 20
    rtt: RoundTrips = RoundTrips()
    arrivals: Arrivals = Arrivals()
    behaviours: BehaviourMix = BehaviourMix()
    choker: str = DEFAULT
    """The choking policy of all who behave, by its name in `p2p.swarm.choking`."""

    seed_leaves_after: float | None = None
    """Seconds after which the seeders leave; None for never."""

    leave_after: float | None = None
    """Seconds that a leecher stays once it is done; None for as long as the others need."""

    limit_up: float | None = None
    """A limit set in each session, beside what its link carries."""

    limit_down: float | None = None
    tracker: str = "http"
    """`http` or `udp`."""

    encryption: Encryption = Encryption.OFF
    """Of every session. It costs time to compute and changes nothing that a swarm is simulated for."""

    give_up_after: float = 3_600.0

    def __post_init__(self) -> None:
        if self.leechers < 1 or self.seeders < 1:
            raise SimulationError("a swarm has a seeder and a leecher at least")
        if self.leechers + self.seeders > MOST_PEERS:
            raise SimulationError(f"a swarm has {MOST_PEERS:,} peers at most")
        if self.size < 1:
            raise SimulationError("there is nothing to share")
        if self.choker not in POLICIES:
            raise SimulationError(f"{self.choker!r} is no choking policy: {', '.join(POLICIES)}")


def count_out(shares: Sequence[tuple[float, T]], count: int) -> list[T]:
    """`count` items in the order of `shares`, as many of each as its share says; the parts sum to the whole."""
    items: list[T] = []
    reached = 0.0
    for share, item in shares:
        reached += share
        items += [item] * (round(reached * count) - len(items))
    return items


def rate_name(rate: float | None) -> str:
    """A link's rate for people."""
    return "unlimited" if rate is None else format_rate(rate)


def _parse_rate(text: str) -> float | None:
    if text.strip().lower() == "unlimited":
        return None
    try:
        return parse_rate(text)
    except ValueError as error:
        raise SimulationError(str(error)) from error


def _parse_shares(text: str) -> list[tuple[float, str]]:
    shares = []
    for part in text.split(","):
        found = _SHARE.fullmatch(part.strip())
        if found is None:
            raise SimulationError(f"{part!r} is no share: write it like 10%:VALUE")
        shares.append((float(found[1]) / 100, found[2].strip()))
    return shares
