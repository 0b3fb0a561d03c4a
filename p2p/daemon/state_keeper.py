"""What has to go on record, and when: the daemon's torrents and subjects on their way into `DaemonState`.

The rule: whoever changes a torrent says so (`on_change`), and before a verb is answered all that has changed is written
(`settle`). What changes by itself is written within moments (`run`); figures that grow with time go on record now and
then, and at the end. Nothing is written that is as it was.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon.torrent_records import torrent_record
from p2p.errors import StorageError
from p2p.session.event_bus import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.state import DaemonState
    from p2p.daemon.state_records import Keeps
    from p2p.daemon.totals import DaemonTotals
    from p2p.session.event_bus import EventBus

log = logging.getLogger(__name__)

INTERVAL: Final = 1.0
"""Seconds for which changes that nobody waits for are gathered."""

TOTALS_INTERVAL: Final = 60.0
"""Seconds between records of the statistics while something moves."""

IDLE_TOTALS_INTERVAL: Final = 900.0
"""The same while nothing does: a disk at rest may stay so."""

HISTORY_INTERVAL: Final = 3600.0
"""Seconds between records of how long each torrent has been at work: what a crash can take of that. What a torrent has
moved is in its resume state, much sooner."""

AT_ONCE: Final = 100
"""Torrents put on record before others get their turn on the loop: some milliseconds."""

TORRENT: Final = "torrent/"
SUBJECT: Final = "subject/"
TOTALS: Final = "totals"
COUNTER: Final = "counter"

_TELLING: Final = frozenset({EventKind.METADATA, EventKind.COMPLETE, EventKind.STOPPED})


class StateKeeper:
    """See the module's head. `kept` are the torrents by id; `subjects` are kept under their names."""

    def __init__(
        self,
        state: DaemonState,
        kept: Mapping[int, ManagedTorrent],
        subjects: Mapping[str, Keeps],
        totals: DaemonTotals,
    ) -> None:
        self.state = state
        self._kept = kept
        self._subjects = subjects
        self._totals = totals
        self._changed: set[int] = set()
        self._removed: dict[int, ManagedTorrent] = {}
        self._is_new = False
        """Whether what waits has a torrent that came or went."""

        self._next = 1
        self._loop = asyncio.get_running_loop()
        self._is_verbose = True

    def on_added(self, managed: ManagedTorrent, next_id: int) -> None:
        """A torrent is new; ids from `next_id` on were never given."""
        self._changed.add(managed.id)
        self._next = next_id
        self._is_new = True

    def on_change(self, torrents: Iterable[ManagedTorrent]) -> None:
        self._changed.update(managed.id for managed in torrents)

    def on_removed(self, torrents: Iterable[ManagedTorrent]) -> None:
        for managed in torrents:
            self._removed[managed.id] = managed
            self._changed.discard(managed.id)
            self._is_new = True

    async def settle(self) -> None:
        """Let all that has changed be written. What cannot be is tried again, and `DaemonState.failure` tells of it."""
        with suppress(StorageError):
            await self._write()

    async def keep(self, managed: ManagedTorrent) -> None:
        """Let a torrent that was just added be on stable storage. Raises StorageError; then it is not on record."""
        try:
            await self._write()
        except StorageError:
            self.state.withdraw([f"{TORRENT}{managed.id}"])
            self.state.put_torrent(Path(managed.torrent_file).stem, None)
            raise

    async def _write(self) -> None:
        sync, self._is_new = self._is_new, False
        changed, self._changed = self._changed, set()
        for number in changed:
            managed = self._kept.get(number)
            if managed is not None:
                self._put(managed)
        removed, self._removed = self._removed, {}
        for managed in removed.values():
            self._drop(managed)
        self._put_subjects()
        if sync:
            self.state.put(COUNTER, {"next": self._next})
        await self.state.flush(sync=sync)

    def _put(self, managed: ManagedTorrent) -> None:
        torrent = managed.torrent
        metainfo = torrent.metainfo
        if metainfo is not None and (not managed.torrent_file or managed.lost_file):
            self.state.put_torrent(torrent.info_hash, metainfo.raw)
            managed.torrent_file = str(self.state.torrent_path(torrent.info_hash))
            managed.lost_file = False
        self.state.put(f"{TORRENT}{managed.id}", torrent_record(managed, self._loop.time()))

    def _drop(self, managed: ManagedTorrent) -> None:
        self.state.put(f"{TORRENT}{managed.id}", None)
        if managed.torrent_file and not self._is_kept(managed.torrent_file):
            self.state.put_torrent(Path(managed.torrent_file).stem, None)

    def _is_kept(self, torrent_file: str) -> bool:
        """Whether the torrent was added again since."""
        return any(each.torrent_file == torrent_file for each in self._kept.values())

    def _put_subjects(self) -> None:
        for name, subject in self._subjects.items():
            self.state.put(f"{SUBJECT}{name}", subject.to_record())

    # -- what nobody waits for

    async def run(self, events: EventBus, find: Callable[[str], ManagedTorrent | None]) -> None:
        """Put on record what changes by itself, until cancelled; `find` knows torrents by info-hash."""
        totals_at = history_at = self._loop.time()
        moved = (-1, -1)
        with events.subscribe() as subscription:
            while True:
                for event in subscription.take():
                    managed = find(event.info_hash) if event.kind in _TELLING else None
                    if managed is not None:
                        self.on_change([managed])
                now = self._loop.time()
                if now >= totals_at:
                    current = self._totals.current(now)
                    is_idle = moved == (current.uploaded_bytes, current.downloaded_bytes)
                    moved = (current.uploaded_bytes, current.downloaded_bytes)
                    totals_at = now + (IDLE_TOTALS_INTERVAL if is_idle else TOTALS_INTERVAL)
                    self.state.put(TOTALS, self._totals.to_record(now))
                    await self.settle()
                if now >= history_at + HISTORY_INTERVAL:
                    history_at = now
                    await self._put_all()
                if self._changed or self._removed:
                    await self.settle()
                await asyncio.sleep(INTERVAL)

    async def _put_all(self) -> None:
        for at, managed in enumerate(list(self._kept.values())):
            if managed.id in self._kept:
                self._put(managed)
            if at % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)

    async def close(self) -> None:
        """The daemon ends: put everything on record as it is now."""
        await self._put_all()
        self.state.put(TOTALS, self._totals.to_record(self._loop.time()))
        self._is_new = True
        await self.settle()
