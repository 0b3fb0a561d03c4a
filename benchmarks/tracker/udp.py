"""UDP announces: Starling's tracker beside opentracker, round by round in turn, under one load.

    udp.py [--peers N] [--swarms N] [--seconds S] [--rounds N] [--rate N] [--workers N] [--npm] [--json]

Every tracker is filled with the same peers first, each announced once. Then, in turn: a flood (as many announces as are
answered, some hundred under way) and a pace (a fixed rate, latency from when a request was due). The server has one
core, the load (udp_load.c, built here with cc) the other. `--workers` measures several processes of Starling beside
one, with all cores for servers and load together.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
STARLING = Path(sys.executable).with_name("starling")
IN_FLIGHT = 256
NPM_PEERS = 20_000
"""It takes some four thousand announces a second: a million would be five minutes of filling."""

CONFIG = "[announce]\nmin_interval = 1\n"
"""The load comes back to each peer after seconds; rivals know no min interval."""

NPM_SERVER = """import { Server } from 'bittorrent-tracker/server'
const server = new Server({ udp: true, http: false, ws: false, stats: false })
server.on('error', error => { console.error(error.message); process.exit(1) })
server.on('warning', () => {})
server.listen(Number(process.argv[2]), '127.0.0.1')
"""


@dataclass
class Program:
    """A tracker that runs, and what was measured of it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    peers: int
    swarms: int
    memory: float = 0.0
    rounds: list[dict[str, float]] = field(default_factory=list)

    def pids(self) -> list[int]:
        """It and its children."""
        own = self.process.pid
        found = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii")
        return [own, *map(int, found.split())]

    def cpu(self) -> float:
        """Seconds of processor time so far, user and system."""
        return sum(self._cpu_of(pid) for pid in self.pids())

    def resident(self) -> int:
        """Bytes."""
        return sum(
            int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for pid in self.pids()
        )

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @staticmethod
    def _cpu_of(pid: int) -> float:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """Programs, cores, and the load."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.load = folder / "udp_load"
        subprocess.run(["cc", "-O2", "-o", self.load, HERE / "udp_load.c"], check=True)
        cores = sorted(os.sched_getaffinity(0))
        self.server_cores = cores[:1]
        self.load_cores = cores[1:2] or cores[:1]
        self.all_cores = cores
        self.programs: list[Program] = []

    def start(self, name: str, command: list[str | Path], port: int, *, cores: list[int], peers: int) -> Program:
        """Start a tracker and wait until it answers."""
        swarms = max(1, self.options.swarms * peers // self.options.peers)
        log = (self.folder / f"{name.replace(' ', '-')}.log").open("wb")
        process = subprocess.Popen(pinned(cores, command), stdout=log, stderr=log, cwd=self.folder)
        log.close()
        program = Program(name, process, port, peers, swarms)
        self.programs.append(program)
        await_answer(program)
        return program

    def run_load(self, program: Program, mode: str, *arguments: float, cores: list[int]) -> dict[str, float]:
        """One run; its own report with the server's processor time a request, in microseconds."""
        command: list[str | Path] = [
            self.load,
            mode,
            str(program.port),
            str(program.peers),
            str(program.swarms),
            *map(str, arguments),
        ]
        before = program.cpu()
        output = subprocess.run(pinned(cores, command), check=True, capture_output=True).stdout
        report: dict[str, float] = json.loads(output)
        report["server_cpu_us"] = 1e6 * (program.cpu() - before) / max(1.0, report["answered"])
        return report

    def fill(self, program: Program) -> None:
        before = program.resident()
        self.run_load(program, "fill", cores=self.load_cores)
        program.memory = (program.resident() - before) / program.peers

    def measure(self, program: Program) -> None:
        """A flood and a pace."""
        flood = self.run_load(program, "flood", self.options.seconds, IN_FLIGHT, cores=self.load_cores)
        pace = self.run_load(program, "pace", self.options.seconds, self.options.rate, cores=self.load_cores)
        program.rounds.append(
            {
                "rate": flood["rate"],
                "cpu_us": flood["server_cpu_us"],
                "load_cpu_us": flood["cpu_us"],
                "peers": flood["peers"],
                "lost": flood["lost"],
                "p50_ms": pace["p50_ms"],
                "p99_ms": pace["p99_ms"],
                "pace_lost": pace["lost"],
            }
        )

    def starling(self, name: str, *options: str, cores: list[int]) -> Program:
        port = free_port()
        (self.folder / "tracker.toml").write_text(CONFIG, encoding="ascii")
        command: list[str | Path] = [
            STARLING,
            "tracker",
            "serve",
            "--config",
            "tracker.toml",
            "--bind",
            "127.0.0.1",
            "--no-http",
        ]
        return self.start(
            name, [*command, "--udp-port", str(port), *options], port, cores=cores, peers=self.options.peers
        )

    def opentracker(self) -> Program:
        """Debian's build answers for the torrents of a list only."""
        port = free_port()
        home = self.folder / "opentracker"
        home.mkdir()
        hashes = [info_hash(n).hex() for n in range(self.options.swarms)]
        (home / "whitelist").write_text("\n".join(hashes) + "\n", encoding="ascii")
        for path in (self.folder, home, home / "whitelist"):
            path.chmod(0o755)
        command: list[str | Path] = [
            "opentracker",
            "-i",
            "127.0.0.1",
            "-p",
            str(port),
            "-P",
            str(port),
            "-d",
            home,
            "-u",
            "nobody",
        ]
        return self.start(
            "opentracker", [*command, "-w", "whitelist"], port, cores=self.server_cores, peers=self.options.peers
        )

    def npm(self) -> Program:
        """bittorrent-tracker of the npm registry."""
        port = free_port()
        subprocess.run(
            ["npm", "install", "--silent", "--ignore-scripts", "bittorrent-tracker"], cwd=self.folder, check=True
        )
        (self.folder / "server.mjs").write_text(NPM_SERVER, encoding="ascii")
        command: list[str | Path] = ["node", "server.mjs", str(port)]
        return self.start("npm bittorrent-tracker", command, port, cores=self.server_cores, peers=NPM_PEERS)

    def ceiling(self) -> dict[str, float]:
        """The load against a responder that does next to nothing."""
        port = free_port()
        command: list[str | Path] = [self.load, "echo", str(port)]
        program = self.start("echo", command, port, cores=self.server_cores, peers=self.options.peers)
        return self.run_load(program, "flood", self.options.seconds, IN_FLIGHT, cores=self.load_cores)

    def workers(self) -> dict[str, float]:
        """Several processes beside one, on all cores with the load; announces a second, medians."""
        found = {}
        for count in (1, self.options.workers):
            program = self.starling(f"{count} workers", "--workers", str(count), cores=self.all_cores)
            self.run_load(program, "fill", cores=self.all_cores)
            rates = [
                self.run_load(program, "share", self.options.seconds, IN_FLIGHT, cores=self.all_cores)["rate"]
                for _ in range(self.options.rounds)
            ]
            found[str(count)] = statistics.median(rates)
            program.stop()
        found["ratio"] = found[str(self.options.workers)] / found["1"]
        return found


