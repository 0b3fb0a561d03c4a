"""Runs a session for a command: adds what the user named, reports what happens, and stops in good order.

What ends it decides the exit status: 0 when everything asked for is done, 1 when a torrent failed, 130 on Ctrl-C, and on
SIGTERM 0 for a command that runs until it is stopped, 143 for one that was still at work.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from p2p.metainfo.metainfo import Metainfo
from p2p.session.event_bus import Event
from p2p.session.session import Session
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentSnapshot, TorrentState
from p2p.session.torrent import Torrent

REFRESH: Final = 0.5
"""Seconds between looks at the torrents."""

INTERRUPTED: Final = 130
TERMINATED: Final = 143


class Until(Enum):
    """When a command is done."""

    COMPLETE = "complete"
    """Every torrent has what is wanted of it."""

    GOALS = "goals"
    """Every torrent has stopped by itself: its seeding goal is reached."""

    STOPPED = "stopped"
    """Somebody stops it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A torrent to run."""

    metainfo: Metainfo
    options: TorrentOptions


class Reporter(Protocol):
    """Shows a user, or a program, how it goes."""

    def start(self, session: Session) -> None: ...

    def event(self, event: Event, snapshot: TorrentSnapshot | None) -> None: ...

    def progress(self, snapshots: Sequence[TorrentSnapshot]) -> None:
        """Called every REFRESH seconds and once at the end."""

    def close(self) -> None: ...


async def run_transfers(settings: Settings, jobs: Sequence[Job], until: Until, reporter: Reporter) -> int:
    """Run `jobs` until they are done or somebody stops them; the exit status. Raises StarlingError."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[signal.Signals] = loop.create_future()

    try:
        async with Session(settings) as session:
            with session.events.subscribe() as events:

                def on_signal(number: signal.Signals) -> None:
                    if not stop.done():
                        stop.set_result(number)
                        events.wake()

                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, on_signal, number)
                reporter.start(session)
                torrents = [await session.add(job.metainfo, job.options) for job in jobs]
                by_hash = {torrent.info_hash: torrent for torrent in torrents}

                def report() -> None:
                    for event in events.take():
                        torrent = by_hash.get(event.info_hash)
                        reporter.event(event, None if torrent is None else torrent.snapshot())

                while not stop.done():
                    report()
                    reporter.progress([torrent.snapshot() for torrent in torrents])
                    if _is_done(torrents, until):
                        break
                    with suppress(TimeoutError):
                        async with asyncio.timeout(REFRESH):
                            await events.ready()
                for torrent in torrents:
                    torrent.request_stop()
                for torrent in torrents:
                    await torrent.stopped()
                report()
                reporter.progress([torrent.snapshot() for torrent in torrents])
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        reporter.close()
    if any(torrent.failure is not None for torrent in torrents):
        return 1
    if stop.done() and stop.result() is signal.SIGINT:
        return INTERRUPTED
    if stop.done() and until is Until.COMPLETE:
        return TERMINATED
    return 0


def _is_done(torrents: Sequence[Torrent], until: Until) -> bool:
    ended = (TorrentState.ERROR, TorrentState.STOPPED)
    if until is Until.COMPLETE:
        return all(torrent.state in (*ended, TorrentState.SEEDING) for torrent in torrents)
    return all(torrent.state in ended for torrent in torrents)
