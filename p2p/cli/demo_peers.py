"""The tracker and the peers of the demo: this very program in processes of their own, watched through what they say.

The rule: no process outlives the demo. Each is told to stop and then made to; and should the demo itself be killed, the
next line that a peer writes finds no reader, which ends it, and the tracker's input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import p2p
from p2p.cli.stop_signals import TERMINATED
from p2p.errors import StarlingError
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

TRACKER: Final = "tracker"

GRACE: Final = 10.0
"""Seconds between asking a peer to stop and making it: it tells its tracker and syncs what it has first."""

_STOPPED: Final = (0, TERMINATED, -signal.SIGTERM)
"""Exit statuses of a peer that was stopped, be it before it could catch the signal."""

_LINE_LIMIT: Final = 1 << 20
"""Bytes of an event: connections of hundreds of peers."""


class DemoPeer:
    """One process, and what it last said of itself."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process
        self.figures: dict[str, Any] = {}
        """The latest of each figure of its events."""
        self.complete = False
        self.from_seed = 0
        self.from_leechers = 0
        """Bytes, as far as connections were seen."""
        self._by_connection: dict[str, tuple[int, bool]] = {}

    @property
    def progress(self) -> float:
        return float(self.figures.get("progress", 0.0))

    def on_event(self, event: dict[str, Any], *, seed_alone: bool) -> None:
        """Take in an event. `seed_alone` tells that nobody but the seed has everything yet."""
        self.figures.update(event)
        self.complete = self.complete or event["event"] == "complete"
        for connection in event.get("connections", ()):
            known = self._by_connection.get(connection["address"], (0, False))
            is_seed = known[1] or (seed_alone and connection["progress"] == 1)
            self._by_connection[connection["address"]] = (max(known[0], connection["downloaded"]), is_seed)
        self.from_seed = sum(count for count, is_seed in self._by_connection.values() if is_seed)
        self.from_leechers = sum(count for count, is_seed in self._by_connection.values() if not is_seed)


class DemoSwarm:
    """The processes. Leaving it stops them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scope = Scope()
        self._stopping = False
        self._changed = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []
        self.peers: list[DemoPeer] = []
        self._tracker: DemoPeer | None = None
        self.failure: str | None = None

    async def __aenter__(self) -> DemoSwarm:
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:
            for peer in self._all():
                if peer.process.returncode is None:
                    peer.process.kill()
            await self._scope.__aexit__(kind, error, trace)

    async def start_tracker(self, config: str, *arguments: str) -> str:
        """Run a tracker, whose configuration is the TOML text; its HTTP announce URL."""
        file = self._folder / "tracker.toml"
        await asyncio.to_thread(file.write_text, config)
        self._tracker = await self._run(
            TRACKER, "tracker", "serve", "--config", file, "--json", "--stop-with-stdin", *arguments
        )
        while "urls" not in self._tracker.figures:
            await self.changed(GRACE)
        return str(self._tracker.figures["urls"][0])

    async def start(self, name: str, *arguments: str | Path) -> DemoPeer:
        """Run a peer: `starling` with `arguments` in the swarm's folder."""
        peer = await self._run(name, *arguments)
        self.peers.append(peer)
        return peer

    async def _run(self, name: str, *arguments: str | Path) -> DemoPeer:
        package = Path(p2p.__file__).parent.parent
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(self._folder / f"state of {name}"),
            "PYTHONPATH": os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "p2p",
            *arguments,
            stdin=PIPE if name == TRACKER else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self._folder,
            env=environment,
            limit=_LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is for the demo, which stops them in order
        )
        peer = DemoPeer(name, process)
        self._watchers.append(self._scope.start(self._watch(peer), name=name))
        return peer

    async def changed(self, within: float) -> None:
        """Wait until a peer says something, or `within` seconds are over. Raises StarlingError once a peer failed."""
        try:
            async with asyncio.timeout(within):
                await self._changed.wait()
        except TimeoutError:
            pass  # nothing new is an answer too
        self._changed.clear()
        if self.failure is not None:
            raise StarlingError(self.failure)

    async def stop(self) -> None:
        """Stop every process that runs, the tracker last, and wait until all have said their last.

        Then `failure` is settled.
        """
        self._stopping = True
        await self._stop(self.peers)
        await self._stop([] if self._tracker is None else [self._tracker])
        for watcher in self._watchers:
            await watcher

    def _all(self) -> list[DemoPeer]:
        return self.peers if self._tracker is None else [*self.peers, self._tracker]

    async def _stop(self, peers: Sequence[DemoPeer]) -> None:
        running = [peer for peer in peers if peer.process.returncode is None]
        for peer in running:
            peer.process.terminate()
        for peer in running:
            try:
                async with asyncio.timeout(GRACE):
                    await peer.process.wait()
            except TimeoutError:
                self.failure = self.failure or f"{peer.name} did not stop"
                peer.process.kill()

    async def _watch(self, peer: DemoPeer) -> None:
        stdout, stderr = peer.process.stdout, peer.process.stderr
        if stdout is None or stderr is None:
            raise RuntimeError("a peer's output is not piped")
        complaints = self._scope.start(stderr.read(), name=f"complaints of {peer.name}")
        async for line in stdout:
            if not line.startswith(b"{"):
                continue
            event = json.loads(line)
            peer.on_event(event, seed_alone=not any(other.complete for other in self.peers[1:]))
            if event["event"] == "error":
                self.failure = self.failure or f"{peer.name}: {event.get('message')}"
            self._changed.set()
        said = (await complaints).decode(errors="replace").strip().rpartition("\n")[2]
        status = await peer.process.wait()
        if self._stopping and status in _STOPPED:
            return
        why = f": {said.removeprefix('error: ')}" if said else ""
        self.failure = self.failure or f"{peer.name} ended with status {status}{why}"
        self._changed.set()
