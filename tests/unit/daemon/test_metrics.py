"""What Prometheus is told."""

from __future__ import annotations

import random

import aiohttp
import pytest
from own_daemon import own_daemon, until
from prometheus_client.parser import text_string_to_metric_families

from p2p.daemon import library as library_module
from p2p.daemon import metrics
from p2p.daemon import monitor as monitor_module
from p2p.daemon.access import Login, hash_password
from p2p.daemon.ports import Status
from p2p.session.create import create


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(monitor_module, "LOOK_INTERVAL", 0.01)
    monkeypatch.setattr(library_module, "CHANGE_INTERVAL", 0.01)


async def scrape(daemon, **options):
    """Values by name and labels, as Prometheus reads them."""
    async with aiohttp.ClientSession() as http, http.get(f"{daemon.url}/metrics", **options) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value for family in families for sample in family.samples
    }


async def test_torrents_trackers_disk_and_dht(tmp_path, seed):
    path = tmp_path / "made" / "content.bin"
    path.parent.mkdir()
    path.write_bytes(random.Random(seed).randbytes(100_000))
    torrent = await create(path, trackers=("http://127.0.0.1:1/announce",), piece_length=16_384)
    mount = next(str(each) for each in (path, *path.parents) if each.is_mount())
    async with own_daemon(tmp_path, dht=True, bootstrap=()) as daemon:
        await daemon.client.add(torrent, download_dir=str(path.parent))
        await daemon.client.add(f"magnet:?xt=urn:btih:{'ab' * 20}", paused=True)
        told = await until(
            lambda: scrape(daemon),
            lambda each: (
                ("starling_announces_total", "127.0.0.1", "failed") in each
                and ("starling_torrents", "127.0.0.1", "seeding") in each
                and ("starling_filesystem_free_bytes", mount) in each
            ),
        )
        assert told["starling_torrents", "127.0.0.1", "seeding"] == 1
        assert told["starling_torrents", "none", "stopped"] == 1
        assert told["starling_torrent_errors", "local"] == 0
        assert told["starling_announces_total", "127.0.0.1", "failed"] >= 1
        assert told["starling_announces_total", "127.0.0.1", "ok"] == 0
        assert told["starling_disk_bytes_total", "verify"] == 100_000
        assert told["starling_hashed_bytes_total",] == 100_000
        assert told["starling_disk_job_seconds_count", "verify"] == 7
        assert told["starling_disk_job_seconds_bucket", "+Inf", "verify"] == 7
        assert told["starling_filesystem_free_bytes", mount] > 0
        assert told["starling_dht_nodes", "good", "ipv4"] == 0
        assert told["starling_dht_ready",] == 0
        assert told["starling_rate_bytes_per_second", "down"] == 0
        assert told["starling_process_resident_memory_bytes",] > 0


async def test_labels_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "MAX_HOSTS", 2)
    async with own_daemon(tmp_path) as daemon:
        health = daemon.session.tracker_health
        for number in range(5):
            health.on_failure(f"tracker{number}", 'a "bad"\nerror', 1.0)
        health.on_answer("tracker3", 1.0, 1.0)
        daemon.monitor.tally.states['quote"\n', Status.SEEDING] = 1
        told = await scrape(daemon)
        assert told["starling_announces_total", "failed", "tracker3"] == 1
        assert told["starling_announces_total", "failed", "tracker0"] == 1
        assert told["starling_announces_total", "failed", "other"] == 3
        assert ("starling_announces_total", "failed", "tracker1") not in told
        assert told["starling_torrents", 'quote"\n', "seeding"] == 1


async def test_the_password_is_asked_for(tmp_path):
    login = Login("me", hash_password("secret", b"s" * 16))
    async with own_daemon(tmp_path, login=login) as daemon:
        async with aiohttp.ClientSession() as http, http.get(f"{daemon.url}/metrics") as response:
            assert response.status == 401
        assert await scrape(daemon, headers={"Authorization": "Basic bWU6c2VjcmV0"})
