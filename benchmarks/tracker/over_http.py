"""HTTP announces: Starling's tracker beside opentracker, round by round in turn, under one load.

    over_http.py [--peers N] [--swarms N] [--seconds S] [--rounds N] [--rate N] [--npm] [--json]

Each round (benchmarks/tracker/rivals.py) is a connection for each announce, as many as are answered; kept connections,
each with its next announce once the last is answered (opentracker closes every connection and has no such figure); and
a pace, a connection each at a fixed rate, latency from when a request was due.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rivals import Bench, Program, free_port, medians, options, pinned, print_json, print_table

if TYPE_CHECKING:
    import argparse

CONNECTIONS = 64
"""At once, or in a row where each is for one announce."""


class HttpBench(Bench):
    """Measured by http_load.c."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        super().__init__(asked, folder)
        self.http_load = self.built("http_load")

    def measure(self, program: Program) -> dict[str, float]:
        """All three loads."""
        seconds, cores = self.options.seconds, self.load_cores
        each = self.run_load(self.http_load, program, "close", seconds, CONNECTIONS, cores=cores)
        found = {
            "rate": each["rate"],
            "cpu_us": each["server_cpu_us"],
            "peers": each["peers"],
            "failed": each["failed"],
        }
        if program.name != "opentracker":
            kept = self.run_load(self.http_load, program, "keep", seconds, CONNECTIONS, cores=cores)
            found |= {"kept_rate": kept["rate"], "kept_cpu_us": kept["server_cpu_us"], "kept_failed": kept["failed"]}
        pace = self.run_load(self.http_load, program, "pace", seconds, self.options.rate, cores=cores)
        return found | {"p50_ms": pace["p50_ms"], "p99_ms": pace["p99_ms"], "pace_failed": pace["failed"]}

    def ceilings(self) -> dict[str, float]:
        """The load against a responder that does next to nothing, in announces a second."""
        port = free_port()
        process = subprocess.Popen(pinned(self.server_cores, [self.http_load, "serve", str(port)]))
        program = Program("responder", process, port, self.options.peers, self.options.swarms)
        self.programs.append(program)
        await_connection(port)
        seconds, cores = self.options.seconds, self.load_cores
        return {
            mode: self.run_load(self.http_load, program, mode, seconds, CONNECTIONS, cores=cores)["rate"]
            for mode in ("close", "keep")
        }


def await_connection(port: int) -> None:
    """Until somebody listens."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nobody listens at port {port}")


def show(found: dict[str, Any]) -> None:
    columns = (
        *("tracker", "announces/s", "ratio", "server CPU us", "by CPU", "peers/answer", "failed"),
        *("kept: announces/s", "kept: CPU us", "p50 ms", "p99 ms"),
    )
    rows = []
    for name, each in found["programs"].items():
        kept = [f"{each['kept_rate']:.0f}", f"{each['kept_cpu_us']:.1f}"] if "kept_rate" in each else ["-", "-"]
        failed = each["failed"] + each.get("kept_failed", 0) + each["pace_failed"]
        cells = [
            name,
            f"{each['rate']:.0f}",
            f"{each['ratio']:.2f}",
            f"{each['cpu_us']:.1f}",
            f"{each['cpu_ratio']:.2f}",
        ]
        cells += [f"{each['peers']:.1f}", f"{failed:.0f}", *kept, f"{each['p50_ms']:.3f}", f"{each['p99_ms']:.3f}"]
        rows.append(cells)
    print_table(columns, rows)
    print("\nceilings of the load: " + json.dumps({mode: round(rate) for mode, rate in found["ceilings"].items()}))


def main() -> None:
    """Measure and print."""
    asked = options()
    with tempfile.TemporaryDirectory() as folder:
        bench = HttpBench(asked, Path(folder))
        try:
            ceilings = bench.ceilings()
            measured = bench.run_rounds()
        finally:
            bench.close()
    found: dict[str, Any] = {"programs": medians(measured), "ceilings": ceilings}
    if asked.json:
        print_json(found, measured)
    else:
        show(found)


if __name__ == "__main__":
    main()
