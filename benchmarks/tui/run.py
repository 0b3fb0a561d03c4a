"""`starling tui`, stig and tewi over one daemon with many torrents: how soon they are there, and what they cost.

A Starling daemon on loopback has torrents as `benchmarks/daemon/idle.py` makes them; they are stopped, so that nothing
moves but what this moves. Each interface is begun several times in a pseudo-terminal of 160 x 48: seconds from the
start of the process until anything and until torrents are drawn; then from a key to what is drawn after it, while
labels of torrents change by the second; then processor time and bytes drawn while nothing changes, and memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))

from content import sparse_torrents
from daemons import Rpc, Starling
from interfaces import INTERFACES, Interface, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANGES = 100
"""Torrents that change each second while keys are measured."""


@contextlib.contextmanager
def changing(port: int, torrents: int) -> Iterator[None]:
    """Meanwhile the state of some torrents is another every second."""
    ended = threading.Event()

    def change() -> None:
        rpc, turn = Rpc(port), 0
        while not ended.wait(1.0):
            turn += 1
            first = 1 + turn * CHANGES % max(1, torrents - CHANGES)
            ids = [*range(1, 1 + CHANGES // 2), *range(first, first + CHANGES // 2)]  # half of them where one looks
            rpc.call("torrent-set", ids=ids, labels=[f"turn {turn}"])
        rpc.close()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure(interface: Interface, port: int, home: Path, options: argparse.Namespace, *, idle: float) -> dict[str, Any]:
    """One run, with so many seconds in which nothing changes, if any. Seconds, bytes and per cent."""
    home.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {}
    with Running(interface, port, home) as running:
        told["first paint s"] = running.first_paint(options.patience)
        told["list s"] = running.until(interface.shows, options.patience)
        running.rest(options.settle)
        with changing(port, options.torrents):
            running.rest(1.0)
            keys = []
            for _ in range(options.keys):
                running.rest(0.07)
                keys.append(running.key(options.patience) * 1000)
        told["key p50 ms"] = statistics.median(keys)
        told["key p95 ms"] = statistics.quantiles(keys, n=20)[-1]
        if idle:
            running.rest(options.settle)
            cpu, began = running.cpu(), time.perf_counter()
            drawn = running.rest(idle)
            told["idle cpu %"] = 100 * (running.cpu() - cpu) / (time.perf_counter() - began)
            told["idle bytes/s"] = drawn / idle
        told["rss MiB"] = running.memory() / 2**20
    return told


def table(figures: dict[str, dict[str, Any]]) -> str:
    names = [interface.name for interface in INTERFACES if interface.name in figures]
    rows = list(dict.fromkeys(row for each in figures.values() for row in each if row != "failed"))
    lines = [f"{'median':<14}" + "".join(f"{name:>12}" for name in names)]
    for row in rows:
        cells = [figures[name].get(row) for name in names]
        lines.append(f"{row:<14}" + "".join(f"{'-' if cell is None else f'{cell:.2f}':>12}" for cell in cells))
    lines += [f"{name}: {figures[name]['failed']}" for name in names if "failed" in figures[name]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torrents", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each interface")
    parser.add_argument("--keys", type=int, default=60, help="that are measured in each run")
    parser.add_argument("--seconds", type=float, default=20.0, help="in which nothing moves, in the first run of each")
    parser.add_argument("--settle", type=float, default=3.0, help="seconds of rest before each measurement")
    parser.add_argument("--patience", type=float, default=45.0, help="seconds before an interface is given up")
    parser.add_argument("--only", choices=[each.name for each in INTERFACES])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="where content and state go for the time")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tui-", dir=options.folder))
    figures: dict[str, dict[str, Any]] = {}
    try:
        with Starling(home / "daemon") as daemon:
            rpc = Rpc(daemon.rpc_port)
            for made in sparse_torrents(home / "content", options.torrents, ["http://127.0.0.1:1/announce"]):
                rpc.add(made.data, home / "content", paused=True)
            rpc.close()
            for interface in INTERFACES:
                if options.only not in (None, interface.name):
                    continue
                runs = []
                try:
                    for turn in range(options.rounds):
                        idle = 0.0 if turn else options.seconds  # once is enough for what takes so long
                        runs.append(measure(interface, daemon.rpc_port, home / interface.name, options, idle=idle))
                except (TimeoutError, OSError) as error:
                    figures[interface.name] = {"failed": str(error)}
                if runs:
                    medians = {row: statistics.median(run[row] for run in runs if row in run) for row in runs[0]}
                    figures[interface.name] = medians | figures.get(interface.name, {})
                print(f"{interface.name}: {len(runs)} of {options.rounds} runs", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    told = {"torrents": options.torrents, "cores": os.cpu_count(), "interfaces": figures}
    print(json.dumps(told) if options.json else table(figures))


if __name__ == "__main__":
    main()
