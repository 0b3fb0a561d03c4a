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

from p2p.daemon.restoring import TORRENT, found_again, restored
from p2p.daemon.state_records import RecordReader
from p2p.daemon.torrent_records import torrent_record
from p2p.errors import StorageError
from p2p.session.event_bus import EventKind
from p2p.session.scope import Scope
from p2p.session.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.state import DaemonState
    from p2p.daemon.state_records import Keeps, KeepsMany
    from p2p.daemon.totals import DaemonTotals
    from p2p.session.environment import Environment
    from p2p.session.event_bus import EventBus, Subscription
    from p2p.session.session import Session

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

SUBJECT: Final = "subject/"
REMOVAL: Final = "removal/"
SETTINGS: Final = "settings"
TOTALS: Final = "totals"
COUNTER: Final = "counter"


class StateKeeper:
    """See the module's head. `kept` are the torrents by id; `subjects` are kept under their names."""

    def __init__(
        self,
        state: DaemonState,
        kept: Mapping[int, ManagedTorrent],
        subjects: Mapping[str, Keeps],
        totals: DaemonTotals,
        undo: KeepsMany,
    ) -> None:
        self._state = state
        self._kept = kept
        self._subjects = subjects
        self._totals = totals
        self._undo = undo
        self._undoable: set[str] = set()
        """Names of removals that are on record."""

        self._changed: set[int] = set()
        self._removed: list[ManagedTorrent] = []
        self._is_new = False
        """Whether what waits has a torrent that came or went."""

        self.next_number = 1
        """From here on no torrent has had a number."""

        self._gathering = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    # -- what was kept

    def restore_subjects(self) -> None:
        """Let the subjects and the statistics take in their records; the first of all."""
        records = self._state.records(SUBJECT)
        for name, subject in self._subjects.items():
            if name in records:
                subject.from_record(records.pop(name))
        removals = self._state.records(REMOVAL)
        self._undoable = set(removals)
        self._undo.from_records(removals)
        for name in records:
            log.warning("the state has %.100r, which this version does not know, and keeps", name)
        self._totals.from_record(self._state.records(TOTALS).get("", {}))
        counter = RecordReader(self._state.records(COUNTER).get("", {}), "the counter")
        self.next_number = counter.integer("next", 1, low=1)

    async def restored(self, session: Session, environment: Environment) -> AsyncIterator[ManagedTorrent]:
        """The torrents, stopped, in the order of their numbers."""
        others: set[int] = set()
        async for managed in restored(self._state, session, environment, others.add):
            self.next_number = max(self.next_number, managed.id + 1)
            yield managed
            if managed.id in others:
                self._put(managed)
        async for managed in found_again(self._state, session, environment, self.next_number):
            self.next_number = managed.id + 1
            yield managed
            self._put(managed)
        self._state.take_over()
        with suppress(StorageError):  # tried again, and told by `DaemonState.failure`
            await self._state.flush(sync=True)

    def begin(self) -> None:
        """Everything is as it is on record, whatever has happened on the way there."""
        self._changed.clear()

    # -- what changes

    def on_change(self, number: int) -> None:
        """The torrent of that number."""
        self._changed.add(number)

    def on_removed(self, managed: ManagedTorrent) -> None:
        self._removed.append(managed)
        self._is_new = True

    async def settle(self) -> None:
        """Let all that has changed be written. What cannot be is tried again, and `DaemonState.failure` tells of it."""
        with suppress(StorageError):
            await self.write()

    async def keep(self, managed: ManagedTorrent) -> None:
        """Let a torrent that was just added be on stable storage. Raises StorageError; then it is not on record."""
        self._changed.add(managed.id)
        self.next_number = max(self.next_number, managed.id + 1)
        try:
            await self.write(sync=True)
        except StorageError:
            self._state.withdraw([f"{TORRENT}{managed.id}"])
            raise

    async def write(self, *, sync: bool = False) -> None:
        """Let all that has changed be written, and with `sync` or where a torrent came or went be on stable storage.

        Raises StorageError; then it is tried again with the next.
        """
        async with self._gathering:  # so that nobody is answered while another holds what he has changed
            sync, self._is_new = sync or self._is_new, False
            changed, self._changed = self._changed, set()
            for at, number in enumerate(changed, 1):
                managed = self._kept.get(number)
                if managed is not None:
                    self._put(managed)
                if at % AT_ONCE == 0:
                    await asyncio.sleep(0)
            removed, self._removed = self._removed, []
            for managed in removed:
                self._drop(managed)
            self._put_subjects()
            if sync:
                self._state.put(COUNTER, {"next": self.next_number})
        await self._state.flush(sync=sync)

    def _put(self, managed: ManagedTorrent) -> None:
        torrent = managed.torrent
        metainfo = torrent.metainfo
        if metainfo is not None and (not managed.torrent_file or managed.lost_file):
            self._state.put_torrent(torrent.info_hash, metainfo.raw)
            managed.torrent_file = str(self._state.torrent_path(torrent.info_hash))
            managed.lost_file = False
        self._state.put(f"{TORRENT}{managed.id}", torrent_record(managed, self._loop.time()))

    def _drop(self, managed: ManagedTorrent) -> None:
        self._state.put(f"{TORRENT}{managed.id}", None)
        if managed.torrent_file and not self._is_kept(managed.torrent_file):
            self._state.put_torrent(Path(managed.torrent_file).stem, None)

    def _is_kept(self, torrent_file: str) -> bool:
        """Whether the torrent was added again since."""
        return any(each.torrent_file == torrent_file for each in self._kept.values())

    def _put_subjects(self) -> None:
        for name, subject in self._subjects.items():
            self._state.put(f"{SUBJECT}{name}", subject.to_record())
        removals = self._undo.to_records()
        for name in self._undoable - removals.keys():
            self._state.put(f"{REMOVAL}{name}", None)
        for name in removals.keys() - self._undoable:
            self._state.put(f"{REMOVAL}{name}", removals[name])
        self._undoable = set(removals)

    # -- what nobody waits for

    async def run(self, events: EventBus, find: Callable[[str], ManagedTorrent | None]) -> None:
        """Put on record what changes by itself, until cancelled, and then everything as it is; `find` knows torrents by
        info-hash."""
        try:
            async with Scope() as scope:
                scope.start(self._state.run(), name="sync of the state")
                with events.subscribe() as subscription:
                    await self._watch(subscription, find)
        finally:
            await uninterrupted(self._end())

    async def _watch(self, subscription: Subscription, find: Callable[[str], ManagedTorrent | None]) -> None:
        totals_at = history_at = self._loop.time()
        moved, lost = (-1, -1), 0
        while True:
            if subscription.lost != lost:  # among them may have been that metadata came
                lost = subscription.lost
                bare = (each for each in self._kept.values() if not each.torrent_file)
                self._changed.update(each.id for each in bare if each.torrent.metainfo is not None)
            for event in subscription.take():
                managed = find(event.info_hash) if event.kind is EventKind.METADATA else None
                if managed is not None:
                    self._changed.add(managed.id)
            now = self._loop.time()
            if now >= totals_at:
                current = self._totals.current(now)
                is_idle = moved == (current.uploaded_bytes, current.downloaded_bytes)
                moved = (current.uploaded_bytes, current.downloaded_bytes)
                totals_at = now + (IDLE_TOTALS_INTERVAL if is_idle else TOTALS_INTERVAL)
                self._state.put(TOTALS, self._totals.to_record(now))
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

    async def _end(self) -> None:
        await self._put_all()
        self._state.put(TOTALS, self._totals.to_record(self._loop.time()))
        with suppress(StorageError):
            await self.write(sync=True)
