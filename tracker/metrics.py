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

    from tracker.figures import AccountFigures, Figures

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


def _accounts(accounts: AccountFigures) -> Iterator[Metric]:
    yield _by(
        GaugeMetricFamily(f"{PREFIX}_members", "Members", labels=["state"]),
        {("active",): accounts.members - accounts.disabled, ("disabled",): accounts.disabled},
    )
    yield _gauge("registered_torrents", "Torrents that may be announced", accounts.torrents)
    yield _gauge("hit_and_run_warnings", "Warnings in force", accounts.warnings)
    # Credit can be taken away by the operator, so that these are no counters.
    yield _by(
        GaugeMetricFamily(f"{PREFIX}_member_bytes", "Totals of all members", labels=["direction", "kind"]),
        {
            ("up", "credited"): accounts.uploaded,
            ("down", "credited"): accounts.downloaded,
            ("up", "actual"): accounts.actual_uploaded,
            ("down", "actual"): accounts.actual_downloaded,
        },
    )


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}_{name}", words, value=value)


def _by(family: F, values: dict[tuple[str, ...], float]) -> F:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
