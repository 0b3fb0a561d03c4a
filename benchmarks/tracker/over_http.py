"""HTTP announces: Starling's tracker beside opentracker, round by round in turn, under one load.

    over_http.py [--peers N] [--swarms N] [--seconds S] [--rounds N] [--rate N] [--npm] [--json]

Every tracker is filled with the same peers first, each announced once, by UDP as in udp.py. Then, in turn: a connection
for each announce, as many as are answered; kept connections, each with its next announce once the last is answered
(opentracker closes every connection and has no such figure); and a pace, a connection each at a fixed rate, latency
from when a request was due. The server has one core, the load (http_load.c, built here with cc) the other.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from udp import CONFIG, HERE, NPM_PEERS, STARLING, Bench, Program, free_port, pinned

CONNECTIONS = 64
"""At once, or in a row where each is for one announce."""

NPM_SERVER = """import Server from 'bittorrent-tracker/server'
const server = new Server({ udp: true, http: true, ws: false, stats: false })
server.on('error', error => { console.error(error.message); process.exit(1) })
server.on('warning', () => {})
const port = Number(process.argv[2])
server.listen({ http: port, udp: port }, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' })
"""


class HttpBench(Bench):
    """The same programs, at one port for HTTP and UDP."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        super().__init__(options, folder)
        self.udp_load, self.http_load = self.load, folder / "http_load"
        subprocess.run(["cc", "-O2", "-o", self.http_load, HERE / "http_load.c"], check=True)

    def run_load(self, program: Program, mode: str, *arguments: float, cores: list[int]) -> dict[str, float]:
        """As in udp.py; everything but the filling goes over HTTP."""
        self.load = self.udp_load if mode == "fill" else self.http_load
        return super().run_load(program, mode, *arguments, cores=cores)

    def measure(self, program: Program) -> None:
        """All three loads."""
        seconds, cores = self.options.seconds, self.load_cores
        each = self.run_load(program, "close", seconds, CONNECTIONS, cores=cores)
        found = {
            "rate": each["rate"],
            "cpu_us": each["server_cpu_us"],
            "peers": each["peers"],
            "failed": each["failed"],
        }
        if program.name != "opentracker":
            kept = self.run_load(program, "keep", seconds, CONNECTIONS, cores=cores)
            found |= {"kept_rate": kept["rate"], "kept_cpu_us": kept["server_cpu_us"], "kept_failed": kept["failed"]}
        pace = self.run_load(program, "pace", seconds, self.options.rate, cores=cores)
        found |= {"p50_ms": pace["p50_ms"], "p99_ms": pace["p99_ms"], "pace_failed": pace["failed"]}
        program.rounds.append(found)

    def starling_over_http(self) -> Program:
        port = str(free_port())
        (self.folder / "tracker.toml").write_text(CONFIG, encoding="ascii")
        command: list[str | Path] = [STARLING, "tracker", "serve", "--config", "tracker.toml", "--bind", "127.0.0.1"]
        command += ["--http-port", port, "--udp-port", port]
        return self.start("starling", command, int(port), cores=self.server_cores, peers=self.options.peers)

    def npm_over_http(self) -> Program:
        """bittorrent-tracker of the npm registry."""
        port = free_port()
        install = ["npm", "install", "--silent", "--ignore-scripts", "bittorrent-tracker"]
        subprocess.run(install, cwd=self.folder, check=True)
        (self.folder / "server.mjs").write_text(NPM_SERVER, encoding="ascii")
        command: list[str | Path] = ["node", "server.mjs", str(port)]
        return self.start("npm bittorrent-tracker", command, port, cores=self.server_cores, peers=NPM_PEERS)

    def ceilings(self) -> dict[str, float]:
        """The load against a responder that does next to nothing, in announces a second."""
        port = free_port()
        process = subprocess.Popen(pinned(self.server_cores, [self.http_load, "serve", str(port)]))
        program = Program("responder", process, port, self.options.peers, self.options.swarms)
        self.programs.append(program)
        await_connection(port)
        return {
            mode: self.run_load(program, mode, self.options.seconds, CONNECTIONS, cores=self.load_cores)["rate"]
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


def report(programs: list[Program], ceilings: dict[str, float]) -> dict[str, Any]:
    """Medians of the rounds, and ratios to opentracker."""
    medians = {
        each.name: {name: statistics.median(one[name] for one in each.rounds) for name in each.rounds[0]}
        for each in programs
    }
    rival = medians["opentracker"]
    for found in medians.values():
        found["ratio"] = found["rate"] / rival["rate"]
        found["cpu_ratio"] = rival["cpu_us"] / found["cpu_us"]
    return {"programs": medians, "ceilings": ceilings}


def show(found: dict[str, Any]) -> None:
    columns = [
        *("tracker", "announces/s", "ratio", "server CPU us", "by CPU", "peers/answer", "failed"),
        *("kept: announces/s", "kept: CPU us", "p50 ms", "p99 ms"),
    ]
    print("| " + " | ".join(columns) + " |")
    print("| --- " * len(columns) + "|")
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
        print("| " + " | ".join(cells) + " |")
    print("\nceilings of the load: " + json.dumps({mode: round(rate) for mode, rate in found["ceilings"].items()}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=1_000_000)
    parser.add_argument("--swarms", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--npm", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = HttpBench(options, Path(folder))
        try:
            ceilings = bench.ceilings()
            measured = [bench.starling_over_http(), bench.opentracker()]
            if options.npm:
                measured.append(bench.npm_over_http())
            for program in measured:
                bench.fill(program)
            for _ in range(options.rounds):
                for program in measured:
                    bench.measure(program)
        finally:
            for program in bench.programs:
                program.stop()
    found = report(measured, ceilings)
    if options.json:
        print(json.dumps(found | {"rounds": {each.name: each.rounds for each in measured}}))
    else:
        show(found)


if __name__ == "__main__":
    main()
