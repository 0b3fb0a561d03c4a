"""The choking round, pieces, rates and log of a torrent, and the session, while it takes from one seeder."""

from __future__ import annotations

import logging
import random

import pytest
from driven import drives
from own_daemon import own_daemon
from stage import app_before, played, screen_of, until

from p2p.daemon import history as history_module
from p2p.daemon import library as library_module
from p2p.daemon import monitor as monitor_module
from p2p.ids import Address
from p2p.session.create import create
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.swarm.peer_list import PeerSource
from tui import feed as feed_module

pytestmark = pytest.mark.timeout(60)
QUIET = {"dht": False, "local_discovery": False, "bind": ("127.0.0.1",)}


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Looks that are a second apart need not be here."""
    monkeypatch.setattr(monitor_module, "LOOK_INTERVAL", 0.01)
    monkeypatch.setattr(library_module, "CHANGE_INTERVAL", 0.01)
    monkeypatch.setattr(feed_module, "DETAILS_INTERVAL", 0.05)
    monkeypatch.setattr(history_module, "TORRENT_STEPS", ((0.05, 300), (0.1, 360)))


@pytest.fixture
async def swarm(tmp_path):
    """The interface's address, before a daemon with a torrent that it takes slowly from one seeder."""
    path = tmp_path / "made" / "content.bin"
    path.parent.mkdir()
    path.write_bytes(random.Random(1).randbytes(400_000))
    data = await create(path, piece_length=16_384)
    async with (
        Session(Settings(download_dir=path.parent, limit_up=30_000.0, **QUIET)) as seeding,
        own_daemon(tmp_path) as daemon,
    ):
        await seeding.add(data, TorrentOptions(trust=True))
        await daemon.client.add(data)
        (mine,) = daemon.session.torrents
        mine.add_peers([Address("127.0.0.1", seeding.port)], PeerSource.TRACKER)
        yield daemon, seeding


async def shows(pilot, app, *texts):
    await until(pilot, lambda: all(text in screen_of(app) for text in texts))


@drives("swarm")
async def test_the_choking_round_is_seen_as_it_happens(swarm):
    daemon, seeding = swarm
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("W")
        await shows(pilot, app, "content.bin", "leeching", "next round ▰", f"127.0.0.1:{seeding.port}", "unchoked*")
        await shows(pilot, app, "← it", "← 1", "slots ○", "◆ nobody")
        before = screen_of(app)
        assert "Has" not in before
        await pilot.resize_terminal(200, 60)
        await shows(pilot, app, "We ask", "tracker", "encrypted" if "encrypted" in screen_of(app) else "plain")
        await pilot.press("space")
        await shows(pilot, app, f"127.0.0.1:{seeding.port} has left", "0 peers", "not running")
        await pilot.press("escape")
        await shows(pilot, app, "1 torrent")
        assert app.feed._looked == (None, ())


async def test_pieces_rates_and_log_of_a_torrent(swarm):
    daemon, _ = swarm
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        name = app.rows.at(0).hash_string
        await pilot.press("enter", "5")
        await shows(pilot, app, "[Pieces]", "of 25 pieces of 16 KiB", "with one peer", "█", "░" * 25)
        await pilot.press("6")
        await shows(pilot, app, "[Rates]", "▼ down", "KiB/s  peak", "6s ago", "▲ up 0 B/s")
        await pilot.press("z")
        await shows(pilot, app, "12s ago")
        await pilot.press("7")
        await shows(pilot, app, "[Log]", "What")
        logging.getLogger("p2p.test").warning("of another one")
        logging.getLogger("p2p.test").warning("of this one %s", name)
        await shows(pilot, app, "warning of this one")
        assert "another" not in screen_of(app)
        await pilot.press("tab")
        await shows(pilot, app, "[Overview]", "as a leecher")


@drives("session")
async def test_the_session_is_seen_tab_by_tab(swarm):
    daemon, _ = swarm
    app = app_before(daemon.url)
    async with played(app, size=(120, 30)) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("I")
        await shows(pilot, app, "[Rates]", "▼ down", "KiB/s  peak", "2m 00s ago")
        await pilot.press("2")
        await shows(pilot, app, "[Trackers]", "no tracker has been asked yet")
        await pilot.press("3")
        await shows(pilot, app, "[DHT]", "off")
        await pilot.press("4")
        await shows(pilot, app, "[Disk]", "0 jobs waiting", "verify", "p95", "% free")
        await pilot.press("6")
        await shows(pilot, app, "[Limits]", "Alternative", "5 at once")
        await pilot.press("r", "x", "N")
        assert app.over is app.screen
        assert "remove" not in screen_of(app).splitlines()[-1]
        await pilot.press("escape")
        await shows(pilot, app, "1 torrent")


@drives("log-level")
async def test_the_level_of_the_log_is_changed_live(swarm):
    daemon, _ = swarm
    app = app_before(daemon.url)
    async with played(app) as pilot:
        await until(pilot, lambda: len(app.rows) == 1)
        await pilot.press("I", "5")
        await shows(pilot, app, "logged from")
        app.set_log_level("warning")
        await shows(pilot, app, "logged from warning on")
        await pilot.press("ctrl+l")
        await shows(pilot, app, "logged from error on")
        app.set_log_level("loud")
        await shows(pilot, app, "a level is one of debug, info")
