"""The daemon's metrics in the text form of Prometheus.

The rule: nothing is kept for them; each scrape turns the figures of that moment into text, and looks at no torrent.
Every label is bounded: trackers by `p2p.daemon.tally`, hosts and filesystems here, all else by tables. Names and labels
are listed in docs/rpc.md and stay as they are: a dashboard leans on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from p2p.daemon.ports import ErrorKind
from p2p.disk.meter import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from p2p.daemon.monitor import Monitor
    from p2p.daemon.own_facts import DhtFacts, DiskFacts

F = TypeVar("F", GaugeMetricFamily, CounterMetricFamily)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "starling"

MAX_HOSTS: Final = 200
"""Trackers whose answers are told apart: those with most announces; the rest is added up as `other`."""

MAX_FILESYSTEMS: Final = 50

_OTHERS: Final = "other"


def metrics_text(monitor: Monitor, version: str) -> bytes:
    """What `/metrics` says."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(monitor, version))
    ProcessCollector(namespace=PREFIX, registry=registry)
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, monitor: Monitor, version: str) -> None:
        self._monitor = monitor
        self._version = version

    def collect(self) -> Iterator[Metric]:
        monitor = self._monitor
        yield InfoMetricFamily(PREFIX, "Version", {"version": self._version})
        yield from self._torrents()
        yield from self._trackers()
        yield from _dht(monitor.dht())
        yield from self._disk(monitor.disk())
        yield _gauge("event_listeners", "Who follows /events", monitor.feed.listeners)

    def _torrents(self) -> Iterator[Metric]:
        tally = self._monitor.tally
        yield _by(
            GaugeMetricFamily(
                f"{PREFIX}_torrents", "Torrents by state and host of the first tracker", labels=["state", "tracker"]
            ),
            {(status.name.lower(), host): count for (host, status), count in tally.states.items()},
        )
        yield _by(
            GaugeMetricFamily(f"{PREFIX}_torrent_errors", "Torrents with something wrong", labels=["kind"]),
            {(kind.name.lower(),): tally.errors[kind] for kind in ErrorKind if kind is not ErrorKind.NONE},
        )
        for name, moved in (("downloaded", tally.downloaded), ("uploaded", tally.uploaded)):
            yield _by(
                CounterMetricFamily(
                    f"{PREFIX}_{name}_bytes",
                    f"Payload {name}, by host of the torrent's first tracker",
                    labels=["tracker"],
                ),
                {(host,): count for host, count in moved.items()},
            )
        yield _by(
            GaugeMetricFamily(f"{PREFIX}_rate_bytes_per_second", "Payload now", labels=["direction"]),
            {("down",): tally.rate_down, ("up",): tally.rate_up},
        )
        yield _gauge("peers", "Peers that are connected", tally.peers)

    def _trackers(self) -> Iterator[Metric]:
        announces: dict[tuple[str, ...], float] = {}
        times: dict[tuple[str, ...], float] = {}
        hosts = sorted(self._monitor.trackers().hosts, key=lambda each: (-each.announces - each.failures, each.host))
        for at, each in enumerate(hosts):
            host = each.host if at < MAX_HOSTS else _OTHERS
            for result, count in (("ok", each.announces), ("failed", each.failures), ("skipped", each.skipped)):
                announces[host, result] = announces.get((host, result), 0) + count
            if each.response_time is not None and host != _OTHERS:
                times[host,] = each.response_time
        yield _by(
            CounterMetricFamily(f"{PREFIX}_announces", "Announces by host and result", labels=["tracker", "result"]),
            announces,
        )
        yield _by(
            GaugeMetricFamily(f"{PREFIX}_announce_response_seconds", "Smoothed time to an answer", labels=["tracker"]),
            times,
        )

    def _disk(self, disk: DiskFacts) -> Iterator[Metric]:
        yield _gauge("disk_queue", "Disk jobs asked for and not done", disk.queue)
        yield _gauge("hash_bytes_per_second", "Bytes of pieces hashed a second, now", disk.hash_rate)
        yield _counter("hashed_bytes", "Bytes of pieces hashed", disk.hashed)
        yield _by(
            CounterMetricFamily(f"{PREFIX}_disk_bytes", "Bytes of disk jobs", labels=["kind"]),
            {(jobs.kind,): jobs.bytes for jobs in disk.jobs},
        )
        yield _by(
            CounterMetricFamily(f"{PREFIX}_disk_failures", "Disk jobs that failed", labels=["kind"]),
            {(jobs.kind,): jobs.failed for jobs in disk.jobs},
        )
        times = HistogramMetricFamily(
            f"{PREFIX}_disk_job_seconds", "Disk jobs, from asking to the answer", labels=["kind"]
        )
        for kind, meter in self._monitor.disk_meter.jobs.items():
            total, buckets = 0, []
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), meter.buckets, strict=True):
                total += count
                buckets.append((bound, total))
            times.add_metric([kind.value], buckets, meter.seconds)
        yield times
        places = disk.filesystems[:MAX_FILESYSTEMS]
        for name, about, values in (
            ("free", "Room that is left", [each.free for each in places]),
            ("size", "Room that there is", [each.total for each in places]),
        ):
            family = GaugeMetricFamily(
                f"{PREFIX}_filesystem_{name}_bytes", f"{about}, by the filesystem's top", labels=["mount"]
            )
            for place, value in zip(places, values, strict=True):
                family.add_metric([place.mount], value)
            yield family


def _dht(dht: DhtFacts) -> Iterator[Metric]:
    yield _gauge("dht_ready", "Whether the DHT node has joined", float(dht.is_ready))
    nodes = GaugeMetricFamily(f"{PREFIX}_dht_nodes", "Contacts in the routing table", labels=["family", "standing"])
    for family in dht.families:
        name = "ipv6" if family.ipv6 else "ipv4"
        for standing in ("good", "questionable", "bad"):
            nodes.add_metric([name, standing], getattr(family, standing))
    yield nodes
    yield _gauge("dht_lookups", "Searches under way", dht.lookups)
    traffic = dht.traffic
    if traffic is None:
        return
    yield _by(
        CounterMetricFamily(f"{PREFIX}_dht_datagrams", "Datagrams of the DHT", labels=["direction"]),
        {("in",): traffic.received, ("out",): traffic.sent},
    )
    yield _by(
        CounterMetricFamily(f"{PREFIX}_dht_bytes", "Bytes of the DHT's datagrams", labels=["direction"]),
        {("in",): traffic.bytes_received, ("out",): traffic.bytes_sent},
    )
    yield _by(
        CounterMetricFamily(f"{PREFIX}_dht_queries", "Queries of the DHT", labels=["direction"]),
        {("in",): traffic.queries_received, ("out",): traffic.queries_sent},
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help_text, value=value)


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", help_text, value=value)


def _by(family: F, values: Mapping[tuple[str, ...], float]) -> F:
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    return family
