"""Programs that users have run when a torrent comes, is complete, or has been seeded enough, as Transmission runs them.

The rule: no shell reads anything that a stranger wrote; what is told stands in variables of the environment, under the
names that scripts in use know. A script that hangs or floods costs nobody else anything: so many run at once, each for
so long, and of what they say the first lines are logged. Secrets of ours are not among their variables.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from p2p.daemon.event_log import tell
from p2p.daemon.session_fields import COMPATIBLE
from p2p.operation.supervisor import VARIABLES
from p2p.session.event_bus import EventKind
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues
    from p2p.session.event_bus import EventBus

AT_ONCE: Final = 4
"""Scripts that run at once: unpackers and uploaders, of which more would only slow each other down."""

MAX_WAITING: Final = 1_000
"""Scripts that wait for their turn: a client that adds more at once goes without for the rest, and the log says so."""

TIME: Final = 3_600.0
"""Seconds that a script may take: unpacking something large takes minutes."""

GRACE: Final = 5.0
"""Seconds between being told to end and being ended, also when the daemon stops."""

MAX_LINES: Final = 200
MAX_LINE: Final = 1_000
"""Lines and signs of a line that are logged of what a script says."""


MAX_VARIABLE: Final = 30_000
"""Signs of a variable: what the kernel takes of one is 128 KiB, of which a sign may need four bytes."""

MAX_COMPLETED: Final = 100_000
"""Torrents that are known to be told of; beyond it the one that was complete first is forgotten."""


class Occasion(Enum):
    """When a script runs; its value is in the names of the settings."""

    ADDED = "added"
    DONE = "done"
    DONE_SEEDING = "done_seeding"


SETTINGS: Final = tuple(
    f"script_torrent_{occasion.value}_{what}" for occasion in Occasion for what in ("enabled", "filename")
)


@dataclass(frozen=True, slots=True)
class _Job:
    occasion: Occasion
    path: str
    variables: dict[str, str]
    name: str
    info_hash: str


class Scripts:
    """See the module's head. `environ` is what scripts get beside their own variables, `wall` the date in seconds."""

    def __init__(
        self, values: SessionValues, *, environ: Mapping[str, str], wall: Callable[[], float], patience: float = TIME
    ) -> None:
        self._values = values
        self._wall = wall
        self._environ = {
            name: text for name, text in environ.items() if name not in VARIABLES and not name.startswith("STARLING_")
        }
        self._patience = patience
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(MAX_WAITING)
        self._completed: dict[str, float] = {}
        """When torrents became complete, on the loop's clock: each is told of once."""
        values.applied_by(SETTINGS, self.apply)

    async def apply(self, changes: Mapping[str, Json]) -> None:
        """They are read when they are needed."""

    def on_added(self, managed: ManagedTorrent) -> None:
        """A torrent is new."""
        self._run_for(Occasion.ADDED, managed)

    def on_finished(self, managed: ManagedTorrent) -> None:
        """A torrent has been seeded enough."""
        self._run_for(Occasion.DONE_SEEDING, managed)

    async def run(self, events: EventBus, find: Callable[[str], ManagedTorrent | None]) -> None:
        """Until cancelled; then what still runs is told to end."""
        async with Scope() as scope:
            for number in range(AT_ONCE):
                scope.start(self._work(), name=f"scripts {number}")
            with events.subscribe() as happenings:
                async for event in happenings:
                    managed = find(event.info_hash)
                    if event.kind is EventKind.COMPLETE and managed is not None:
                        self._on_complete(managed)

    def _on_complete(self, managed: ManagedTorrent) -> None:
        """Which is told of at each start of a torrent, and means something only where it was not so before."""
        at = managed.torrent.completed_at
        if at is not None and self._completed.get(managed.hash_string) != at:
            self._completed[managed.hash_string] = at
            if len(self._completed) > MAX_COMPLETED:
                del self._completed[next(iter(self._completed))]
            self._run_for(Occasion.DONE, managed)

    def _run_for(self, occasion: Occasion, managed: ManagedTorrent) -> None:
        path = self._values.text(f"script_torrent_{occasion.value}_filename")
        if not path or not self._values.flag(f"script_torrent_{occasion.value}_enabled"):
            return
        job = _Job(occasion, path, variables_of(managed, self._wall()), managed.name, managed.hash_string)
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            facts: dict[str, Any] = {"script": path, "torrent": job.name, "info_hash": job.info_hash}
            tell("too many scripts wait, and one is left out", level=logging.WARNING, **facts)

    async def _work(self) -> None:
        while True:
            await self._carry_out(await self._jobs.get())

    async def _carry_out(self, job: _Job) -> None:
        facts: dict[str, Any] = {
            "script": job.path,
            "torrent": job.name,
            "info_hash": job.info_hash,
            "when": job.occasion.value,
        }
        try:
            child = await asyncio.create_subprocess_exec(
                job.path,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=STDOUT,
                cwd="/",
                env={**self._environ, **job.variables},
                start_new_session=True,  # so that what it starts ends with it
                limit=MAX_LINE * 8,
            )
        except (OSError, ValueError) as error:
            tell("a script cannot be started", level=logging.ERROR, reason=str(error), **facts)
            return
        tell("a script runs", **facts, process=child.pid)
        try:
            async with asyncio.timeout(self._patience):
                await _log_output(child, {"script": job.path, "info_hash": job.info_hash})
                status = await child.wait()
        except TimeoutError:
            tell("a script takes too long, and is ended", level=logging.ERROR, seconds=self._patience, **facts)
            await _end(child)
        except asyncio.CancelledError:
            tell("a script is ended with the daemon", level=logging.WARNING, **facts)
            await asyncio.shield(_end(child))
            raise
        else:
            level = logging.INFO if status == 0 else logging.WARNING
            tell("a script has ended", level=level, status=status, **facts)


