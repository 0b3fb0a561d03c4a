"""Programs as users run them, on loopback: their output line by line, their JSON events, signals by their own handle.

Every program's state lives below a folder of the test's own, and every one dies with the test process.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STARLING = Path(sys.executable).with_name("starling")
TRACKER_CONFIG = Path(__file__).parent / "tracker.toml"
TAIL = 5
"""Events and complaints of each program in the report of a failure."""

KILL_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""

_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def _die_with_parent() -> None:
    if _prctl is not None:
        _prctl(KILL_WITH_PARENT, signal.SIGKILL)


def make_torrent(folder: Path, seed: int, size: int, *options: str) -> tuple[Path, Path]:
    """Content of a size below `folder`, and its torrent with those options of `create`; the path of either."""
    content, torrent = folder / "seed" / "content.bin", folder / "content.torrent"
    content.parent.mkdir()
    content.write_bytes(random.Random(seed).randbytes(size))
    command = (STARLING, "create", content, "-o", torrent, *options)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return content, torrent


class Program:
    """A running program."""

    def __init__(self, name: str, child: asyncio.subprocess.Process) -> None:
        self.name = name
        self.events: list[dict[str, Any]] = []
        """What it said in JSON, one object a line of stdout."""
        self.complaints: list[str] = []
        """Lines of stderr."""
        self._child = child
        self._grown = asyncio.Event()
        self._readers = [
            asyncio.create_task(self._read_events(), name=f"stdout of {name}"),
            asyncio.create_task(self._read_complaints(), name=f"stderr of {name}"),
        ]

    @property
    def pid(self) -> int:
        return self._child.pid

    async def _read_events(self) -> None:
        async for line in self._child.stdout:
            self.events.append(json.loads(line))
            self._grown.set()

    async def _read_complaints(self) -> None:
        async for line in self._child.stderr:
            self.complaints.append(line.decode(errors="replace").rstrip())

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event that is wanted, told already or still to come. AssertionError if the program ends without."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if wanted(event):
                    return event
            seen = len(self.events)
            if self._readers[0].done():
                raise AssertionError(f"{self.name} ended: {self.complaints}; last said {self.events[-1:]}")
            self._grown.clear()
            grown = asyncio.ensure_future(self._grown.wait())
            try:
                await asyncio.wait([grown, self._readers[0]], return_when=asyncio.FIRST_COMPLETED)
            finally:
                grown.cancel()

    async def event(self, kind: str, **facts: Any) -> dict[str, Any]:
        """The first event of that kind with those facts."""
        wanted = {"event": kind, **facts}
        return await self.until(lambda event: wanted.items() <= event.items())

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """The events of that kind so far."""
        return (event for event in self.events if event["event"] == kind)

    def send(self, number: signal.Signals) -> None:
        """A signal, unless the program has ended."""
        if self._child.returncode is None:
            self._child.send_signal(number)

    async def ended(self) -> int:
        """Waits for its end; the exit status, negative for a signal that killed it."""
        await asyncio.wait(self._readers)  # which a test that gives up here must not take along
        for reader in self._readers:
            reader.result()
        return await self._child.wait()

    async def end(self, number: signal.Signals) -> int:
        """Sends a signal and waits; the exit status."""
        self.send(number)
        return await self.ended()


class Programs:
    """Starts programs; `close` kills those that still run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Program] = []

    async def start(self, name: str, *argv: str | Path | int, state: str) -> Program:
        """Runs a program whose state is kept below the test's folder as `state`."""
        home = str(self._folder / "state" / state)
        child = await asyncio.create_subprocess_exec(
            *map(str, argv),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self._folder,
            env=os.environ | {"HOME": home, "XDG_STATE_HOME": home, "LC_ALL": "C.UTF-8"},
            limit=1 << 20,
            preexec_fn=_die_with_parent,
        )
        program = Program(name, child)
        self._running.append(program)
        return program

    async def starling(self, command: str, *argv: str | Path | int, state: str) -> Program:
        """`starling COMMAND ... --json`, on loopback, in no DHT but one that `--bootstrap` names, asking no router."""
        where = ("--bind", "127.0.0.1", "--json", "--no-lsd", "--no-nat")
        where += () if "--bootstrap" in argv else ("--no-dht",)
        if command == "daemon" and "--port" not in argv:
            where += ("--port", 0)
        return await self.start(f"{command} ({state})", STARLING, command, *argv, *where, state=state)

    async def tracker(self) -> tuple[Program, str]:
        """This project's tracker on any port, and its HTTP announce URL. It tells of every announce."""
        serve = (STARLING, "tracker", "serve", "--config", TRACKER_CONFIG, "--json")
        where = ("--bind", "127.0.0.1", "--http-port", 0, "--udp-port", 0)
        program = await self.start("tracker", *serve, *where, state="tracker")
        urls = (await program.event("listening"))["urls"]
        return program, next(url for url in urls if url.startswith("http"))

    def tails(self) -> str:
        """The last that each program said, for the report of a test that fails."""
        lines: list[str] = []
        for program in self._running:
            lines.append(f"{program.name}: {len(program.events)} events")
            lines += [f"  {json.dumps(event)}" for event in program.events[-TAIL:]]
            lines += [f"  stderr: {line}" for line in program.complaints[-TAIL:]]
        return "\n".join(lines)

    async def close(self) -> None:
        for program in reversed(self._running):
            await program.end(signal.SIGKILL)


def state_folder(folder: Path, state: str) -> Path:
    """Where the resume state of that name is."""
    return folder / "state" / state / "starling" / "resume"
