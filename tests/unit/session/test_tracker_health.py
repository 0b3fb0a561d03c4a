"""How trackers' hosts have answered, as the announces of torrents tell."""

from __future__ import annotations

import pytest

from p2p.session import tracker_health
from p2p.session.tracker_health import TrackerHealth


def test_answers_failures_and_silence_are_counted_by_host():
    health = TrackerHealth()
    health.on_answer("a", 1.0, 10.0)
    health.on_answer("a", 2.0, 20.0)
    health.on_failure("a", "not registered" * 100, 30.0)
    health.on_failure("a", "gone", 40.0)
    health.on_skipped("b")
    found = health.hosts["a"]
    assert (found.answered, found.failed, found.failures_in_row) == (2, 2, 2)
    assert (found.last_success, found.last_failure, found.last_error) == (20.0, 40.0, "gone")
    assert found.response_time == pytest.approx(1.2)
    assert health.hosts["b"].skipped == 1
    health.on_answer("a", 1.2, 50.0)
    assert health.hosts["a"].failures_in_row == 0


def test_hosts_are_bounded(monkeypatch):
    monkeypatch.setattr(tracker_health, "MAX_HOSTS", 2)
    health = TrackerHealth()
    for host in ("a", "b", "a", "c"):
        health.on_skipped(host)
    assert list(health.hosts) == ["a", "c"]
