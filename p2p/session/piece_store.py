"""The pieces of one torrent on disk: what is there, what a crash left uncertain, and what is put on record when.

Rules: a piece counts as had once it is verified; it goes on record only after a sync that began later; what was written
since the last record is in the journal, and after a crash that, and nothing else, is hashed again. Content that was on
record and is gone is an error, never an empty start, and files that hold something else are never written over unasked.

A checkpoint is one operation: one at a time, and never cut in half by a cancel. After a sync that failed there is none
any more in this run, because the kernel forgets what it could not write, and would call the next sync a success.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from p2p.disk.journal import PieceJournal
from p2p.disk.places import Places
from p2p.disk.resume import ResumeState, uncertain_pieces
from p2p.errors import DiskFullError, StorageError
from p2p.ids import Address, PieceIndex
from p2p.session.file_places import FilePlaces
from p2p.session.findings import Findings, left_by, unseen
from p2p.session.ledger import Ledger, Totals
from p2p.session.piece_checks import check_pieces
from p2p.session.uninterrupted import uninterrupted
from p2p.swarm.bitfield import Bitfield

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from p2p.disk.places import Found, Parts, Place
    from p2p.disk.state_lock import StateLock
    from p2p.disk.storage import FileStat, PieceState
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.opening import Opening
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions

log = logging.getLogger(__name__)


class PieceStore:
    """See the module's head. `wanted` tells whether a file of the layout is to be downloaded."""

    def __init__(
        self,
        metainfo: Metainfo,
        target: Path,
        *,
        services: Services,
        wanted: Callable[[int], bool],
        options: TorrentOptions,
        ledger: Ledger | None = None,
        may_settle: Callable[[], bool] = lambda: True,
    ) -> None:
        """`ledger` is the torrent's over all its runs; a new one is begun where there is none yet. `may_settle` is as
        in FilePlaces."""
        self.metainfo = metainfo
        self._layout = metainfo.layout
        self._target = target
        self._services = services
        self._wanted = wanted
        self._options = options
        self._journal: PieceJournal | None = None
        self.key: str | None = None
        """What its record is kept under, if it has one."""
        self._lock: StateLock | None = None
        if services.resume is not None:
            self.key = services.resume.key(metainfo.wire_info_hashes()[0], target)
            self._journal = PieceJournal(services.resume.journal_path(self.key))
        self.places = Places(self._layout, target, names=options.names)
        self._storage = services.environment.storage(self._layout, self.places, wanted, self._journal)
        self._files = FilePlaces(self.places, self._storage, may_settle)
        self._stats: dict[int, FileStat] = {}
        """Files as they stood when they were last there."""
        self._foreign: dict[int, None] = {}
        self.is_open = self._opened = False
        self._known = False
        """Whether it is known which files are ours."""
        self._decided = asyncio.Event()
        """Set while nobody is about to find that out."""
        self._decided.set()
        self._recorded_totals = Totals()
        self._standing: bytes | None = None  # `ResumeState.standing` of a record that is clean as it is
        self._recording = asyncio.Lock()
        self._stored = 0
        self._synced = 0
        self._recorded = 0
        """Pieces stored or found good in this run; how many of them are synced, and how many of those on record."""
        self._renaming: dict[int, Parts] | None = None
        """The names that a renaming under way will have given."""
        self._sync_failure: str | None = None
        self._jobs: dict[asyncio.Future[bool], None] = {}
        self.have = Bitfield(self._layout.piece_count)
        self._whole = sum(map(self._layout.piece_size, range(self._layout.piece_count)))
        self.left = self._whole
        """Bytes of pieces that are not had, wanted or not."""
        self.ledger = ledger or Ledger(services.environment.wall())
        self.known_peers: tuple[Address, ...] = ()
        self.piece_size = self._layout.piece_size
        self.piece_length = self._layout.piece_length

    # -- from what is there to what is had

    async def open(self, opening: Opening) -> None:
        """Find out which pieces are there, hashing no more than is uncertain, and get ready to store.

        Raises StateLockedError, MissingContentError, ChangedContentError, StorageError, and CheckStoppedError once it
        is to stop.
        """
        if not (self._options.trust or self._options.expect_complete):
            settings = self._services.settings
            self.places.set_begun(settings.incomplete_dir, suffix=settings.partial_suffix)
        state = await self._load()
        self.have = Bitfield(self._layout.piece_count)
        self.left = self._whole
        found = await self._storage.find(left_by(state, len(self._layout.files)))
        findings = Findings(self.places, found, state, self._options)
        findings.tell(self.metainfo.name)
        if self._options.trust:
            findings.require_sizes()
            trusted, recheck = Bitfield(self._layout.piece_count), []
            trusted.set_all()
        elif state is None:
            trusted, recheck = Bitfield(self._layout.piece_count), findings.present_pieces()
        else:
            journal = self._journal.load() if self._journal else ()
            verdict = uncertain_pieces(state, journal, findings.stats, self._layout)
            findings.require_present(verdict.missing)  # also where all is to be hashed: an empty place proves nothing
            trusted, recheck = Bitfield.from_bytes(verdict.trusted, self._layout.piece_count), list(verdict.recheck)
            if self._options.recheck:
                trusted, recheck = Bitfield(self._layout.piece_count), findings.present_pieces()
        self._take(trusted)
        states = await self._check(recheck, opening)
        findings.require_unchanged(self.have)
        if self._options.expect_complete:
            findings.require_complete(self.have)
            findings.require_sizes()
        elif not self._options.overwrite:
            self._foreign = dict.fromkeys(findings.foreign_files(self.have))
            findings.refuse_foreign(self._foreign, states, self._wanted)
        await self._get_ready(findings, opening)
        self._stats = {index: stat for index, stat in enumerate(findings.stats) if stat is not None}
        self.is_open = self._opened = self._known = True
        self._decided.set()
        await uninterrupted(self._put_on_record(self._recorded_totals, clean=False))

    async def _get_ready(self, findings: Findings, opening: Opening) -> None:
        """Bring files to their places, make those that are not there, and keep those of others from being written."""
        await self._files.end_renaming()
        self._files.on_open(self.have, self._foreign)
        if self.have.complete and findings.is_all_there():
            return
        layout = self._layout
        to_write = [
            index
            for index, stat in enumerate(findings.stats)
            if stat is not None
            and index not in self._foreign
            and self._wanted(index)
            and not all(map(self.have.__getitem__, layout.pieces_of_file(index)))
        ]
        while True:
            try:
                await self._storage.unshare(to_write)
                await self._storage.prepare(allocate=self._services.settings.allocate, protect=self._foreign)
            except DiskFullError as error:
                await opening.room(error)
            else:
                return

    async def look_up(self) -> None:
        """Take in what is on record, for show: nothing is locked, opened or believed until `open`."""
        if self._services.resume is None or self.key is None or self._lock is not None:
            return
        try:
            state = await self._services.resume.load(self.key)
        except StorageError as error:
            log.info("%s: %s", self.metainfo.name, error)
            return
        if state is None or len(state.pieces) != (self._layout.piece_count + 7) // 8:
            return
        self._known = True
        self._foreign = dict.fromkeys(state.foreign)
        self.ledger.restore(state, self._services.environment.wall())
        self._restore_places(state)
        self._take(Bitfield.from_bytes(state.pieces, self._layout.piece_count))

    async def _load(self) -> ResumeState | None:
        resume = self._services.resume
        if resume is None or self.key is None:
            return None
        self._lock = resume.lock(self.key)
        self._decided.clear()
        try:
            state = await resume.load(self.key)
        except StorageError as error:  # neither the record nor its backup: what is on disk is checked instead
            log.warning("%s: %s; the content is checked whole", self.metainfo.name, error)
            return None
        if state is not None:
            if state.warning is not None:
                log.warning("%s: %s", self.metainfo.name, state.warning)
            self.ledger.restore(state, self._services.environment.wall())
            self.known_peers = state.peers
            self._restore_places(state)
            self._standing = state.standing() if state.clean and state.warning is None else None
        return state

    def _restore_places(self, state: ResumeState) -> None:
        """Names and folders are those on record. A torrent of which nothing was there yet may begin in another."""
        count = len(self._layout.files)
        names = {index: name for index, name in state.names.items() if index < count}
        self.places.set_names(names, {index: name for index, name in state.former.items() if index < count})
        if any(stat is not None for stat in state.files):
            self.places.set_begun(state.incomplete)

    async def _check(self, pieces: Sequence[int], opening: Opening) -> dict[int, PieceState]:
        total = sum(map(self.piece_size, pieces))
        async with opening.turn(self.places[self._layout.file_at(pieces[0])].path if pieces else self._target, total):
            return await check_pieces(self._storage, self.metainfo, pieces, opening, self._on_found)

    def _on_found(self, piece: PieceIndex) -> None:
        self._add(piece)
        self._stored += 1

    def take_over(self, former: PieceStore) -> None:
        """Show what `former`, of the same torrent in an earlier run or elsewhere, had, until this is opened."""
        self.have, self.left, self.known_peers = former.have.copy(), former.left, former.known_peers
        self._foreign, self._known = former._foreign, former._known
        self.places.set_names(former.places.names)

    @property
    def begun_in(self) -> Path:
        """The folder that files are in while they are not whole."""
        return self.places.incomplete or self._target

    async def own_files(self) -> list[Place]:
        """Where the torrent's files are, or would be made: those that are on record, or were opened, as ours.

        Where it is being found out which are, this waits for that. Raises StorageError.
        """
        if not self._opened:
            await self.look_up()
        if not self._known:
            await self._decided.wait()
        if not self._known:
            return []
        if not self.is_open:
            await self.locate()
        return self._files.own(self._foreign)

    async def locate(self) -> list[Found]:
        """Look where the files are, by what is on record; one entry a file of the layout. Raises StorageError."""
        state = None
        if self._services.resume is not None and self.key is not None:
            state = await self._services.resume.load(self.key)
        return await self._storage.find(left_by(state, len(self._layout.files)))

    async def make_wanted(self) -> None:
        """Make the files that are wanted since. Raises DiskFullError, StorageError."""
        if self.is_open:
            await self._storage.prepare(allocate=self._services.settings.allocate, protect=self._foreign)

    # -- pieces in and out

    def _take(self, pieces: Bitfield) -> None:
        """These are had: all at once where that is the whole, as it is of most of thousands of torrents."""
        if pieces.complete:
            self.have.set_all()
            self.left = 0
            return
        for piece in pieces:
            self._add(PieceIndex(piece))

    def _add(self, piece: PieceIndex) -> None:
        if not self.have[piece]:
            self.have.add(piece)
            self.left -= self.piece_size(piece)

    async def store(self, piece: PieceIndex, views: Sequence[bytes | memoryview]) -> bool:
        """Verify and write a piece. False: it does not match. The views stay in use until `drain` if this is cancelled.

        Raises DiskFullError, StorageError.
        """
        job = asyncio.ensure_future(self._storage.store(piece, views, self.metainfo.piece_check(piece)))
        self._jobs[job] = None
        try:
            good = await asyncio.shield(job)
        finally:
            if job.done():
                self._jobs.pop(job, None)
        if good:
            self._add(piece)
            self._stored += 1
            await self._files.on_piece(piece)
        return good

    async def settle(self) -> None:
        """Bring files to where they belong as they are: home, once nothing that is wanted is missing.

        Raises StorageError, DiskFullError.
        """
        await self._files.settle(self.have, self._wanted, self._foreign)

    async def read(self, piece: PieceIndex, begin: int, length: int) -> bytes:
        """Bytes of a piece that is had."""
        return await self._storage.read(piece, begin, length)

    async def drain(self) -> None:
        """Wait for the stores that have begun."""
        while self._jobs:
            job = next(iter(self._jobs))
            await asyncio.wait([job])
            self._jobs.pop(job, None)
            try:
                job.result()
            except StorageError as error:
                log.info("%s: a piece is lost: %s", self.metainfo.name, error)

    # -- the record

    async def checkpoint(self, totals: Totals, *, clean: bool = False) -> None:
        """Sync what was stored and put it on record, with the totals of this run; nothing if nothing has changed.

        If this is cancelled, it is done first. Raises DiskFullError, after which it may be tried again, and
        StorageError, after which the record stays behind what is on disk.
        """
        await uninterrupted(self._checkpoint(totals, clean=clean))

    async def _checkpoint(self, totals: Totals, *, clean: bool) -> None:
        async with self._recording:
            if not self._opened:
                return
            new = totals if self.left else replace(totals, peers=self._recorded_totals.peers)  # a seed can do without
            if clean or self._stored != self._recorded or new != self._recorded_totals:
                await self._put_on_record(totals, clean=clean)

    async def _put_on_record(self, totals: Totals, *, clean: bool) -> None:
        stored, recorded, left = self._stored, self.have.to_bytes(), self.left
        if stored != self._synced:
            await self._sync()
            self._synced = stored
        await self._save(recorded, totals, left=left, clean=clean)
        self._recorded = stored

    async def _sync(self) -> None:
        if self._sync_failure is not None:
            raise StorageError(self._sync_failure)
        try:
            await self._storage.sync()
        except DiskFullError:
            raise
        except StorageError as error:
            self._sync_failure = f"{error}; what came after the last good sync is checked at the next start"
            raise StorageError(self._sync_failure) from error

    async def _stat(self) -> tuple[FileStat | None, ...]:
        """How the files stand. One that is gone counts as it was, so that it is known when it comes back."""
        found = await self._storage.stat()
        for index, stat in enumerate(found):
            if stat is not None:
                self._stats[index] = stat
            elif not any(map(self.have.__getitem__, self._layout.pieces_of_file(index))):
                self._stats.pop(index, None)
        return tuple(self._stats.get(index) for index in range(len(found)))

    async def rename(self, path: Parts, name: str) -> None:
        """Give a file or folder of the torrent another name, while it is open or nobody has it open.

        Raises NameRefusedError, StorageError; then all is as it was. StateLockedError where another has it open.
        """
        await uninterrupted(self._rename(path, name))

    async def _rename(self, path: Parts, name: str) -> None:
        async with self._recording:
            if self.is_open:
                await self._rename_now(path, name, self._record_names)
                return
            resume, key = self._services.resume, self.key
            lock = None if resume is None or key is None else resume.lock(key)
            try:
                await self.locate()
                await self._rename_now(path, name, self._rewrite_names)
            finally:
                if lock is not None:
                    lock.release()

    async def _rename_now(self, path: Parts, name: str, record: Callable[[], Awaitable[None]]) -> None:
        names = self._files.renamed(path, name)
        self._renaming = names  # on record before it is done, so that a crash leaves nothing that is not found
        try:
            await record()
            await self._files.rename(path, name, names)
        finally:
            self._renaming = None
            await record()

    async def _record_names(self) -> None:
        await self._put_on_record(self._recorded_totals, clean=False)

    async def _rewrite_names(self) -> None:
        resume = self._services.resume
        if resume is None or self.key is None:
            return
        names = self.places.names if self._renaming is None else self._renaming
        former = {} if self._renaming is None else self._files.former_names(self._renaming)
        state = await resume.load(self.key) or unseen(self.metainfo, self._target, self.ledger.added_time)
        await resume.save(self.key, replace(state, names=names, former=former, warning=None))

    async def _save(self, recorded: bytes, totals: Totals, *, left: int, clean: bool) -> None:
        resume = self._services.resume
        if resume is None or self.key is None:
            return
        ledger = self.ledger
        if left == 0 and ledger.completed_time is None:
            ledger.completed_time = self._services.environment.wall()
        now = asyncio.get_running_loop().time()
        state = ResumeState(
            info_hash_v1=self.metainfo.info_hash_v1,
            info_hash_v2=self.metainfo.info_hash_v2,
            target=str(self._target),
            pieces=recorded,
            files=await self._stat(),
            uploaded=ledger.uploaded + totals.uploaded,
            downloaded=ledger.downloaded + totals.downloaded,
            completed=left == 0,
            added_time=ledger.added_time,
            completed_time=ledger.completed_time,
            active_time=ledger.active_time,
            downloading_seconds=ledger.downloading_for(now),
            seeding_seconds=ledger.seeding_for(now),
            clean=clean,
            peers=totals.peers or self.known_peers,
            foreign=tuple(self._foreign),
            names=self.places.names if self._renaming is None else self._renaming,
            former=self.places.former if self._renaming is None else self._files.former_names(self._renaming),
            incomplete=None if self.places.incomplete is None else str(self.places.incomplete),
            spots={index: self.places.spot(index) for index in self.places.elsewhere},
        )
        standing = state.standing() if left == 0 else None  # who has all writes nothing
        if standing is None or standing != self._standing or (clean and not self._services.settings.history_elsewhere):
            await resume.save(self.key, state)
            self._standing = standing if clean else None
        self._recorded_totals = totals
        if self._journal is not None:
            self._journal.reset(recorded)

    async def close(self, totals: Totals) -> None:
        """Finish what was begun, record it as an orderly stop, and let go of the files and the lock.

        If this is cancelled, it is done first: no job touches a view or a file afterwards.
        """
        await uninterrupted(self._close(totals))

    async def _close(self, totals: Totals) -> None:
        try:
            await self.drain()
            await self._checkpoint(totals, clean=True)
        finally:
            self._decided.set()
            try:
                await self._storage.close()
            finally:
                if self._journal is not None:
                    self._journal.close()
                if self._lock is not None:
                    self._lock.release()
                    self._lock = None
