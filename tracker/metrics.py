"""The tracker's metrics in the text form of Prometheus.

The rule: nothing is kept for them; each scrape turns the figures of that moment into text. Names and labels are listed
in docs/tracker.md and stay as they are: a dashboard leans on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from tracker.figures import Figures, RedisFigures
    from tracker.private.gate import GateTotals

F = TypeVar("F", GaugeMetricFamily, CounterMetricFamily)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "starling_tracker"


def metrics_text(figures: Figures) -> bytes:
    """What `/metrics` says."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(figures))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        traffic, totals = figures.traffic, figures.totals
        mode = "open" if figures.accounts is None else "private"
        yield InfoMetricFamily(PREFIX, "Version and mode", {"version": figures.version, "mode": mode})
        yield _gauge("start_time_seconds", "When it started, in seconds since the epoch", figures.started)
        yield _gauge("workers", "Processes that serve", figures.workers)
        yield _gauge("swarms", "Swarms, one for each torrent and address family", totals.torrents)
        yield _by(
            GaugeMetricFamily(f"{PREFIX}_peers", "Peers that are here", labels=["role"]),
            {("seeder",): totals.seeders, ("leecher",): figures.leechers},
        )
        yield _by(
            CounterMetricFamily(f"{PREFIX}_requests", "Requests answered", labels=["transport", "kind"]),
            {
                ("http", "announce"): traffic.http_announces,
                ("http", "scrape"): traffic.http_scrapes,
                ("udp", "connect"): traffic.udp_connects,
                ("udp", "announce"): traffic.udp_announces,
                ("udp", "scrape"): traffic.udp_scrapes,
            },
        )
        yield _by(
            CounterMetricFamily(f"{PREFIX}_refusals", "Requests answered with a failure", labels=["transport"]),
            {("http",): traffic.http_refusals, ("udp",): traffic.udp_refusals},
        )
        yield _counter("udp_dropped", "Datagrams without an answer: forged, stale or no tracker's", traffic.udp_dropped)
        yield _counter("http_connections_accepted", "HTTP connections taken", traffic.http_connections)
        yield _gauge("http_connections_open", "HTTP connections open", traffic.http_open)
        if figures.saved is not None:
            yield _gauge("saved_time_seconds", "When swarms were last saved, since the epoch", figures.saved)
        if figures.accounts is not None:
            yield from _accounts(figures.accounts)
        if figures.redis is not None:
            yield from _redis(figures.redis)


def _accounts(accounts: GateTotals) -> Iterator[Metric]:
    yield _gauge("members", "Members, disabled ones too", accounts.members)
    yield _gauge("registered_torrents", "Torrents on record, removed ones too", accounts.torrents)
    yield _gauge("snatches", "Members' torrents on record", accounts.snatches)
    yield _gauge("places", "Members' clients at torrents", accounts.places)
    yield _counter("gate_refusals", "Announces and scrapes that the rules refused", accounts.refused)
    yield _counter("wrong_passkeys", "Unknown passkeys, by announce or login", accounts.wrong_passkeys)
    yield _gauge("unwritten_rows", "Rows of accounts not yet in the database", accounts.unwritten_rows)
    yield _counter("database_batches", "Batches of accounts written", accounts.batches)
    yield _counter("lost_flags", "Notes on members that found no room", accounts.lost_flags)
    yield _gauge("database_down", "1 while the database cannot be written", accounts.outage is not None)


def _redis(redis: RedisFigures) -> Iterator[Metric]:
    yield _gauge("redis_up", "1 while the shared Redis answers", redis.up)
    yield _gauge("redis_lag_seconds", "How long the last word of another process was on its way", redis.lag)
    yield _gauge("redis_unsent", "Changes that wait to be sent", redis.unsent)
    yield _counter("redis_batches", "Batches of changes sent", redis.batches)
    yield _counter("redis_sent", "Changed peers that others were told of", redis.sent)
    yield _counter("redis_received", "Changed peers that others have told of", redis.received)
    yield _counter("redis_refused", "Keys, peers and counts in Redis that cannot be", redis.refused)
    yield _counter("redis_outages", "Times that Redis went away", redis.outages)
    yield _counter("redis_comparisons", "Comparisons of all swarms with Redis", redis.comparisons)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}_{name}", words, value=value)


def _by(family: F, values: dict[tuple[str, ...], float]) -> F:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
