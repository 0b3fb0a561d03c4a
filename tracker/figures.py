"""How a tracker does, in numbers: what its status page, its JSON and its metrics are made of.

The rule: frontends count with plain integers and nothing more; everything else is worked out when somebody asks. The
counts of several processes add up to those of one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.private.gate import GateTotals
    from tracker.store import Totals

SAMPLES: Final = 12
SAMPLE_PERIOD: Final = 5.0
"""Seconds between samples; all of them together are the minute over which rates are averages."""


class Traffic(NamedTuple):
    """What was answered since the start, and the connections that are open now."""

    http_announces: int = 0
    http_scrapes: int = 0
    http_refusals: int = 0
    """Announces and scrapes answered with a failure; they are counted as announces and scrapes too."""
    http_connections: int = 0
    http_open: int = 0
    udp_connects: int = 0
    udp_announces: int = 0
    udp_scrapes: int = 0
    udp_refusals: int = 0
    udp_dropped: int = 0
    """Datagrams without an answer: forged, stale or no tracker's."""

    @property
    def announces(self) -> int:
        return self.http_announces + self.udp_announces

    @property
    def scrapes(self) -> int:
        return self.http_scrapes + self.udp_scrapes


class SwarmFigures(NamedTuple):
    """One torrent, both address families together."""

    info_hash: bytes
    seeders: int
    leechers: int
    completed: int


class RedisFigures(NamedTuple):
    """How a process does with the Redis it shares with others."""

    up: bool
    lag: float
    """Seconds that the last word of another process was on its way."""
    unsent: int
    """Changes that wait to be sent."""
    batches: int
    sent: int
    """Changed peers that others were told of."""
    received: int
    refused: int
    """Keys, peers and counts in Redis that cannot be."""
    outages: int
    comparisons: int
    """Of all swarms here and there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A moment. `started` and `now` are seconds since the epoch; rates are a second, over the last minute."""

    version: str
    started: float
    now: float
    workers: int
    totals: Totals
    traffic: Traffic
    announce_rate: float
    scrape_rate: float
    saved: float | None = None
    """When swarms were last saved, seconds since the epoch; None where they are not, or not yet."""
    accounts: GateTotals | None = None
    """None for an open tracker."""
    redis: RedisFigures | None = None
    """None where none is shared."""

    @property
    def uptime(self) -> float:
        return max(0.0, self.now - self.started)

    @property
    def leechers(self) -> int:
        return self.totals.peers - self.totals.seeders


class Facts(Protocol):
    """Where pages ask."""

    async def figures(self) -> Figures:
        """Now, of all processes."""

    async def busiest(self, limit: int) -> Sequence[SwarmFigures]:
        """The swarms with the most peers, the busiest first."""


def add_traffic(parts: Iterable[Traffic]) -> Traffic:
    """All of them together."""
    return Traffic(*map(sum, zip(*parts, strict=True)))


@dataclass(slots=True)
class RateWindow:
    """Announces and scrapes a second over the last minute, from samples of the counts."""

    _samples: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=SAMPLES + 1))

    def on_sample(self, now: float, traffic: Traffic) -> None:
        """To be called every SAMPLE_PERIOD."""
        self._samples.append((now, traffic.announces, traffic.scrapes))

    def rates(self, now: float, traffic: Traffic) -> tuple[float, float]:
        """Announces and scrapes a second until now."""
        if not self._samples:
            return 0.0, 0.0
        since, announces, scrapes = self._samples[0]
        if now - since < 1.0:
            return 0.0, 0.0
        return (traffic.announces - announces) / (now - since), (traffic.scrapes - scrapes) / (now - since)


def stats_json(figures: Figures) -> dict[str, object]:
    """What `/stats` says: names as in the metrics, rates a second, times in seconds."""
    document: dict[str, object] = {
        "version": figures.version,
        "mode": "open" if figures.accounts is None else "private",
        "started": round(figures.started, 3),
        "uptime": round(figures.uptime, 3),
        "workers": figures.workers,
        "torrents": figures.totals.torrents,
        "peers": figures.totals.peers,
        "seeders": figures.totals.seeders,
        "leechers": figures.leechers,
        "connections": figures.traffic.http_open,
        "announces_per_second": round(figures.announce_rate, 3),
        "scrapes_per_second": round(figures.scrape_rate, 3),
        "saved": None if figures.saved is None else round(figures.saved, 3),
        "traffic": figures.traffic._asdict(),
    }
    if figures.accounts is not None:
        document["accounts"] = figures.accounts._asdict()
    if figures.redis is not None:
        document["redis"] = figures.redis._asdict()
    return document