async def _log_output(child: asyncio.subprocess.Process, facts: Mapping[str, Any]) -> None:
    """Read all that it says, so that it never waits for us, and log the beginning, each line with `facts`."""
    if child.stdout is None:
        return
    told = 0
    while True:
        try:
            line = await child.stdout.readline()
        except ValueError:  # longer than the limit, of which the reader has thrown away what it had
            line = b"(a line that is too long)\n"
        if not line:
            return
        told += 1
        if told <= MAX_LINES:
            tell("a script says", **facts, line=line.decode("utf-8", "replace").rstrip()[:MAX_LINE])
        elif told == MAX_LINES + 1:
            tell("a script says more than is logged", **facts, lines=MAX_LINES)


async def _end(child: asyncio.subprocess.Process) -> None:
    """End it and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await child.wait()
                return


def variables_of(managed: ManagedTorrent, wall: float) -> dict[str, str]:
    """What a script is told of a torrent, under Transmission's names."""
    trackers = dict.fromkeys(tracker.announce for tracker in managed.trackers())
    told = {
        "TR_APP_VERSION": COMPATIBLE,
        "TR_TIME_LOCALTIME": datetime.fromtimestamp(wall, UTC).astimezone().strftime("%a %b %d %H:%M:%S %Y"),
        "TR_TORRENT_BYTES_DOWNLOADED": str(managed.downloaded_ever),
        "TR_TORRENT_DIR": managed.download_dir,
        "TR_TORRENT_HASH": managed.hash_string,
        "TR_TORRENT_ID": str(managed.id),
        "TR_TORRENT_LABELS": ",".join(managed.labels),
        "TR_TORRENT_NAME": managed.name,
        "TR_TORRENT_PRIORITY": str(int(managed.bandwidth_priority)),
        "TR_TORRENT_TRACKERS": ",".join(trackers),
    }
    return {name: _plain(text)[:MAX_VARIABLE] for name, text in told.items()}


def _plain(text: str) -> str:
    """Without what no variable can hold; bytes of paths that are no text stay as they are."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "")
