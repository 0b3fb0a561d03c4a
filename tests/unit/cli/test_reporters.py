"""What is said of a transfer: safe, complete, and no more than asked for."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from p2p.cli.reporters import JsonReporter, LineReporter, LiveReporter, completion, make_reporter
from p2p.session.event_bus import Event, EventKind
from p2p.session.snapshot import PeerSnapshot, TorrentSnapshot, TorrentState

NASTY = "[red]\x1b[2J\nname\u202e"
KEY = "ab" * 20

PEER = PeerSnapshot(
    address="127.0.0.1:1",
    client=NASTY,
    incoming=False,
    encrypted=True,
    source="tracker",
    progress=0.5,
    seeder=False,
    am_choking=False,
    am_interested=True,
    peer_choking=True,
    peer_interested=True,
    snubbed=False,
    optimistic=False,
    rate_down=1.0,
    rate_up=2.0,
    downloaded=3,
    uploaded=4,
    requests_out=0,
    requests_in=0,
)

SNAPSHOT = TorrentSnapshot(
    info_hash=KEY,
    name=NASTY,
    state=TorrentState.DOWNLOADING,
    message=None,
    total_size=200,
    wanted_size=100,
    done_size=25,
    check_progress=1.0,
    rate_down=5.0,
    rate_up=0.0,
    downloaded=30,
    uploaded=10,
    session_downloaded=25,
    session_uploaded=10,
    wasted=0,
    corrupt=0,
    ratio=0.05,
    eta=15.0,
    peers=(PEER,),
    connected_seeders=1,
    connected_leechers=2,
    swarm_seeders=23,
    swarm_leechers=None,
    known_peers=4,
    trackers=(),
    piece_count=4,
    pieces_had=1,
    pieces=b"\x80",
)


class Transfer:
    """A transfer whose figures a test sets."""

    def __init__(self) -> None:
        self.now = SNAPSHOT
        self.job = SimpleNamespace(torrent_file=Path("x.torrent"))

    def set(self, **figures) -> None:
        self.now = replace(self.now, **figures)

    @property
    def torrent(self):
        return SimpleNamespace(info_hash=KEY, state=self.now.state, target=Path("/srv"))

    def snapshot(self) -> TorrentSnapshot:
        return self.now


@pytest.fixture
def transfer():
    return Transfer()


def event(kind: EventKind, message: str | None = None) -> Event:
    return Event(kind, 1000.0, KEY, message)


def test_json_tells_progress_once_a_second(capsys, transfer):
    reporter = JsonReporter(lambda: 7.0)
    for now in (0.0, 0.5, 0.9, 1.0, 1.5, 2.1):
        reporter.progress([transfer], now)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["progress"] * 3
    first = lines[0]
    assert first["info_hash"] == KEY
    assert first["time"] == 7.0
    assert (first["progress"], first["done"], first["total"], first["eta"]) == (0.25, 25, 100, 15.0)
    assert (first["peers"], first["seeders"], first["leechers"]) == (1, 1, 2)
    assert first["connections"][0]["unchoked"] is True
    assert first["connections"][0]["unchokes_us"] is False
    assert first["connections"][0]["encrypted"] is True


def test_json_is_ascii_whatever_the_name(capsys, transfer):
    JsonReporter(lambda: 7.0).progress([transfer], 0.0)
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.rstrip("\n").isprintable()
    assert json.loads(out)["name"] == NASTY


def test_json_complete_has_the_summary(capsys, transfer):
    reporter = JsonReporter(lambda: 7.0)
    reporter._stopwatch.start(KEY, 10.0)
    reporter.event(event(EventKind.COMPLETE), transfer, 15.0)
    line = json.loads(capsys.readouterr().out)
    assert (line["size"], line["seconds"], line["mean_rate"], line["ratio"]) == (100, 5.0, 5, 0.05)


@pytest.mark.parametrize("make", [lambda: JsonReporter(lambda: 7.0), LineReporter])
def test_what_ends_a_torrent_is_an_error_line(capsys, transfer, make):
    transfer.set(state=TorrentState.ERROR, message="it broke")
    make().event(event(EventKind.ERROR, "it broke"), transfer, 0.0)
    err = capsys.readouterr().err
    assert err.startswith("error: [red]\\x1b[2J name\\u202e: it broke")
    assert err.count("\n") == 1


@pytest.mark.parametrize("make", [lambda: JsonReporter(lambda: 7.0), LineReporter])
def test_what_passes_is_no_error_line(capsys, transfer, make):
    transfer.set(state=TorrentState.DISK_FULL, message="no room")
    make().event(event(EventKind.ERROR, "no room"), transfer, 0.0)
    assert capsys.readouterr().err == ""


def test_lines_come_with_each_state_and_every_ten_seconds(capsys, transfer):
    reporter = LineReporter()
    for second in range(25):
        reporter.progress([transfer], float(second))
    assert len(capsys.readouterr().out.splitlines()) == 3
    transfer.set(state=TorrentState.DISK_FULL, message="no room")
    reporter.progress([transfer], 25.0)
    line = capsys.readouterr().out
    assert "disk full (no room), 25.0%" in line
    assert line.rstrip("\n").isprintable()


def test_a_short_check_is_not_worth_a_line(capsys, transfer):
    reporter = LineReporter()
    transfer.set(state=TorrentState.CHECKING, check_progress=0.4)
    reporter.progress([transfer], 0.0)
    assert capsys.readouterr().out == ""
    reporter.progress([transfer], 1.5)
    assert "checking, 40.0%" in capsys.readouterr().out


def test_who_waits_to_be_checked_says_no_more(capsys, transfer):
    transfer.set(state=TorrentState.CHECK_QUEUED)
    LineReporter().progress([transfer], 0.0)
    assert capsys.readouterr().out.endswith(": waiting to be checked\n")


def test_a_line_has_the_figures(capsys, transfer):
    LineReporter().progress([transfer], 0.0)
    line = capsys.readouterr().out
    assert "downloading, 25.0%, 25 B of 100 B, 15s left, down 5 B/s, up 0 B/s, seeders 1 of 23, leechers 2" in line


def test_completion_tells_size_time_rate_and_ratio():
    line = completion(replace(SNAPSHOT, name="x", wanted_size=4096, session_downloaded=4096), 2.0)
    assert line == "x: complete, 4 KiB in 2.0s, 2 KiB/s on average, ratio 0.05"
    assert completion(replace(SNAPSHOT, name="x", session_downloaded=0), 2.0) == "x: complete, all 100 B are there"


@pytest.mark.parametrize("width", [20, 80, 200])
def test_the_live_display_shows_names_as_they_are_and_fits(transfer, width):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, markup=False, highlight=False)
    reporter = LiveReporter(console)
    reporter.start(1)
    transfer.set(message="no room", state=TorrentState.DISK_FULL)
    reporter.progress([transfer, transfer], 0.0)
    reporter.close()
    text = out.getvalue()
    assert "\x1b[2J" not in text.replace("\x1b[2K", "")
    assert "\u202e" not in text
    if width >= 80:
        assert "[red]\\x1b[2J\\nname\\u202e" in text
        assert "disk full" in text


def test_the_live_display_keeps_its_errors_for_the_end(capsys, transfer):
    out = io.StringIO()
    reporter = LiveReporter(Console(file=out, force_terminal=True, width=80))
    reporter.start(1)
    transfer.set(state=TorrentState.ERROR)
    reporter.event(event(EventKind.ERROR, "it broke"), transfer, 0.0)
    assert capsys.readouterr().err == ""
    reporter.close()
    assert "it broke" in capsys.readouterr().err


def test_the_form_follows_the_terminal(monkeypatch):
    assert isinstance(make_reporter(as_json=True, wall=lambda: 0.0), JsonReporter)
    assert isinstance(make_reporter(as_json=False, wall=lambda: 0.0), LineReporter)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_reporter(as_json=False, wall=lambda: 0.0), LineReporter)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert isinstance(make_reporter(as_json=False, wall=lambda: 0.0), LiveReporter)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_reporter(as_json=False, wall=lambda: 0.0), LineReporter)
