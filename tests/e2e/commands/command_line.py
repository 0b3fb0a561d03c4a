"""The command as users run it: in a process of its own, with a home and state of the test's own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRACE = 20.0
"""Seconds between SIGTERM and SIGKILL for what a failed test leaves running."""


@dataclass
class Ended:
    """A command that has run to its end."""

    status: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def failed_with(self, status: int) -> str:
        """Asserts that the command failed in one line, without a traceback; that line without its `error: `."""
        assert self.status == status, self
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("error: "), self
        assert "a bug in this program" not in lines[0], self
        return lines[0].removeprefix("error: ")


class Running:
    """A command that runs; its lines are kept as they come."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._grown = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self._stderr = asyncio.create_task(process.stderr.read())

    async def _read(self) -> None:
        async for raw in self.process.stdout or _nothing():
            self.lines.append(raw.decode().rstrip("\n"))
            self._grown.set()
        self._grown.set()

    async def line(self, wanted) -> str:
        """The first line that `wanted` accepts: a function, or text that the line contains."""
        accepts = wanted if callable(wanted) else lambda line: wanted in line
        seen = 0
        while True:
            for line in self.lines[seen:]:
                if accepts(line):
                    return line
            seen = len(self.lines)
            if self._reader.done():
                raise AssertionError(f"ended without the line: {self.lines}, {await self._stderr}")
            self._grown.clear()
            await self._grown.wait()

    async def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The first event of that name with those facts."""
        wanted = {"event": name, **facts}
        return json.loads(await self.line(lambda line: wanted.items() <= json.loads(line).items()))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> Ended:
        """How it ended by itself."""
        await self._reader
        stderr = (await self._stderr).decode()
        return Ended(await self.process.wait(), "\n".join(self.lines), stderr)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        self.send(number)
        return await self.ended()


async def _nothing():
    for _ in ():
        yield _


class Commands:
    """Runs `starling` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "home" / "state"
        self._running: list[Running] = []

    async def start(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        prefix: tuple[str, ...] = (),
        program: tuple[str | Path, ...] = ("-m", "p2p"),
        stdout: int = PIPE,
        **environment: str,
    ) -> Running:
        """Start a command; `prefix` is a command line that runs another, `program` what Python is to run.

        What goes to another `stdout` than the pipe is not seen here. Transfers take part in no DHT but one that
        `--bootstrap` names, and not in local discovery, and ask no router: tests never speak to others' programs.
        """
        if program == ("-m", "p2p") and {*arguments[:1]} & {"download", "seed"}:
            arguments = (*arguments, "--no-lsd", "--no-nat", *(() if "--bootstrap" in arguments else ("--no-dht",)))
        home = self.folder / "home"
        places = {"HOME": str(home), "XDG_STATE_HOME": str(self.state)}
        process = await asyncio.create_subprocess_exec(
            *prefix,
            sys.executable,
            *program,
            *arguments,
            stdin=DEVNULL,
            stdout=stdout,
            stderr=PIPE,
            cwd=cwd or self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **places, **environment},
            limit=1 << 22,
        )
        running = Running(process)
        self._running.append(running)
        return running

    async def run(self, *arguments: str | Path, **how: Any) -> Ended:
        """Run a command that ends by itself; see `start`."""
        return await (await self.start(*arguments, **how)).ended()

    async def seed(self, *arguments: str | Path, cwd: Path | None = None) -> tuple[Running, str]:
        """A seed that is ready, and where it listens as HOST:PORT."""
        options = ("--bind", "127.0.0.1", "--json")
        running = await self.start("seed", *arguments, *options, cwd=cwd)
        port = (await running.event("added"))["port"]
        await running.event("complete")
        return running, f"127.0.0.1:{port}"

    async def close(self) -> None:
        for running in self._running:
            if running.process.returncode is None:
                running.send(signal.SIGTERM)
            try:
                async with asyncio.timeout(GRACE):
                    await running.ended()
            except TimeoutError:
                running.send(signal.SIGKILL)
                await running.ended()


def make_content(top: Path, *, seed: int = 1) -> Path:
    rng = random.Random(seed)
    for path, size in {"a.flac": 1_234_567, "deep/er/Ünïcödé 鳥.txt": 34_567, "deep/empty": 0, "z": 1}.items():
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(rng.randbytes(size))
    return top


def files_below(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}
