"""Runs a session for a command: adds what the user named, reports what happens, and stops in good order.

The rule: whatever ends it (all is done, a signal, an error, a reader that went away) passes through the session's own
stop, and the outcome says what the command's exit status must follow from.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

from p2p.cli.stop_signals import INTERRUPTED, TERMINATED, StoppedError, StopSignals
from p2p.session.session import Session
from p2p.session.snapshot import TorrentSnapshot, TorrentState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from p2p.metainfo.magnet import Magnet
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.event_bus import Event
    from p2p.session.settings import Settings, TorrentOptions
    from p2p.session.torrent import Torrent

REFRESH: Final = 0.5
"""Seconds between looks at the torrents."""


class Until(Enum):
    """When a command is done."""

    COMPLETE = "complete"
    """Every torrent has what is wanted of it."""

    STOPPED = "stopped"
    """Every torrent has stopped: at its seeding goal, or because somebody stops it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A torrent to run. `torrent_file` is the file it was read from or written to, if there is one."""

    source: Metainfo | Magnet
    options: TorrentOptions
    torrent_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A job that runs."""

    job: Job
    torrent: Torrent

    def snapshot(self) -> TorrentSnapshot:
        return self.torrent.snapshot()


class Reporter(Protocol):
    """Shows a user, or a program, how it goes. `now` is the loop's time in seconds."""

    def start(self, port: int) -> None:
        """The session listens on `port`."""

    def event(self, event: Event, transfer: Transfer, now: float) -> None: ...

    def progress(self, transfers: Sequence[Transfer], now: float) -> None:
        """Called every REFRESH seconds, after every event, and once at the end."""

    def close(self) -> None:
        """Nothing follows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    failed: bool
    complete: bool
    """Every torrent has what is wanted of it."""
    stopped_by: signal.Signals | None

    def status(self, *, long_running: bool) -> int:
        """The exit status. `long_running` commands are not expected to be done when SIGTERM ends them."""
        if self.failed:
            return 1
        if self.stopped_by is signal.SIGINT:
            return INTERRUPTED
        if self.stopped_by is signal.SIGTERM and not (long_running or self.complete):
            return TERMINATED
        return 0


async def run_transfers(
    settings: Settings, jobs: Sequence[Job], until: Until, reporter: Reporter, signals: StopSignals
) -> Outcome:
    """Run `jobs` until they are done or a signal comes. Raises StarlingError for what cannot even begin."""
    loop = asyncio.get_running_loop()
    transfers: list[Transfer] = []
    complete = False
    try:
        async with Session(settings) as session:
            with session.events.subscribe() as events:

                def report() -> None:
                    taken = events.take()
                    for event in taken:
                        transfer = by_hash.get(event.info_hash)
                        if transfer is not None:
                            reporter.event(event, transfer, loop.time())
                    reporter.progress(transfers, loop.time())

                try:
                    async with signals.interrupting():
                        transfers += [Transfer(job, await session.add(job.source, job.options)) for job in jobs]
                except StoppedError:
                    return Outcome(failed=False, complete=False, stopped_by=signals.received)
                by_hash = {transfer.torrent.info_hash: transfer for transfer in transfers}
                reporter.start(session.port)
                signals.on_stop(events.wake)
                while signals.received is None:
                    report()
                    if _is_done(transfers, until):
                        break
                    with suppress(TimeoutError):
                        async with asyncio.timeout(REFRESH):
                            await events.ready()
                complete = all(transfer.snapshot().complete for transfer in transfers)
                for transfer in transfers:
                    transfer.torrent.request_stop()
                for transfer in transfers:
                    await transfer.torrent.stopped()
                report()
    finally:
        signals.on_stop(None)
        reporter.close()
    failed = any(transfer.torrent.failure is not None for transfer in transfers)
    return Outcome(failed=failed, complete=complete, stopped_by=signals.received)


def _is_done(transfers: Sequence[Transfer], until: Until) -> bool:
    ended = (TorrentState.ERROR, TorrentState.STOPPED)
    if until is Until.COMPLETE:
        return all(transfer.torrent.state in (*ended, TorrentState.SEEDING) for transfer in transfers)
    return all(transfer.torrent.state in ended for transfer in transfers)
