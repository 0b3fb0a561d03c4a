"""The torrents of one daemon, over one session: what the RPC's verbs do.

The rule: every verb either does what it says or refuses with a sentence; none pretends. Facts are read from memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from p2p.daemon import content_verbs, goal_keeper, queue_keeper, speeds, undo
from p2p.daemon.blocklist_fetch import BlocklistKeeper
from p2p.daemon.content_verbs import ContentVerbs
from p2p.daemon.defaults import Defaults
from p2p.daemon.deltas import ChangeLog, Delta
from p2p.daemon.event_log import tell
from p2p.daemon.goal_keeper import GoalKeeper
from p2p.daemon.groups import Groups
from p2p.daemon.intent import Intent
from p2p.daemon.managed_torrent import ManagedTorrent, Wishes
from p2p.daemon.network_settings import NetworkSettings
from p2p.daemon.port_file import PortFile
from p2p.daemon.port_test import PortTest
from p2p.daemon.ports import (
    UNCHANGED,
    Added,
    Addition,
    Content,
    SourceKind,
    Space,
    Start,
    Statistics,
    Status,
    TorrentChange,
)
from p2p.daemon.queue_keeper import QueueKeeper
from p2p.daemon.restoring import complete
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.daemon.scripts import Scripts
from p2p.daemon.session_values import SessionValues, initial
from p2p.daemon.sources import read_source
from p2p.daemon.space import SpaceWatch, space_at
from p2p.daemon.speeds import Speeds
from p2p.daemon.state_keeper import SETTINGS, StateKeeper
from p2p.daemon.torrent_fetch import TorrentFetch
from p2p.daemon.torrent_records import torrent_record
from p2p.daemon.totals import DaemonTotals
from p2p.daemon.undo import Undo
from p2p.daemon.watch import Watch
from p2p.daemon.wish_keeper import WishKeeper
from p2p.errors import StarlingError, StorageError
from p2p.metainfo.metainfo import Metainfo
from p2p.session.scope import Scope
from p2p.session.session import Begin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from p2p.daemon.names import Json
    from p2p.daemon.ports import Group, Managed, Step
    from p2p.daemon.removals import Removal
    from p2p.daemon.state import DaemonState
    from p2p.daemon.state_records import Keeps
    from p2p.metainfo.magnet import Magnet
    from p2p.session.environment import Environment
    from p2p.session.session import Session
    from p2p.session.torrent import Torrent

log = logging.getLogger(__name__)

CHANGE_INTERVAL: Final = 1.0
"""Seconds between looks at which torrents have changed."""


_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


class SessionLibrary:
    """See the module's head; the port is `p2p.daemon.ports.Library`. `close` is called to end the daemon.

    `first` is the number that the log of changes starts at; without `state` nothing is kept over a restart; scripts get
    `environ`.
    """

    def __init__(
        self,
        session: Session,
        environment: Environment,
        *,
        config_dir: str,
        first: int,
        close: Callable[[], object],
        state: DaemonState | None = None,
        environ: Mapping[str, str] = _EMPTY,
    ) -> None:
        self._session = session
        self._environment = environment
        self._close = close
        self._fetch = TorrentFetch(environment.http, environment.network)
        self._kept: dict[int, ManagedTorrent] = {}
        self._by_hash: dict[str, ManagedTorrent] = {}
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._next = 1
        self._changes = ChangeLog(first)
        self._seen: dict[int, tuple[object, ...]] = {}
        self._totals = DaemonTotals(self._kept.values(), asyncio.get_running_loop().time())
        self._values = SessionValues(initial(session.settings, config_dir))
        self.watch = Watch(self._values, self.add)
        self._scripts = Scripts(self._values, environ=environ, wall=environment.wall)
        self._network = NetworkSettings(self._values, session)
        self._defaults = Defaults(self._values, session)
        self._port_test = PortTest(self._values, session, environment.http)
        self._space = SpaceWatch(
            lambda: self._values.text("download_dir"), lambda room: self._values.note("download_dir_free_space", room)
        )
        self._port_file = PortFile(self._values, session.set_port)
        folder = None if state is None else state.folder
        self._blocklist = BlocklistKeeper(self._values, environment, session.network.set_blocklist, folder)
        self._speeds = Speeds(
            self._values,
            wall=environment.wall,
            zone=None,
            set_limits=lambda down, up: session.set_limits(down=down, up=up),
        )
        self._values.applied_by(speeds.SETTINGS, self._speeds.apply)
        self._groups = Groups(self._kept.values())
        self._queue = QueueKeeper(
            self._values,
            self._kept,
            loop=asyncio.get_running_loop(),
            on_change=self._on_change,
            on_moved=self._on_sight,
            on_finished=self._scripts.on_finished,
        )
        self._values.applied_by(queue_keeper.SETTINGS, self._queue.apply)
        self._goals = GoalKeeper(self._values, self._kept.values())
        self._values.applied_by(goal_keeper.SETTINGS, self._goals.apply)
        self._wishes = WishKeeper(self._groups, self._goals, environment.wall)
        self._content = ContentVerbs(session, self._values, on_change=self._on_change)
        self._values.applied_by(content_verbs.SETTINGS, self._content.apply)
        self.undo = Undo(session, self._values, wall=environment.wall)
        self._values.applied_by((undo.SECONDS,), self.undo.apply)
        subjects: dict[str, Keeps] = {
            SETTINGS: self._values,
            "queue": self._queue,
            "groups": self._groups,
        }
        self._keeper = None if state is None else StateKeeper(state, self._kept, subjects, self._totals, self.undo)
        self._begun = asyncio.Event()
        session.on_placed(self._on_placed)
        self._values.told_by("starling_state_problem", lambda: "" if state is None else state.problem)

    async def run(self) -> None:
        """Keep everything up to date that changes by itself, until cancelled."""
        async with Scope() as scope:
            scope.start(self._queue.run(self._session.events, self._by_hash.get), name="queue")
            scope.start(self._speeds.run(), name="schedule of limits")
            scope.start(self._content.run(), name="moves")
            scope.start(self.watch.run(), name="watched folders")
            scope.start(self._scripts.run(self._session.events, self._by_hash.get), name="scripts")
            scope.start(self.undo.run(), name="trash")
            scope.start(self._port_file.run(), name="port file")
            scope.start(self._blocklist.run(), name="blocklist")
            scope.start(self._space.run(), name="room for downloads")
            if self._keeper is not None:
                scope.start(self._keeper.run(self._session.events, self._by_hash.get), name="state")
            await self._note()

    async def restore(self) -> None:
        """Take in what is kept; once, before anybody is answered. Nothing runs before `begin`."""
        if self._keeper is None:
            return
        self._keeper.restore_subjects()
        async for managed in self._keeper.restored(self._session, self._environment):
            self._kept[managed.id] = managed
            self._note_names(managed)
            self._wishes.hold(managed)
        self._next = self._keeper.next_number
        await self.undo.take_in(self._by_hash)

    async def begin(self) -> None:
        """Let the settings hold and those run that are to; once, before anybody is answered."""
        self._network.begin()
        await self._blocklist.load()
        await self._values.hold()
        self._queue.on_restored()
        if self._keeper is not None:
            self._keeper.begin()
        self._begun.set()

    async def _on_placed(self, torrent: Torrent) -> None:
        """Keep where a torrent's content is now, before the record of its move is forgotten. Raises StorageError."""
        if self._keeper is None:
            return
        await self._begun.wait()  # a move that a crash cut short goes on while torrents still come back
        managed = self._by_hash.get(torrent.info_hash)
        if managed is not None and managed.torrent is torrent:
            self._keeper.on_change(managed.id)
            await self._keeper.write()

    async def settle(self) -> None:
        """Let what was changed survive the end of this process, as far as the disk lets it."""
        if self._keeper is not None:
            await self._keeper.settle()

    async def _note(self) -> None:
        """Keep the log of changes up to date."""
        while True:
            self._note_changes()
            await asyncio.sleep(CHANGE_INTERVAL)

    def _note_changes(self) -> None:
        now = asyncio.get_running_loop().time()
        for torrent in self._session.take_changed():
            each = self._by_hash.get(torrent.info_hash)
            if each is None or each.torrent is not torrent:
                continue
            facts = (
                each.status,
                each.torrent.message,
                each.name,
                each.left_until_done,
                each.recheck_progress,
                each.peers_connected,
                each.downloaded_ever,
                each.uploaded_ever,
                each.rate_download,
                each.rate_upload,
                each.error_string,
                each.starling_seeders,
                each.starling_leechers,
            )
            if self._seen.get(each.id) != facts:
                self._seen[each.id] = facts
                self._note_names(each)
                self._changes.on_change(each.id, now)

    def _note_names(self, managed: ManagedTorrent) -> None:
        """A torrent is found under all its info-hashes, of which a link may have told but one."""
        for name in _names(managed):
            self._by_hash.setdefault(name, managed)

    def _on_change(self, torrents: Iterable[Managed]) -> None:
        changed = list(torrents)
        self._on_sight(changed)
        if self._keeper is not None:
            for torrent in changed:
                self._keeper.on_change(torrent.id)

    def _on_sight(self, torrents: Iterable[Managed]) -> None:
        """What clients see of them has changed, and nothing of them is to be kept."""
        now = asyncio.get_running_loop().time()
        for torrent in torrents:
            self._changes.on_change(torrent.id, now)

    # -- facts

    def torrents(self) -> Sequence[Managed]:
        return list(self._kept.values())

    def by_id(self, number: int) -> Managed | None:
        return self._kept.get(number)

    def by_hash(self, hash_string: str) -> Managed | None:
        return self._by_hash.get(hash_string) or self._by_hash.get(hash_string[:40])  # cut as in handshakes (BEP 52)

    def recent(self) -> Delta:
        return self._changes.recent(asyncio.get_running_loop().time())

    def since(self, revision: int) -> Delta:
        return self._changes.since(revision)

    def settings(self) -> Mapping[str, Json]:
        return self._values.all()

    def statistics(self) -> Statistics:
        kept = self._kept.values()
        now = asyncio.get_running_loop().time()
        moving = [each for each in kept if (swarm := each.torrent.exchange) is not None and swarm.busy(now)]
        current = self._totals.current(now)
        count = Counter(each.status for each in kept)
        idle = count[Status.STOPPED] + count[Status.DOWNLOAD_QUEUED] + count[Status.SEED_QUEUED]
        return Statistics(
            active_torrent_count=len(self._kept) - idle,  # running, whether or not anything moves, as in Transmission
            paused_torrent_count=count[Status.STOPPED],
            torrent_count=len(self._kept),
            download_speed=sum(each.rate_download for each in moving),
            upload_speed=sum(each.rate_upload for each in moving),
            current=current,
            cumulative=self._totals.with_former(current),
        )

    def groups(self) -> Sequence[Group]:
        return self._groups.all()

    # -- verbs

    async def add(self, addition: Addition) -> Added:
        loaded = await read_source(addition, self._fetch, self._environment.hasher)
        turn = self._turns.setdefault(loaded.wire_info_hashes()[0], asyncio.Lock())
        async with turn:  # who adds a torrent that is just being added gets that one
            added = await self._add(addition, loaded)
        if addition.kind is SourceKind.PATH and not added.duplicate:
            await self.watch.on_added_from(Path(addition.source.decode()))
        return added

    async def _add(self, addition: Addition, loaded: Metainfo | Magnet) -> Added:
        for info_hash in loaded.wire_info_hashes():
            known = self._by_hash.get(info_hash.hex())
            if known is not None:
                if isinstance(loaded, Metainfo) and known.torrent.metainfo is None:
                    await self._complete(known, loaded)
                return Added(known, duplicate=True)
        wishes = Wishes(edit_date=int(self._environment.wall()))
        paused = not self._values["start_added_torrents"] if addition.paused is None else addition.paused
        wishes.intent = Intent.STOPPED if paused else Intent.QUEUED
        self._wishes.require(addition.change)
        options = self._defaults.options(addition, loaded)
        torrent = await self._session.add(loaded, options, begin=Begin.PAUSED)
        managed = await self._take_in(torrent, wishes, addition.change)
        tell("torrent added", name=managed.name, info_hash=managed.hash_string, id=managed.id)
        self._scripts.on_added(managed)
        return Added(managed, duplicate=False)

    async def _take_in(self, torrent: Torrent, wishes: Wishes, change: TorrentChange) -> ManagedTorrent:
        """Keep a torrent of the session's that stands still. Raises StarlingError; then it is gone again."""
        managed = ManagedTorrent(
            self._next,
            torrent,
            wishes,
            loop_time=asyncio.get_running_loop().time,
            wall=self._environment.wall,
        )
        self._next += 1
        self._kept[managed.id] = managed
        self._note_names(managed)
        self._totals.on_added(managed)
        try:
            self._wishes.change(managed, change)
        except StarlingError:
            await self.remove([managed], Content.KEEP)
            raise
        self._queue.on_added(managed)
        if change.queue_position is not UNCHANGED:
            self._queue.place([managed], change.queue_position)
        self._on_change([managed])
        if self._keeper is not None:
            try:
                await self._keeper.keep(managed)
            except StorageError:
                await self.remove([managed], Content.KEEP)
                raise
        await self._queue.look(managed)
        return managed

    async def _complete(self, managed: ManagedTorrent, metainfo: Metainfo) -> None:
        """The metadata of a torrent that lacks it is here."""
        intent = managed.wishes.intent
        self._queue.stop([managed])
        await complete(managed, metainfo, self._session)
        self._wishes.hold(managed)
        self._note_names(managed)
        if intent.to_run:
            self._queue.start([managed], Start.QUEUED)
        self._on_change([managed])

    async def remove(self, torrents: Sequence[Managed], content: Content) -> None:
        own = self._own(torrents)
        self._queue.on_removed(own)
        failures: list[str] = []
        for managed in own:
            self._kept.pop(managed.id, None)
            for name in _names(managed):
                if self._by_hash.get(name) is managed:
                    del self._by_hash[name]
            self._seen.pop(managed.id, None)
            self._changes.on_removed(managed.id, asyncio.get_running_loop().time())
            if content is Content.DELETE:
                record = torrent_record(managed, asyncio.get_running_loop().time())
                failures += await self.undo.remove(managed, record)
            else:
                await self._session.remove(managed.torrent)
            self._totals.on_removed(managed)
            if self._keeper is not None:
                self._keeper.on_removed(managed)
        if failures:
            raise RpcError(Code.SYSTEM, "; ".join(failures))

    def removals(self) -> tuple[Removal, ...]:
        return tuple(entry.told() for entry in self.undo.entries())

    async def purge_removal(self, names: Sequence[str] | None) -> None:
        for name in self.undo.named(names):
            await self.undo.purge(name)

    async def undo_removal(self, names: Sequence[str] | None) -> Sequence[Managed]:
        back: list[ManagedTorrent] = []
        for name in self.undo.named(names):
            torrent, wishes = await self.undo.bring_back(name)
            back.append(await self._take_in(torrent, wishes, TorrentChange()))
        return back

    async def start(self, torrents: Sequence[Managed], when: Start) -> None:
        named = self._own(torrents)
        own = [each for each in named if not each.needs_file]
        if named and not own:
            raise StarlingError(named[0].error_string)
        for managed in own:
            self._goals.on_start(managed)
            managed.trouble = ""
        self._accept_losses(own)
        self._queue.start(own, when)
        self._on_change(torrents)

    async def stop(self, torrents: Sequence[Managed]) -> None:
        self._queue.stop(self._own(torrents))
        self._on_change(torrents)

    def _accept_losses(self, own: Sequence[ManagedTorrent]) -> None:
        if len(own) == 1 or len(own) < len(self._kept):  # an order for all torrents is none about what one has lost
            for managed in own:
                managed.torrent.accept_losses()

    async def verify(self, torrents: Sequence[Managed]) -> None:
        own = self._own(torrents)
        self._accept_losses(own)
        for managed in own:
            await managed.torrent.verify()
        self._on_change(torrents)

    async def reannounce(self, torrents: Sequence[Managed]) -> None:
        for managed in self._own(torrents):
            managed.torrent.reannounce()
            managed.wishes.manual_announce_time = int(self._environment.wall())
        self._on_change(torrents)

    async def change(self, torrents: Sequence[Managed], change: TorrentChange) -> None:
        self._wishes.require(change)
        own = self._own(torrents)
        if change.location is not UNCHANGED:
            await self._content.set_location(own, change.location, Content.FIND)
        for managed in own:
            self._wishes.change(managed, change)
            self._queue.on_line(managed)
        if change.queue_position is not UNCHANGED:
            self._queue.place(own, change.queue_position)
        self._on_change(torrents)

    async def set_location(self, torrents: Sequence[Managed], location: str, content: Content) -> None:
        await self._content.set_location(self._own(torrents), location, content)

    async def rename(self, torrent: Managed, path: str, name: str) -> None:
        for managed in self._own([torrent]):
            await self._content.rename(managed, path, name)

    async def move_in_queue(self, torrents: Sequence[Managed], step: Step) -> None:
        self._queue.move(self._own(torrents), step)

    async def set_settings(self, changes: Mapping[str, Json]) -> None:
        await self._values.choose(changes)

    async def write_down(self, given: Mapping[str, Json]) -> None:
        """Take in what the configuration says: it counts before what clients have set, and is not kept as theirs."""
        await self._values.write_down(given)

    async def take_back(self, name: str, default: Json) -> None:
        """The configuration says nothing of that key any more."""
        await self._values.take_back(name, default)

    async def set_group(self, name: str, changes: Mapping[str, Json]) -> None:
        self._groups.set(name, changes)

    async def free_space(self, path: str) -> Space:
        return await space_at(path)

    async def test_port(self, ip_protocol: str | None) -> bool:
        return await self._port_test.is_open(ip_protocol)

    async def update_blocklist(self) -> int:
        return await self._blocklist.update()

    def close(self) -> None:
        self._close()

    def _own(self, torrents: Sequence[Managed]) -> list[ManagedTorrent]:
        return [self._kept[each.id] for each in torrents if each.id in self._kept]


def _names(managed: ManagedTorrent) -> tuple[str, ...]:
    return (managed.hash_string, *(info_hash.hex() for info_hash in managed.torrent.info_hashes))