def info_hash(swarm: int) -> bytes:
    """Of the swarm with this number, as udp_load.c makes it."""
    mixed = (swarm + 1) * 0x9E3779B97F4A7C15 % 2**64
    return mixed.to_bytes(8, sys.byteorder) + swarm.to_bytes(8, sys.byteorder) + bytes(4)


def pinned(cores: list[int], command: Sequence[str | Path]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]


def free_port() -> int:
    """A port that is free for datagrams and connections by now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def await_answer(program: Program) -> None:
    """Until a connect is answered."""
    deadline = time.monotonic() + 20.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        while time.monotonic() < deadline and program.process.poll() is None:
            try:
                sock.sendto(bytes.fromhex("0000041727101980") + bytes(8), ("127.0.0.1", program.port))
                sock.recv(100)
            except OSError:  # nobody there yet
                continue
            return
    raise SystemExit(f"{program.name} does not answer")


def report(programs: list[Program], ceiling: dict[str, float], workers: dict[str, float] | None) -> dict[str, Any]:
    """Medians of the rounds, and ratios to opentracker."""
    medians = {
        each.name: {name: statistics.median(one[name] for one in each.rounds) for name in each.rounds[0]}
        | {"bytes_a_peer": each.memory, "peers_in_all": float(each.peers)}
        for each in programs
        if each.rounds
    }
    rival = medians["opentracker"]
    for found in medians.values():
        found["ratio"] = found["rate"] / rival["rate"]
        found["cpu_ratio"] = rival["cpu_us"] / found["cpu_us"]
    return {"programs": medians, "ceiling": ceiling["rate"], "workers": workers}


def show(found: dict[str, Any]) -> None:
    columns = (
        "tracker",
        "announces/s",
        "ratio",
        "server CPU us",
        "by CPU",
        "bytes/peer",
        "p50 ms",
        "p99 ms",
        "peers/answer",
        "lost",
    )
    print("| " + " | ".join(columns) + " |")
    print("| --- " * len(columns) + "|")
    for name, each in found["programs"].items():
        print(
            f"| {name} | {each['rate']:.0f} | {each['ratio']:.2f} | {each['cpu_us']:.2f} | {each['cpu_ratio']:.2f} "
            f"| {each['bytes_a_peer']:.0f} | {each['p50_ms']:.3f} | {each['p99_ms']:.3f} | {each['peers']:.1f} "
            f"| {each['lost']:.0f} |"
        )
    print(f"\nceiling of the load: {found['ceiling']:.0f} announces/s")
    if found["workers"]:
        print("workers, all cores shared with the load: " + json.dumps(found["workers"]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=1_000_000)
    parser.add_argument("--swarms", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--npm", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        try:
            ceiling = bench.ceiling()
            measured = [bench.starling("starling", cores=bench.server_cores), bench.opentracker()]
            if options.npm:
                measured.append(bench.npm())
            for program in measured:
                bench.fill(program)
            for _ in range(options.rounds):
                for program in measured:
                    bench.measure(program)
            for program in measured:
                program.stop()
            workers = bench.workers() if options.workers > 1 else None
        finally:
            for program in bench.programs:
                program.stop()
    found = report(measured, ceiling, workers)
    if options.json:
        print(json.dumps(found | {"rounds": {each.name: each.rounds for each in measured}}))
    else:
        show(found)


if __name__ == "__main__":
    main()
