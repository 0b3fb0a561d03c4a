"""UDP announces: Starling's tracker beside opentracker, round by round in turn, under one load.

    udp.py [--peers N] [--swarms N] [--seconds S] [--rounds N] [--rate N] [--workers N] [--npm] [--json]

Each round (benchmarks/tracker/rivals.py) is a flood (as many announces as are answered, some hundred under way) and a
pace (a fixed rate, latency from when a request was due). `--workers` measures several processes of Starling beside one,
with all cores for servers and load together.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rivals import Bench, Program, free_port, medians, options, print_json, print_table

IN_FLIGHT = 256


class UdpBench(Bench):
    """Measured by udp_load.c."""

    def measure(self, program: Program) -> dict[str, float]:
        """A flood and a pace."""
        seconds, cores = self.options.seconds, self.load_cores
        flood = self.run_load(self.udp_load, program, "flood", seconds, IN_FLIGHT, cores=cores)
        pace = self.run_load(self.udp_load, program, "pace", seconds, self.options.rate, cores=cores)
        return {
            "rate": flood["rate"],
            "cpu_us": flood["server_cpu_us"],
            "load_cpu_us": flood["cpu_us"],
            "peers": flood["peers"],
            "lost": flood["lost"],
            "p50_ms": pace["p50_ms"],
            "p99_ms": pace["p99_ms"],
            "pace_lost": pace["lost"],
        }

    def ceiling(self) -> float:
        """The load against a responder that does next to nothing, in announces a second."""
        port = free_port()
        command: list[str | Path] = [self.udp_load, "echo", str(port)]
        program = self.start("echo", command, port, cores=self.server_cores, peers=self.options.peers)
        seconds, cores = self.options.seconds, self.load_cores
        return self.run_load(self.udp_load, program, "flood", seconds, IN_FLIGHT, cores=cores)["rate"]

    def workers(self) -> dict[str, float]:
        """Several processes beside one, on all cores with the load; announces a second, medians."""
        found = {}
        for count in (1, self.options.workers):
            program = self.starling(f"{count} workers", "--workers", str(count), cores=self.all_cores)
            self.run_load(self.udp_load, program, "fill", cores=self.all_cores)
            rates = [
                self.run_load(self.udp_load, program, "share", self.options.seconds, IN_FLIGHT, cores=self.all_cores)[
                    "rate"
                ]
                for _ in range(self.options.rounds)
            ]
            found[str(count)] = statistics.median(rates)
            program.stop()
        found["ratio"] = found[str(self.options.workers)] / found["1"]
        return found


def show(found: dict[str, Any]) -> None:
    columns = (
        *("tracker", "announces/s", "ratio", "server CPU us", "by CPU"),
        *("bytes/peer", "p50 ms", "p99 ms", "peers/answer", "lost"),
    )
    rows = [
        [
            name,
            f"{each['rate']:.0f}",
            f"{each['ratio']:.2f}",
            f"{each['cpu_us']:.2f}",
            f"{each['cpu_ratio']:.2f}",
            f"{each['bytes_a_peer']:.0f}",
            f"{each['p50_ms']:.3f}",
            f"{each['p99_ms']:.3f}",
            f"{each['peers']:.1f}",
            f"{each['lost']:.0f}",
        ]
        for name, each in found["programs"].items()
    ]
    print_table(columns, rows)
    print(f"\nceiling of the load: {found['ceiling']:.0f} announces/s")
    if found["workers"]:
        print("workers, all cores shared with the load: " + json.dumps(found["workers"]))


def main() -> None:
    """Measure and print."""
    asked = options(has_workers=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = UdpBench(asked, Path(folder))
        try:
            ceiling = bench.ceiling()
            measured = bench.run_rounds()
            for program in measured:
                program.stop()
            workers = bench.workers() if asked.workers > 1 else None
        finally:
            bench.close()
    found: dict[str, Any] = {"programs": medians(measured), "ceiling": ceiling, "workers": workers}
    for program in measured:
        found["programs"][program.name] |= {"bytes_a_peer": program.memory, "peers_in_all": float(program.peers)}
    if asked.json:
        print_json(found, measured)
    else:
        show(found)


if __name__ == "__main__":
    main()
