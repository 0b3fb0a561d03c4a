"""`starling simulate swarm`: what it prints, draws and refuses, and that the seed decides everything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from p2p.cli.main import run

SMALL = ["simulate", "swarm", "--leechers", "4", "--size", "512KiB", "--piece-length", "32KiB"]
DEADLINE = 60.0


def start(*arguments, **environment):
    # A shell that runs the tests in the background has SIGINT ignored in all that they start.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listen}; from p2p.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_seed_gives_one_report_in_any_process():
    mix = ["--up", "50%:1MiB/s,50%:256KiB/s", "--json", "--seed", "7"]
    running = [start(*SMALL, *mix, PYTHONHASHSEED=hash_seed) for hash_seed in ("0", "4242")]
    reports = []
    for process in running:
        out, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (0, "")
        reports.append(json.loads(out))
    for report in reports:
        real = report.pop("real")
        assert real["seconds"] > 0
        assert real["events_per_second"] > 0
    assert reports[0] == reports[1]
    report = reports[0]
    assert report["completion"]["done"] == report["leechers"] == 4
    assert report["correct"]
    assert report["completion"]["median"] <= report["completion"]["p95"] <= report["completion"]["last"]
    assert report["bound"] == pytest.approx(4 * 0.5 / (1 + 2 * 1 + 2 * 0.25))
    assert report["bound_ratio"] == pytest.approx(report["completion"]["last"] / report["bound"])
    assert 1 <= report["seed_copies_before_first"] <= report["seed_copies"] <= 4
    assert {found["peers"] for found in report["classes"]} == {2}
    received = sum(found["received"] for found in report["classes"])
    # A connection that begins and ends between two looks is missed.
    assert received == pytest.approx(4 * (512 << 10) + report["wasted"], rel=0.15)
    assert report["samples"][-1]["copies"] == 4


def test_a_table_for_people_and_a_plot(capsys, tmp_path):
    plot = tmp_path / "swarm.svg"
    assert run([*SMALL, "--plot", str(plot)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for words in ("4 of 4", "fluid bound", "copies", "Jain", "events a second", "1 MiB/s up, 10 MiB/s down"):
        assert words in shown.out
    assert ET.parse(plot).getroot().tag.endswith("svg")
    picture = tmp_path / "swarm.png"
    assert run([*SMALL, "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_leechers_that_are_not_done_are_an_error(capsys):
    assert run([*SMALL, "--seed-leaves-after", "0.4", "--within", "30"]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: 4 of 4 leechers are not done after 30 s")
    assert shown.err.count("\n") == 1
    assert "0 of 4" in shown.out


@pytest.mark.parametrize(
    ("option", "value"),
    [("--up", "20%:1MiB/s"), ("--arrivals", "soon"), ("--rtt", "80-20"), ("--plot", "swarm.gif"), ("--down", "much")],
)
def test_wrong_values_are_usage_errors_of_one_line(capsys, option, value):
    assert run([*SMALL, option, value]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1


def test_ctrl_c_ends_it():
    # What it says after two seconds of work shows that it is at work.
    process = start("simulate", "swarm", "--leechers", "30", "--size", "64MiB")
    try:
        assert "of virtual time" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in errors
