"""The daemons under measurement, each a process of its own, and what their processes cost; both speak one RPC."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
START_TIMEOUT = 120.0
PATIENCE = 600.0
SEEDING = 6
"""A status of the RPC."""
_TOKEN = "X-Transmission-Session-Id"


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


class Rpc:
    """One kept connection to a daemon's RPC, in its legacy dialect, which both speak."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
        self._token = ""

    def close(self) -> None:
        self._connection.close()

    def raw(self, body: bytes) -> bytes:
        """One request; the bytes of its answer."""
        while True:
            try:
                self._connection.request("POST", "/transmission/rpc", body, {_TOKEN: self._token})
                answer = self._connection.getresponse()
            except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
                self._connection.close()  # one that was idle for long is closed by the daemon
                continue
            content = answer.read()
            if answer.status == 409:
                self._token = answer.getheader(_TOKEN, "")
                continue
            if answer.status != 200:
                raise RuntimeError(f"the RPC answered {answer.status}: {content[:200]!r}")
            return content

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        answer = json.loads(self.raw(request(method, **arguments)))
        if answer["result"] != "success":
            raise RuntimeError(f"{method}: {answer['result']}")
        result: dict[str, Any] = answer["arguments"]
        return result

    def add(self, data: bytes, folder: Path, *, paused: bool = False) -> None:
        self.call(
            "torrent-add",
            metainfo=base64.b64encode(data).decode(),
            paused=paused,
            **{"download-dir": str(folder)},
        )

    def statuses(self) -> list[int]:
        return [each["status"] for each in self.call("torrent-get", fields=["status"])["torrents"]]

    def all_seed(self) -> bool:
        return all(status == SEEDING for status in self.statuses())

    def timed(self, body: bytes) -> tuple[float, int]:
        """Seconds of one request, from its first byte to the last of its answer; and how many bytes that has."""
        began = time.perf_counter()
        size = len(self.raw(body))
        return time.perf_counter() - began, size


def wait_until(what: str, holds: Callable[[], bool], within: float) -> float:
    """Seconds until it held."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > within:
            raise RuntimeError(f"{what}: not within {within:.0f} s")
        time.sleep(1.0)
    return time.perf_counter() - began


class Trackers:
    """The process of the tracker hosts; they tell everybody of `peers`."""

    def __init__(self, count: int, delay: float = 0.0, peers: Iterable[str] = ()) -> None:
        port = free_port()
        hosts = [f"127.0.1.{number + 1}" for number in range(count)]
        self.urls = [f"http://{host}:{port}/announce" for host in hosts]
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("tracker_hosts.py")),
                "--port",
                str(port),
                "--delay",
                str(delay),
                *(f"--peer={peer}" for peer in peers),
                *hosts,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def counts(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("counts\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def request(method: str, **arguments: Any) -> bytes:
    return json.dumps({"method": method, "arguments": arguments}).encode()


class Daemon(ABC):
    """A running daemon with a home of its own below `home`."""

    name = ""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.home.mkdir(parents=True, exist_ok=True)
        self.rpc_port = free_port()
        self.peer_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def argv(self) -> list[str]:
        """What is run."""

    def start(self) -> float:
        """Start, and return the seconds until the RPC answered first."""
        state = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(self.home))
        began = time.perf_counter()
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | state
            )
        while True:
            rpc = Rpc(self.rpc_port)
            with contextlib.suppress(OSError, http.client.HTTPException):
                rpc.call("session-get")
                rpc.close()
                return time.perf_counter() - began
            rpc.close()
            if self._process.poll() is not None or time.perf_counter() - began > START_TIMEOUT:
                raise RuntimeError(f"{self.name} did not start; see {self.home / 'log'}")
            time.sleep(0.01)

    def stop(self) -> float:
        """Stop in good order; the seconds that took."""
        process, self._process = self._process, None
        if process is None:
            return 0.0
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.perf_counter() - began

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of processor time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> tuple[int, int]:
        """Resident bytes now, and the most so far."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) * 1024, int(status["VmHWM"].split()[0]) * 1024

    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def switches(self) -> int:
        """How often its main thread gave up the processor of its own accord: each is one wake-up."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return int(status["voluntary_ctxt_switches"])


class Starling(Daemon):
    name = "starling"

    def __init__(self, home: Path, *extra: str, dht: bool = False) -> None:
        super().__init__(home)
        self._extra = [*extra, "--bootstrap", f"{HOST}:{free_port()}"] if dht else [*extra, "--no-dht"]

    def argv(self) -> list[str]:
        return [
            str(Path(sys.executable).with_name("starling")),
            "daemon",
            "--rpc-port",
            str(self.rpc_port),
            "--port",
            str(self.peer_port),
            "--bind",
            HOST,
            "--no-lsd",
            "--download-dir",
            str(self.home),
            *self._extra,
        ]


class Transmission(Daemon):
    name = "transmission"

    def __init__(self, home: Path, *, dht: bool = False) -> None:
        super().__init__(home)
        settings = {
            "bind-address-ipv4": HOST,
            "bind-address-ipv6": "::1",
            "dht-enabled": dht,
            "download-dir": str(home),
            "lpd-enabled": False,
            "peer-limit-global": 1_000,
            "peer-limit-per-torrent": 600,
            "peer-port": self.peer_port,
            "pex-enabled": True,
            "port-forwarding-enabled": False,
            "rpc-bind-address": HOST,
            "rpc-port": self.rpc_port,
            "utp-enabled": False,
        }
        (home / "settings.json").write_text(json.dumps(settings))

    def argv(self) -> list[str]:
        return ["transmission-daemon", "-f", "-g", str(self.home), "--no-portmap"]
