"""Swarms in virtual time, swept: over seeds against the fluid bound, over choking policies, and with free riders.

    python benchmarks/swarm/sweep.py flash [--leechers 100] [--size 64MiB] [--seeds 5] [--plot flash.svg]
    python benchmarks/swarm/sweep.py chokers [--plot chokers.svg]
    python benchmarks/swarm/sweep.py riders [--plot riders.svg]

Every run is one that `starling simulate swarm` makes with the same options, in a process of its own; `--json` prints
what each reports. The figures follow from the seeds, so they are the same on any machine; how long it takes is not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2p.simulation.figures import median
from p2p.simulation.plot import COLOURS, Line, Panel, draw
from p2p.swarm.choking import POLICIES

MIX = "10%:4MiB/s,40%:1MiB/s,50%:256KiB/s"
RIDERS = "30%:free-rider"


@dataclass(frozen=True)
class Case:
    """A row of a table: a name, and the options of `starling simulate swarm` that make it."""

    name: str
    options: tuple[str, ...]


def cases(arguments: argparse.Namespace) -> list[Case]:
    """The rows of a sweep."""
    common = ("--leechers", str(arguments.leechers), "--size", arguments.size)
    match arguments.sweep:
        case "flash":
            return [Case(f"{arguments.leechers} equal leechers", common)]
        case "chokers":
            return [
                Case(f"{what}, {policy}", (*common, *options, "--choker", policy))
                for what, options in (("equal", ()), ("mixed", ("--up", MIX, "--seed-up", "2MiB/s")))
                for policy in POLICIES
            ]
        case _:
            few = round(arguments.leechers * 0.7)
            rows = [Case("no free riders", ("--leechers", str(few), "--size", arguments.size))]
            return rows + [
                Case(f"30 % free riders, {policy}", (*common, "--behaviours", RIDERS, "--choker", policy))
                for policy in POLICIES
            ]


def simulate(case: Case, seed: int) -> dict[str, Any]:
    """What `starling simulate swarm` reports."""
    program = "import sys; from p2p.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "simulate", "swarm", *case.options, "--seed", str(seed), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def middle(reports: list[dict[str, Any]], *path: str) -> float:
    """The median over the seeds of a figure that a report has at `path`."""
    values = []
    for report in reports:
        value: Any = report
        for key in path:
            value = value[key]
        values.append(float(value if value is not None else "nan"))
    return median(values) or 0.0


def show(case: Case, reports: list[dict[str, Any]]) -> None:
    """A row, and one for each class of leechers where there are several."""
    ratios = [report["bound_ratio"] for report in reports]
    print(
        f"{case.name:34s} last {middle(reports, 'bound_ratio'):5.3f} x bound ({min(ratios):.3f} to {max(ratios):.3f})"
        f"  copies {middle(reports, 'seed_copies_before_first'):4.2f}  Spearman {middle(reports, 'spearman'):5.2f}"
        f"  uplinks {100 * middle(reports, 'uplink_use'):3.0f}%",
        flush=True,
    )
    for index, found in enumerate(reports[0]["classes"]):
        if len(reports[0]["classes"]) > 1:
            times = [report["classes"][index]["completion"]["median"] for report in reports]
            print(f"    {found['name']:45s} median {median(times):7.1f} s")


def picture(title: str, rows: list[tuple[Case, list[dict[str, Any]]]]) -> str:
    """Who is done when, a line a case, of the first seed."""
    lines = []
    for index, (case, reports) in enumerate(rows):
        times = sorted(time for found in reports[0]["classes"] for time in found["done_at"])
        points = [(0.0, 0.0), *((time, 100 * (place + 1) / len(times)) for place, time in enumerate(times))]
        lines.append(Line(case.name, points, COLOURS[index % len(COLOURS)], dashed=index >= len(COLOURS)))
    panels = [
        Panel("Leechers that are done", "seconds", "per cent", lines[begin : begin + 4], y_most=100.0)
        for begin in range(0, len(lines), 4)
    ]
    return draw(title, "one seed of each; no peer leaves", panels)


def main() -> None:
    parser = argparse.ArgumentParser(description="Sweeps over simulated swarms.")
    parser.add_argument("sweep", choices=["flash", "chokers", "riders"])
    parser.add_argument("--leechers", type=int, default=None)
    parser.add_argument("--size", default=None)
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    flash = arguments.sweep == "flash"
    arguments.leechers = arguments.leechers or (100 if flash else 40)
    arguments.size = arguments.size or ("64MiB" if flash else "16MiB")
    seeds = range(1, (arguments.seeds or (5 if flash else 3)) + 1)
    rows = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for case in cases(arguments):
            reports = list(pool.map(lambda seed, case=case: simulate(case, seed), seeds))
            rows.append((case, reports))
            if arguments.json:
                for report in reports:
                    print(json.dumps({"case": case.name, **report}), flush=True)
            else:
                show(case, reports)
    if arguments.plot is not None:
        arguments.plot.write_text(picture(f"{arguments.sweep}: {arguments.leechers} leechers, {arguments.size}", rows))


if __name__ == "__main__":
    main()
