"""A network of a test's own: a Linux network namespace, and the programs run inside it.

Its only link is loopback, which carries 10.77.0.1 and fd77::1 beside 127.0.0.1 and ::1, because some clients take no
peer in 127.0.0.0/8. Ports are therefore free to be fixed, and nothing can reach beyond the machine. Root makes the
namespace directly, anyone else inside a user namespace. Every program dies with the test process.
"""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from pathlib import Path
from typing import Any, Self

HOST = "10.77.0.1"
HOST_IPV6 = "fd77::1"
POLL = 0.05
"""Seconds between looks at a foreign program that gives no signal."""
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

SET_UP = f"""
set -e
ip link set lo up
ip addr add {HOST}/24 dev lo
ip -6 addr add {HOST_IPV6}/64 dev lo nodad
ip link set lo multicast on
ip route add 239.0.0.0/8 dev lo
echo ready
exec cat
"""


class Process:
    """A program in the namespace. Its output, stdout and stderr as one, is kept as lines; JSON lines are events."""

    def __init__(self, name: str, child: asyncio.subprocess.Process) -> None:
        self.name = name
        self.lines: list[str] = []
        self.events: list[dict[str, Any]] = []
        self._child = child
        self._grown = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name=f"output of {name}")

    async def _read(self) -> None:
        async for raw in self._child.stdout:
            line = raw.decode(errors="replace").rstrip()
            self.lines.append(line)
            if line.startswith("{"):
                self.events.append(json.loads(line))
            self._grown.set()
        self._grown.set()

    async def _search(self, items, wanted):
        seen = 0
        while True:
            for item in items[seen:]:
                if wanted(item):
                    return item
            seen = len(items)
            if self._reader.done():
                raise AssertionError(f"{self.name} ended before it said what was awaited")
            self._grown.clear()
            await self._grown.wait()

    async def line(self, text: str) -> str:
        """The first output line that contains `text`."""
        return await self._search(self.lines, lambda line: text in line)

    async def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The first event of that name with those facts."""
        wanted = {"event": name, **facts}
        return await self._search(self.events, lambda event: wanted.items() <= event.items())

    async def succeeded(self) -> None:
        """Waits for the end of the program and asserts status 0."""
        await asyncio.wait([self._reader])  # which a test that gives up here must not take along
        self._reader.result()
        status = await self._child.wait()
        assert status == 0, f"{self.name} exited with status {status}"

    def assert_running(self) -> None:
        assert not self._reader.done(), f"{self.name} has ended"

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL to what does not heed it; the exit status."""
        if self._child.returncode is None:
            self._child.terminate()
        try:
            async with asyncio.timeout(GRACE):
                await asyncio.wait([self._reader])
                return await self._child.wait()
        except TimeoutError:
            self._child.kill()
            await asyncio.wait([self._reader])
            return await self._child.wait()


class Namespace:
    """The network and its programs; leaving it stops them, the last started first.

    `async with Namespace() as namespace` raises PermissionError where the system allows no namespaces. `set_up` is run
    in it by a shell; `beside` is a namespace whose links may be handed over to this one.
    """

    def __init__(self, *, set_up: str = SET_UP, beside: Namespace | None = None) -> None:
        self.processes: list[Process] = []
        self._set_up = set_up
        self._beside = beside

    async def __aenter__(self) -> Self:
        rootless = ["--map-root-user"] if os.geteuid() else []
        begin = ["unshare", *rootless] if self._beside is None else [*self._beside._enter, "unshare"]
        self._holder = await asyncio.create_subprocess_exec(
            *begin, "--net", "sh", "-c", self._set_up, stdin=PIPE, stdout=PIPE, stderr=STDOUT
        )
        self.pid = self._holder.pid
        first = await self._holder.stdout.readline()
        if first.strip() != b"ready":
            await self._close_holder()
            raise PermissionError(f"no network namespace: {first.decode().strip()}")
        user = ["--user", "--preserve-credentials"] if rootless else []
        self._enter = ["nsenter", "--target", str(self._holder.pid), *user, "--net", "--"]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for process in reversed(self.processes):
            await process.stop()
        await self._close_holder()

    async def _close_holder(self) -> None:
        self._holder.stdin.close()
        await self._holder.communicate()

    async def start(self, name: str, *argv: str | Path, env: dict[str, str] | None = None) -> Process:
        """Starts a program inside; `env` is added to the test's own environment."""
        child = await asyncio.create_subprocess_exec(
            *self._enter,
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *map(str, argv),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=os.environ | {"LC_ALL": "C.UTF-8"} | (env or {}),
            limit=1 << 20,
        )
        process = Process(name, child)
        self.processes.append(process)
        return process

    async def output(self, *argv: str | Path) -> str:
        """Runs a short program inside to its end; its output. Its status is the caller's to read from the text."""
        child = await asyncio.create_subprocess_exec(
            *self._enter, *map(str, argv), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        text, _ = await child.communicate()
        return text.decode(errors="replace")

    def _is_listening(self, port: int) -> bool:
        listening = "0A"
        for table in ("tcp", "tcp6"):
            rows = Path(f"/proc/{self._holder.pid}/net/{table}").read_text().splitlines()[1:]
            for row in rows:
                _, local, _, state, *_ = row.split()
                if state == listening and int(local.rpartition(":")[2], 16) == port:
                    return True
        return False

    async def until_listening(self, port: int, process: Process | None = None) -> None:
        """Waits until somebody listens on that TCP port; fails when `process`, if it is the one, ends first."""
        while not self._is_listening(port):
            if process is not None:
                process.assert_running()
            await asyncio.sleep(POLL)

    def tails(self) -> str:
        """The last words of every program, for the report of a failed test."""
        return "\n".join(f"--- {process.name}\n{_tail(process.lines)}" for process in self.processes)


def _tail(lines: list[str]) -> str:
    return "\n".join(line[:500] for line in lines[-20:])
