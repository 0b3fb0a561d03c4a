"""Torrents that were removed with their content, for as long as that can be undone.

The rule: removed content lies in a trash folder beside its place for a number of seconds (`starling_undo_seconds`) and
goes for good when they are over, also if the daemon did not run then. What a crash left half removed comes back: a
torrent that is still kept keeps its content, and what nobody can bring back is not left behind for ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.daemon.intent import Intent
from p2p.daemon.managed_torrent import Wishes
from p2p.daemon.removals import Removal
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.daemon.state_records import RecordReader
from p2p.daemon.torrent_records import read_torrent_record
from p2p.errors import StarlingError, StorageError
from p2p.metainfo.metainfo import Metainfo
from p2p.session.ledger import History
from p2p.session.removal import Disposal
from p2p.session.session import Begin
from p2p.session.settings import TorrentOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.session_values import SessionValues
    from p2p.daemon.state_records import Record
    from p2p.session.removal import Removed
    from p2p.session.session import Session
    from p2p.session.torrent import Torrent

log = logging.getLogger(__name__)

SECONDS: Final = "starling_undo_seconds"
"""The setting: how long a removal with content can be undone; 0 deletes at once."""

MAX_ENTRIES: Final = 10_000
"""Removals that are kept at once; beyond them the oldest goes for good before its time."""

LOOK_EVERY: Final = 1.0
"""Seconds between looks at what is over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A removal that can be undone. `until` is seconds since the epoch, as it is told and kept; `due` is the same by
    the loop's clock, which no change of the date moves. `record` is what was kept of the torrent."""

    removed: Removed
    torrent_name: str
    until: float
    due: float
    record: Record

    @property
    def place(self) -> str | None:
        """The folder that its content was in; None where there was none."""
        return str(self.removed.trashed[0].target) if self.removed.trashed else None

    @property
    def name(self) -> str:
        return self.removed.name

    def told(self) -> Removal:
        """As the RPC tells it."""
        return Removal(self.name, self.torrent_name, self.removed.info_hash, self.place or "", int(self.until))


class Undo:
    """See the module's head. `wall` is seconds since the epoch."""

    def __init__(self, session: Session, values: SessionValues, *, wall: Callable[[], float]) -> None:
        self._session = session
        self._values = values
        self._wall = wall
        self._entries: dict[str, Entry] = {}
        self._kept: dict[str, tuple[str, float, Record]] = {}
        """What the record of an earlier run says, until it is known what lies in the trash."""

    async def apply(self, changes: Mapping[str, Json]) -> None:
        """Other seconds hold for removals from now on."""

    def entries(self) -> list[Entry]:
        """What can be undone, the oldest first."""
        return list(self._entries.values())

    def named(self, names: Sequence[str] | None) -> list[str]:
        """The removals that are meant: those named, or the last one. Raises RpcError where nothing can be undone."""
        if names is None:
            if not self._entries:
                raise RpcError(Code.SYSTEM, "there is nothing to undo")
            return [next(reversed(self._entries))]
        return [self._entry(name).name for name in names]

    async def remove(self, managed: ManagedTorrent, record: Record) -> list[str]:
        """Remove a torrent with its content; why that stays, where it cannot be removed. The torrent goes anyhow.

        `record` is what is kept of the torrent.
        """
        seconds = self._values.number(SECONDS)
        try:
            disposal = Disposal.TRASH if seconds > 0 else Disposal.ERASE
            removed = await self._session.remove(managed.torrent, disposal)
        except StorageError as error:
            return [f"the content of {managed.name} stays: {error}"]
        if removed is not None:
            due = asyncio.get_running_loop().time() + seconds
            self._entries[removed.name] = Entry(removed, managed.name, self._wall() + seconds, due, record)
            while len(self._entries) > MAX_ENTRIES:
                await self._purge(next(iter(self._entries.values())))
        return []

    async def bring_back(self, name: str) -> tuple[Torrent, Wishes]:
        """The torrent, with its content, as it was; it stands still.

        Raises RpcError where there is no such removal, StarlingError where it cannot be; then all stays as it is.
        """
        entry = self._entry(name)
        metainfo = Metainfo.from_bytes(entry.removed.torrent)
        if entry.record:
            kept = read_torrent_record(entry.record, entry.torrent_name, self._wall())
            options, wishes, history = kept.options, kept.wishes, kept.history
        else:  # a crash took it
            options = TorrentOptions(download_dir=entry.place or self._values.text("download_dir"))
            wishes, history = Wishes(intent=Intent.STOPPED), History(added_time=self._wall())
        torrent = await self._session.add(metainfo, options, begin=Begin.PAUSED)
        try:
            await self._session.restore(entry.removed)
        except BaseException:
            await self._session.remove(torrent)
            raise
        self._entries.pop(name, None)
        torrent.ledger.take_in(history)
        return torrent, wishes

    async def purge(self, name: str) -> None:
        """Delete removed content for good, before its time. Raises RpcError, StorageError."""
        await self._session.purge(self._entry(name).removed)
        self._entries.pop(name, None)

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise RpcError(Code.SYSTEM, f"there is no removal {name[:100]!r} that can be undone, or its time is over")
        return entry

    async def run(self) -> None:
        """Delete what is over, until cancelled."""
        while True:
            for entry in self.entries():
                if asyncio.get_running_loop().time() >= entry.due:
                    await self._purge(entry)
            await asyncio.sleep(LOOK_EVERY)

    async def _purge(self, entry: Entry) -> None:
        """What cannot be deleted now is tried again after the next start."""
        self._entries.pop(entry.name, None)
        try:
            await self._session.purge(entry.removed)
        except StarlingError as error:
            log.warning("what was removed with %s cannot be deleted: %s", entry.torrent_name, error)

    async def take_in(self, kept: Collection[str]) -> None:
        """Find what earlier runs left in the trash; once, when the torrents are back, whose info-hashes are `kept`."""
        for removed in await self._session.in_trash():
            if removed.info_hash in kept:
                log.warning("a removal was cut short: the content of %s comes back", removed.info_hash)
                try:
                    await self._session.restore(removed)
                except StarlingError as error:
                    log.warning("it stays in the trash: %s", error)
                continue
            limit = self._wall() + max(self._values.number(SECONDS), LOOK_EVERY)
            name, until, record = self._kept.get(removed.name, (removed.info_hash, limit, {}))
            until = min(until, limit)
            due = asyncio.get_running_loop().time() + until - self._wall()
            self._entries[removed.name] = Entry(removed, name, until, due, record)
        self._kept.clear()

    def to_records(self) -> dict[str, Record]:
        kept = {entry.name: (entry.torrent_name, entry.until, entry.record) for entry in self.entries()} or self._kept
        return {
            name: {"torrent": torrent, "until": until, "record": record}
            for name, (torrent, until, record) in kept.items()
        }

    def from_records(self, records: Mapping[str, Json]) -> None:
        for name, record in records.items():
            entry = RecordReader(record, f"the removal {name}")
            self._kept[name] = (entry.text("torrent", name), entry.number("until", 0.0), entry.record("record"))
            entry.close()
