"""The DHT, the disk and the trackers of a session as our own methods tell of them. Reads, decides nothing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon.own_facts import (
    DhtBucket,
    DhtFacts,
    DhtFamily,
    DhtTraffic,
    DiskFacts,
    DiskJobs,
    Filesystem,
    TrackerHealthFacts,
    TrackerHost,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.dht.events import FamilyView
    from p2p.disk.meter import DiskMeter
    from p2p.session.dht_service import DhtService
    from p2p.session.tracker_health import HostHealth

SHARES: Final = (0.5, 0.95, 0.99, 1.0)

MAX_FOLDERS: Final = 500
"""Folders that are looked at for the room on disk."""

MAX_PATHS: Final = 10


def dht_facts(dht: DhtService | None) -> DhtFacts:
    """See `DhtFacts`. None stands for no node."""
    if dht is None:
        return DhtFacts(
            is_running=False,
            is_ready=False,
            is_read_only=False,
            port=0,
            lookups=0,
            waiting=0,
            traffic=None,
            families=(),
        )
    view = dht.snapshot()
    return DhtFacts(
        is_running=True,
        is_ready=dht.is_ready,
        is_read_only=view.read_only,
        port=dht.port,
        lookups=view.searches,
        waiting=view.waiting,
        traffic=DhtTraffic(**dataclasses.asdict(view.traffic)),
        families=tuple(map(_family, view.families)),
    )


def _family(view: FamilyView) -> DhtFamily:
    return DhtFamily(
        ipv6=view.ipv6,
        node_id=view.node_id.hex(),
        outside=view.outside,
        good=view.good,
        questionable=view.questionable,
        bad=view.bad,
        stored_hashes=view.stored_hashes,
        stored_peers=view.stored_peers,
        round_trip=view.rtt,
        buckets=tuple(
            DhtBucket(each.prefix_bits, each.contacts, each.good, each.waiting, round(each.changed, 3))
            for each in view.buckets
        ),
    )


def disk_facts(meter: DiskMeter, filesystems: tuple[Filesystem, ...], now: float) -> DiskFacts:
    """See `DiskFacts`. `now` is the loop's time."""
    jobs = []
    for kind, each in meter.jobs.items():
        p50, p95, p99, worst = each.percentiles(SHARES, now)
        jobs.append(DiskJobs(kind.value, each.under_way, each.done, each.failed, each.bytes, p50, p95, p99, worst))
    return DiskFacts(
        queue=meter.queue,
        hash_rate=meter.hashing.rate(now),
        hashed=meter.hashing.total,
        jobs=tuple(jobs),
        filesystems=filesystems,
    )


def look_at_filesystems(folders: Mapping[str, int]) -> tuple[Filesystem, ...]:
    """The filesystems of folders, given with how many torrents each has; folders that are not there are left out.

    Blocks as long as the disks do.
    """
    found: dict[int, Filesystem] = {}
    for folder, torrents in sorted(folders.items())[:MAX_FOLDERS]:
        try:
            device, room = os.stat(folder).st_dev, os.statvfs(folder)  # noqa: PTH116 - one look, and statvfs has no Path
        except OSError:
            continue
        known = found.get(device)
        paths = () if known is None else known.paths
        found[device] = Filesystem(
            device=device,
            mount=_top(folder, device) if known is None else known.mount,
            paths=(*paths, folder)[:MAX_PATHS],
            free=room.f_bavail * room.f_frsize,
            total=room.f_blocks * room.f_frsize,
            torrents=torrents + (0 if known is None else known.torrents),
        )
    return tuple(found.values())


def _top(folder: str, device: int) -> str:
    """The topmost folder above that is on the same filesystem."""
    place = Path(folder)
    for above in place.parents:
        try:
            if above.stat().st_dev != device:
                break
        except OSError:
            break
        place = above
    return str(place)


def tracker_health_facts(
    health: Mapping[str, HostHealth], torrents: Mapping[str, int], offset: float
) -> TrackerHealthFacts:
    """See `TrackerHealthFacts`. `offset` is what the wall clock is ahead of the loop's."""
    hosts = [
        TrackerHost(
            host=host,
            torrents=torrents.get(host, 0),
            announces=each.answered,
            failures=each.failed,
            skipped=each.skipped,
            failures_in_row=each.failures_in_row,
            last_success=_date(each.last_success, offset),
            last_failure=_date(each.last_failure, offset),
            last_error=each.last_error,
            response_time=each.response_time,
        )
        for host, each in sorted(health.items())
    ]
    return TrackerHealthFacts(tuple(hosts))


def _date(at: float | None, offset: float) -> float | None:
    return None if at is None else round(at + offset, 3)
