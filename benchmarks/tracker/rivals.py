"""Trackers under a load: what the measurements of UDP and of HTTP announces share.

Every tracker serves HTTP and UDP at one port of loopback and is filled by UDP with the same peers, each announced once.
Then they are measured in turn, round by round. The server has one core, the load (built here with cc) the other.
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
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
STARLING = Path(sys.executable).with_name("starling")
NPM_PEERS = 20_000
"""It takes some four thousand announces a second: a million would be five minutes of filling."""

CONFIG = "[announce]\nmin_interval = 1\n"
"""The load comes back to each peer after seconds; rivals know no min interval."""

NPM_SERVER = """import Server from 'bittorrent-tracker/server'
const server = new Server({ udp: true, http: true, ws: false, stats: false })
server.on('error', error => { console.error(error.message); process.exit(1) })
server.on('warning', () => {})
const port = Number(process.argv[2])
server.listen({ http: port, udp: port }, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' })
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
        """End it. Idempotent."""
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


class Bench(ABC):
    """Programs, cores, and the load; a form of it measures something."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.udp_load = self.built("udp_load")
        cores = sorted(os.sched_getaffinity(0))
        self.server_cores = cores[:1]
        self.load_cores = cores[1:2] or cores[:1]
        self.all_cores = cores
        self.programs: list[Program] = []

    @abstractmethod
    def measure(self, program: Program) -> dict[str, float]:
        """One round of one tracker."""

    def run_rounds(self) -> list[Program]:
        """Fill Starling and the rivals and measure them in turn; all run until the bench ends."""
        measured = [self.starling("starling", cores=self.server_cores), self.opentracker()]
        if self.options.npm:
            measured.append(self.npm())
        for program in measured:
            self.fill(program)
        for _ in range(self.options.rounds):
            for program in measured:
                program.rounds.append(self.measure(program))
        return measured

    def close(self) -> None:
        for program in self.programs:
            program.stop()

    def built(self, name: str) -> Path:
        """A program of this folder."""
        target = self.folder / name
        subprocess.run(["cc", "-O2", "-o", target, HERE / f"{name}.c"], check=True)
        return target

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

    def run_load(
        self, load: Path, program: Program, mode: str, *arguments: float, cores: list[int]
    ) -> dict[str, float]:
        """One run; its own report with the server's processor time a request, in microseconds."""
        places = (program.port, program.peers, program.swarms)
        command: list[str | Path] = [load, mode, *map(str, (*places, *arguments))]
        before = program.cpu()
        output = subprocess.run(pinned(cores, command), check=True, capture_output=True).stdout
        report: dict[str, float] = json.loads(output)
        report["server_cpu_us"] = 1e6 * (program.cpu() - before) / max(1.0, report["answered"])
        return report

    def fill(self, program: Program) -> None:
        before = program.resident()
        self.run_load(self.udp_load, program, "fill", cores=self.load_cores)
        program.memory = (program.resident() - before) / program.peers

    def starling(self, name: str, *options: str, cores: list[int]) -> Program:
        port = free_port()
        (self.folder / "tracker.toml").write_text(CONFIG, encoding="ascii")
        command: list[str | Path] = [STARLING, "tracker", "serve", "--config", "tracker.toml", "--bind", "127.0.0.1"]
        command += ["--http-port", str(port), "--udp-port", str(port), *options]
        return self.start(name, command, port, cores=cores, peers=self.options.peers)

    def opentracker(self) -> Program:
        """Debian's build answers for the torrents of a list only."""
        port = free_port()
        home = self.folder / "opentracker"
        home.mkdir()
        hashes = [info_hash(n).hex() for n in range(self.options.swarms)]
        (home / "whitelist").write_text("\n".join(hashes) + "\n", encoding="ascii")
        for path in (self.folder, home, home / "whitelist"):
            path.chmod(0o755)
        command: list[str | Path] = ["opentracker", "-i", "127.0.0.1", "-p", str(port), "-P", str(port)]
        command += ["-d", home, "-u", "nobody", "-w", "whitelist"]
        return self.start("opentracker", command, port, cores=self.server_cores, peers=self.options.peers)

    def npm(self) -> Program:
        """bittorrent-tracker of the npm registry."""
        port = free_port()
        install = ["npm", "install", "--silent", "--ignore-scripts", "bittorrent-tracker"]
        subprocess.run(install, cwd=self.folder, check=True)
        (self.folder / "server.mjs").write_text(NPM_SERVER, encoding="ascii")
        command: list[str | Path] = ["node", "server.mjs", str(port)]
        return self.start("npm bittorrent-tracker", command, port, cores=self.server_cores, peers=NPM_PEERS)


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


def medians(programs: Sequence[Program]) -> dict[str, dict[str, float]]:
    """Of each tracker's rounds, with its ratios to opentracker: of rates, and of processor time an announce."""
    found = {
        each.name: {name: statistics.median(one[name] for one in each.rounds) for name in each.rounds[0]}
        for each in programs
    }
    rival = found["opentracker"]
    for own in found.values():
        own["ratio"] = own["rate"] / rival["rate"]
        own["cpu_ratio"] = rival["cpu_us"] / own["cpu_us"]
    return found


def options(*, has_workers: bool = False) -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=1_000_000)
    parser.add_argument("--swarms", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=10_000)
    if has_workers:
        parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--npm", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(columns) + " |")
    print("| --- " * len(columns) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_json(found: dict[str, Any], programs: Sequence[Program]) -> None:
    """With every round."""
    print(json.dumps(found | {"rounds": {each.name: each.rounds for each in programs}}))
