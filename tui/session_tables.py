"""The session in tables: trackers by host, DHT, disk, limits and schedule. Pure.

The rule: what trackers and nodes have written goes through `safe`. Times are seconds since the epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.quantities import count, format_duration, format_rate, format_size
from tui.columns import Side
from tui.details import Heading
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.client_values import Space, Statistics
    from p2p.daemon.names import Json
    from p2p.daemon.own_facts import (
        DhtBucket,
        DhtFacts,
        DhtFamily,
        DiskFacts,
        DiskJobs,
        TrackerHealthFacts,
        TrackerHost,
    )
    from tui.details import Cells

PAIRS: Final = (Heading("", 12), Heading(""))
"""The headings of what is a name and a text."""

KILO: Final = 1_000
"""Bytes in the kilobyte of the RPC's limits."""

DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
"""In the order of the schedule's bits."""


def _right(text: str, width: int) -> Heading:
    return Heading(text, width, Side.RIGHT)


HOST_HEADINGS: Final = (
    Heading("Tracker", 22),
    _right("Torr", 5),
    _right("OK", 6),
    _right("Fail", 5),
    _right("Skip", 5),
    _right("Takes", 7),
    _right("Last", 7),
    Heading("Trouble"),
)


def hosts_of(facts: TrackerHealthFacts, now: float) -> tuple[list[Cells], list[str]]:
    """Those that do not answer first, then those with most torrents; and the classes of their styles."""
    order = _ordered(facts)
    return [_host(host, now) for host in order], [
        "table--bad" if host.failures_in_row else "table--good" if host.announces else "table--faint" for host in order
    ]


def _ordered(facts: TrackerHealthFacts) -> list[TrackerHost]:
    return sorted(facts.hosts, key=lambda host: (not host.failures_in_row, -host.torrents, host.host))


def trouble_of(facts: TrackerHealthFacts, line: int) -> str:
    """The whole of what the host on that line has answered last, where that was an error."""
    order = _ordered(facts)
    if not order:
        return "no tracker has been asked yet"
    host = order[min(max(0, line), len(order) - 1)]
    return f"{safe(host.host)}: {safe(host.last_error)}" if host.last_error else ""


def _host(host: TrackerHost, now: float) -> Cells:
    last = max(host.last_success or 0.0, host.last_failure or 0.0)
    trouble = f"{host.failures_in_row:,} in a row: {safe(host.last_error)}" if host.failures_in_row else ""
    return (
        safe(host.host),
        f"{host.torrents:,}",
        f"{host.announces:,}",
        f"{host.failures:,}",
        f"{host.skipped:,}",
        _short(host.response_time),
        format_duration(max(0.0, now - last)) if last else "",
        trouble,
    )


def _short(seconds: float | None) -> str:
    """Milliseconds below ten seconds."""
    if seconds is None:
        return ""
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def dht_lines(facts: DhtFacts) -> list[Cells]:
    if not facts.is_running:
        return [("DHT", "off")]
    state = "ready" if facts.is_ready else "looking for the nodes nearest to us"
    lines: list[Cells] = [
        ("State", f"{state}, UDP port {facts.port}{', read only' if facts.is_read_only else ''}"),
        ("Lookups", f"{facts.lookups:,} under way, {facts.waiting:,} queries without an answer yet"),
    ]
    if facts.traffic is not None:
        sums = facts.traffic
        received = f"{sums.queries_received:,} queries, {sums.responses_received:,} answers"
        lines += [
            ("Received", f"{sums.received:,} datagrams, {format_size(sums.bytes_received)}: {received}"),
            ("Sent", f"{sums.sent:,} datagrams, {format_size(sums.bytes_sent)}: {sums.queries_sent:,} queries"),
            ("Refused", f"{sums.broken:,} broken, {sums.unasked:,} unasked, {sums.over_limit:,} over the limit"),
        ]
    for family in facts.families:
        lines += _family(family)
    return lines


def _family(family: DhtFamily) -> list[Cells]:
    name = "IPv6" if family.ipv6 else "IPv4"
    trip = "" if family.round_trip is None else f", answer in {_short(family.round_trip)}"
    lines: list[Cells] = [
        ("", ""),
        (name, f"node {safe(family.node_id)}"),
        ("Outside", safe(family.outside or "not known")),
        ("Nodes", f"{family.good:,} good, {family.questionable:,} questionable, {family.bad:,} bad{trip}"),
        ("Stored", f"{count(family.stored_peers, 'peer')} of {family.stored_hashes:,} info-hashes"),
        ("Buckets", f"{len(family.buckets):,}"),
    ]
    return [*lines, *((f"  /{bucket.prefix_bits}", _bucket(bucket)) for bucket in family.buckets)]


def _bucket(bucket: DhtBucket) -> str:
    drawn = "■" * min(bucket.good, 20) + "□" * min(max(0, bucket.contacts - bucket.good), 20)
    age = format_duration(bucket.changed_ago)
    return f"{drawn} {bucket.good:,} of {bucket.contacts:,} good, {bucket.waiting:,} waiting, changed {age} ago"


