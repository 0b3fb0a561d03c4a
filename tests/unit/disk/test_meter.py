"""How the disk does, as it is told."""

from __future__ import annotations

import pytest

from p2p.disk.meter import BOUNDS, KEPT, LOOK_BACK, DiskMeter, JobKind


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_jobs_are_counted_timed_and_hashed():
    meter, clock = DiskMeter(), Clock()
    with meter.job(JobKind.STORE, 1000, clock), meter.job(JobKind.READ, 50, clock):
        assert meter.queue == 2
        clock.now += 0.02
    stored, read = meter.jobs[JobKind.STORE], meter.jobs[JobKind.READ]
    assert (stored.done, stored.bytes, stored.failed, meter.queue) == (1, 1000, 0, 0)
    assert stored.seconds == pytest.approx(0.02)
    assert stored.buckets[BOUNDS.index(0.03)] == 1
    assert read.bytes == 50
    assert meter.hashing.total == 1000
    with pytest.raises(OSError), meter.job(JobKind.READ, 50, clock):
        raise OSError
    assert (read.done, read.failed, meter.queue) == (1, 1, 0)


def test_percentiles_are_of_the_last_jobs():
    meter, clock = DiskMeter(), Clock()
    reads = meter.jobs[JobKind.READ]
    assert reads.percentiles([0.5], clock()) == [None]
    for took in range(1, 101):
        reads.on_done(took / 1000, 1, clock())
    assert reads.percentiles([0.5, 0.95, 0.99, 1.0], clock()) == [0.051, 0.096, 0.1, 0.1]
    assert reads.percentiles([0.5], clock() + LOOK_BACK + 1) == [None]
    for _ in range(KEPT):
        reads.on_done(2.0, 1, clock())
    assert reads.percentiles([0.0], clock()) == [2.0]
    assert reads.buckets[-1] == 0
    reads.on_done(1000.0, 1, clock())
    assert reads.buckets[-1] == 1
