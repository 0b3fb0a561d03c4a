"""What a search for peers costs in simulated DHTs of growing size, as `starling simulate dht --at-rest` plays them: one
process a size, and a plot of times, hops, messages, memory and wall time by number of nodes.

    .venv/bin/python benchmarks/swarm/dht_sizes.py --plot dht-sizes.svg
    .venv/bin/python benchmarks/swarm/dht_sizes.py --sizes 1000,10000 --searches 200 --json
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from p2p.simulation.dht_plan import DhtPlan
from p2p.simulation.dht_plot import plot_sizes
from p2p.simulation.dht_scenario import DhtScenario

if TYPE_CHECKING:
    from p2p.simulation.dht_report import DhtReport

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 193_000)
"""193,000 peers are the largest swarm on record."""


def play(plan: DhtPlan) -> DhtReport:
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return DhtScenario(plan, time.perf_counter).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of nodes")
    parser.add_argument("--searches", type=int, default=1_000)
    parser.add_argument("--dead", type=float, default=0.2, help="share of table entries that are dead")
    parser.add_argument("--nat", type=float, default=0.3, help="share of nodes behind NAT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="an SVG file")
    parser.add_argument("--json", action="store_true", help="print a report a line")
    options = parser.parse_args()
    plans = [
        DhtPlan(
            seed=options.seed,
            nodes=int(size),
            dead_share=options.dead,
            nat_share=options.nat,
            searches=options.searches,
            upkeep=False,
        )
        for size in options.sizes.split(",")
    ]
    spawn = multiprocessing.get_context("spawn")
    reports = []
    if not options.json:
        print("  nodes   found  first ms    p95   over s  hops  queries  messages    made   KiB each  wall s")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for report in pool.map(play, plans):
            reports.append(report)
            print(json.dumps(report.to_json()) if options.json else row(report), flush=True)
    if options.plot is not None:
        options.plot.write_text(plot_sizes(reports))


def row(report: DhtReport) -> str:
    first, whole, hops, queries, messages = (
        report.first_peers,
        report.whole,
        report.hops,
        report.queries,
        report.messages,
    )
    if first is None or whole is None or hops is None or queries is None or messages is None:
        return f"{report.plan.nodes:7,}   nothing found"
    return (
        f"{report.plan.nodes:7,} {100 * report.found / report.searches:6.1f}% {1_000 * first.median:9.0f} "
        f"{1_000 * first.p95:6.0f} {whole.median:8.2f} {hops.mean:5.2f} {queries.mean:8.1f} {messages.mean:9.1f} "
        f"{report.made:7,} {(report.memory or 0) / 1_024:10.0f} {report.build_time + report.wall_time:7.0f}"
    )


if __name__ == "__main__":
    main()