DISK_HEADINGS: Final = (
    Heading("Job"),
    _right("Now", 5),
    _right("Done", 8),
    _right("Failed", 6),
    _right("Bytes", 8),
    _right("p50", 7),
    _right("p95", 7),
    _right("p99", 7),
    _right("Worst", 7),
)


def disk_lines(facts: DiskFacts) -> tuple[list[Cells], list[str]]:
    """Jobs by kind, then filesystems, in the same columns; and the classes of their styles."""
    lines = [_jobs(each) for each in facts.jobs]
    classes = ["table--bad" if each.failed else "table--line" for each in facts.jobs]
    if facts.filesystems:
        lines += [("",) * len(DISK_HEADINGS), ("Filesystem", "Torr", "", "", "Free", *[""] * 4)]
        classes += ["table--faint"] * 2
    for system in facts.filesystems:
        part = system.free / system.total if system.total else 0.0
        lines.append(
            (
                safe(system.mount),
                f"{system.torrents:,}",
                f"{100 * part:.0f}% free",
                "",
                format_size(system.free),
                *[""] * 4,
            )
        )
        classes.append("table--bad" if part < 0.05 else "table--good")
    return lines, classes


def disk_sums(facts: DiskFacts) -> str:
    return (
        f"{count(facts.queue, 'job')} waiting   hashing {format_rate(facts.hash_rate)}   "
        f"{format_size(facts.hashed)} hashed   times of the last 5 minutes"
    )


def _jobs(jobs: DiskJobs) -> Cells:
    return (
        safe(jobs.kind),
        f"{jobs.under_way:,}",
        f"{jobs.done:,}",
        f"{jobs.failed:,}",
        format_size(jobs.bytes),
        *map(_short, (jobs.p50, jobs.p95, jobs.p99, jobs.worst)),
    )


def limit_lines(settings: Mapping[str, Json], statistics: Statistics, space: Space | None) -> list[Cells]:
    """What holds for all torrents, and the schedule of the alternative limits."""

    def switched(name: str, text: str) -> str:
        return text if settings.get(name) is True else "off"

    def number(name: str) -> float:
        value = settings.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else 0

    def rate(name: str) -> str:
        return format_rate(number(name) * KILO)

    alternative = f"down {rate('alt_speed_down')}, up {rate('alt_speed_up')}"
    goals = (
        ("Ratio", switched("seed_ratio_limited", f"{number('seed_ratio_limit'):.2f}")),
        ("Idle", switched("idle_seeding_limit_enabled", count(int(number("idle_seeding_limit")), "minute"))),
        ("Seed time", switched("starling_seed_time_limited", count(int(number("starling_seed_time_limit")), "minute"))),
    )
    return [
        ("Down", switched("speed_limit_down_enabled", rate("speed_limit_down"))),
        ("Up", switched("speed_limit_up_enabled", rate("speed_limit_up"))),
        (
            "Alternative",
            f"{alternative}, {'in force' if settings.get('alt_speed_enabled') is True else 'not in force'}",
        ),
        ("Schedule", switched("alt_speed_time_enabled", _schedule(*map(int, map(number, _SCHEDULE))))),
        ("Downloads", switched("download_queue_enabled", f"{number('download_queue_size'):.0f} at once")),
        ("Seeds", switched("seed_queue_enabled", f"{number('seed_queue_size'):.0f} at once")),
        (
            "Stalled",
            switched("queue_stalled_enabled", f"after {count(int(number('queue_stalled_minutes')), 'minute')}"),
        ),
        *goals,
        ("Peers", f"{number('peer_limit_global'):.0f} in all, {number('peer_limit_per_torrent'):.0f} a torrent"),
        ("Port", f"{number('peer_port'):.0f}"),
        ("", ""),
        ("Torrents", f"{statistics.active_torrent_count:,} active of {statistics.torrent_count:,}"),
        ("This run", _moved(statistics, "current")),
        ("Ever", _moved(statistics, "cumulative")),
        ("Folder", safe(str(settings.get("download_dir", "")))),
        ("Room", "not known" if space is None else f"{format_size(space.free)} free of {format_size(space.total)}"),
    ]


_SCHEDULE: Final = ("alt_speed_time_begin", "alt_speed_time_end", "alt_speed_time_day")


def _schedule(begin: int, end: int, days: int) -> str:
    """Minutes since midnight, and days as bits from Sunday on."""
    named = [name for bit, name in enumerate(DAYS) if days >> bit & 1]
    on = "every day" if len(named) == len(DAYS) else ", ".join(named) or "on no day"
    return f"{begin // 60:02}:{begin % 60:02} to {end // 60:02}:{end % 60:02}, {on}"


def _moved(statistics: Statistics, name: str) -> str:
    totals = statistics.current if name == "current" else statistics.cumulative
    return f"{format_size(totals.downloaded_bytes)} down, {format_size(totals.uploaded_bytes)} up"
