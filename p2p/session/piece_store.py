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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from p2p.disk.journal import PieceJournal
from p2p.disk.refusals import other_content
from p2p.disk.resume import ResumeState, uncertain_pieces
from p2p.disk.storage import FileStat, PieceState
from p2p.errors import DiskFullError, MissingContentError, StarlingError, StorageError
from p2p.ids import Address, PieceIndex
from p2p.session.ledger import Ledger
from p2p.session.scope import Scope
from p2p.session.uninterrupted import uninterrupted
from p2p.swarm.bitfield import Bitfield

if TYPE_CHECKING:
    from pathlib import Path

    from p2p.disk.state_lock import StateLock
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions

log = logging.getLogger(__name__)

CHECKS_AT_ONCE: Final = 8
"""Pieces in the hands of the hash workers while a torrent is checked: enough to keep each busy, little memory."""

Progress = Callable[[int, int], None]


class CheckStoppedError(StarlingError):
    """Somebody stopped the torrent while its content was checked."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run adds to the record. Bytes."""

    uploaded: int = 0
    downloaded: int = 0
    peers: tuple[Address, ...] = ()


def _recorded(state: ResumeState) -> Callable[[int], bool]:
    pieces = state.pieces
    return lambda piece: piece >> 3 < len(pieces) and bool(pieces[piece >> 3] & 0x80 >> (piece & 7))


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
    ) -> None:
        """`ledger` is the torrent's over all its runs; a new one is begun where there is none yet."""
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
        self._storage = services.environment.storage(self._layout, target, wanted, self._journal)
        self._foreign: dict[int, None] = {}
        self._opened = False
        self._known = False
        """Whether it is known which files are ours."""
        self._decided = asyncio.Event()
        """Set while nobody is about to find that out."""
        self._decided.set()
        self._recorded_totals = Totals()
        self._recording = asyncio.Lock()
        self._stored = 0
        self._synced = 0
        self._recorded = 0
        """Pieces stored or found good in this run; how many of them are synced, and how many of those on record."""
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

    async def open(self, progress: Progress, stopping: Callable[[], bool]) -> None:
        """Find out which pieces are there, hashing no more than is uncertain, and get ready to store.

        `progress(done, total)` counts bytes hashed. Raises StateLockedError, MissingContentError, StorageError, and
        CheckStoppedError once `stopping` tells so.
        """
        state = await self._load()
        self.have = Bitfield(self._layout.piece_count)
        self.left = self._whole
        stats = await self._storage.stat()
        if self._options.trust:
            self._require_sizes(stats)
            trusted, recheck = Bitfield(self._layout.piece_count), []
            trusted.set_all()
        elif state is None or self._options.recheck:
            trusted, recheck = Bitfield(self._layout.piece_count), self._present_pieces(stats)
        else:
            verdict = uncertain_pieces(state, self._journal.load() if self._journal else (), stats, self._layout)
            if verdict.missing:
                path = "/".join((*self._layout.root, *self._layout.files[verdict.missing[0]].parts))
                others = f", and {len(verdict.missing) - 1} more files with it" if len(verdict.missing) > 1 else ""
                raise MissingContentError(
                    f"{self._target / path} is gone{others}; put it back, or start over with --recheck"
                )
            trusted, recheck = Bitfield.from_bytes(verdict.trusted, self._layout.piece_count), list(verdict.recheck)
        for piece in trusted:
            self._add(PieceIndex(piece))
        states = await self._check(recheck, progress, stopping)
        if self._options.expect_complete:
            self._require_complete()
            self._require_sizes(stats)
        elif not self._options.overwrite:
            self._foreign = dict.fromkeys(self._foreign_files(stats, state))
            self._refuse_foreign(stats, states)
        if not self._is_all_there(stats):
            await self._storage.prepare(allocate=self._services.settings.allocate, protect=self._foreign)
        self._opened = self._known = True
        self._decided.set()
        await uninterrupted(self._put_on_record(self._recorded_totals, clean=False))

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
        self.ledger.restore(state)
        for piece in Bitfield.from_bytes(state.pieces, self._layout.piece_count):
            self._add(PieceIndex(piece))

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
            self.ledger.restore(state)
            self.known_peers = state.peers
        return state

    def _present_pieces(self, stats: Sequence[FileStat | None]) -> list[int]:
        present: dict[int, None] = {}
        for index, stat in enumerate(stats):
            file = self._layout.files[index]
            if stat is not None and stat.size and file.stored:
                for piece in self._layout.pieces_of_file(index):
                    present[piece] = None
        return sorted(present)

    async def _check(
        self, pieces: Sequence[int], progress: Progress, stopping: Callable[[], bool]
    ) -> dict[int, PieceState]:
        size = self.piece_size
        total = sum(size(piece) for piece in pieces)
        states: dict[int, PieceState] = {}
        done = 0
        progress(0, total)
        for start in range(0, len(pieces), CHECKS_AT_ONCE):
            if stopping():
                raise CheckStoppedError("stopped while the content was checked")
            batch = pieces[start : start + CHECKS_AT_ONCE]
            async with Scope() as scope:
                checks = [scope.start(self._verify(PieceIndex(piece)), name=f"check {piece}") for piece in batch]
                results = [await check for check in checks]
            for piece, result in zip(batch, results, strict=True):
                states[piece] = result
                done += size(piece)
                if result is PieceState.GOOD:
                    self._add(PieceIndex(piece))
                    self._stored += 1
            progress(done, total)
        return states

    async def _verify(self, piece: PieceIndex) -> PieceState:
        return await self._storage.verify(piece, self.metainfo.piece_check(piece))

    def _require_sizes(self, stats: Sequence[FileStat | None]) -> None:
        for index, (stat, file) in enumerate(zip(stats, self._layout.files, strict=True)):
            if file.stored and (stat is None or stat.size != file.length):
                raise StorageError(f"{self._path(index)} changed since the torrent was made")

    def _require_complete(self) -> None:
        if self.have.complete:
            return
        bad = next(piece for piece in range(self._layout.piece_count) if not self.have[piece])
        file = self._layout.files[self._layout.file_at(bad)]
        path = self._target / "/".join((*self._layout.root, *file.parts))
        count = self._layout.piece_count - self.have.count
        raise StorageError(f"{count} of {self._layout.piece_count} pieces do not match the torrent, first in {path}")

    def _foreign_files(self, stats: Sequence[FileStat | None], state: ResumeState | None) -> Iterator[int]:
        """A file of which nothing fits is somebody's, wanted or not, unless it is as we left it.

        After a crash nobody can tell how we left it, so all files count as ours then, but those that never were.
        """
        for index, (stat, file) in enumerate(zip(stats, self._layout.files, strict=True)):
            if stat is None or not stat.size or not file.stored:
                continue
            if state is not None and index not in state.foreign:
                as_left = index < len(state.files) and state.files[index] == stat
                pieces = self._layout.pieces_of_file(index)
                if as_left or not state.clean or (self._options.recheck and any(map(_recorded(state), pieces))):
                    continue
            if not any(self.have[piece] for piece in self._layout.pieces_of_file(index)):
                yield index

    def _refuse_foreign(self, stats: Sequence[FileStat | None], states: dict[int, PieceState]) -> None:
        """Refuse at once what is in the way of a wanted file for certain.

        What may be right after all, or is not wanted, is protected: that comes out with the first piece that differs.
        """
        for index, (stat, file) in enumerate(zip(stats, self._layout.files, strict=True)):
            if stat is None or not file.stored or not self._wanted(index):
                continue
            if stat.size > file.length:
                raise StorageError(f"{self._path(index)} is longer than the torrent says")
            if index in self._foreign and (
                stat.size < file.length
                or any(states.get(piece) is PieceState.BAD for piece in self._layout.pieces_of_file(index))
            ):
                raise other_content(self._path(index))

    def _path(self, index: int) -> Path:
        return self._target.joinpath(*self._layout.root, *self._layout.files[index].parts)

    def _is_all_there(self, stats: Sequence[FileStat | None]) -> bool:
        return self.have.complete and all(
            stat is not None or not file.stored for stat, file in zip(stats, self._layout.files, strict=True)
        )

    def take_over(self, former: PieceStore) -> None:
        """Show what `former`, of the same torrent in an earlier run or elsewhere, had, until this is opened."""
        self.have, self.left, self.known_peers = former.have.copy(), former.left, former.known_peers
        self._foreign, self._known = former._foreign, former._known

    async def own_files(self) -> list[tuple[str, ...]]:
        """The torrent's files, as paths below the target: those that are on record, or were opened, as ours.

        Where it is being found out which are, this waits for that.
        """
        if not self._opened:
            await self.look_up()
        if not self._known:
            await self._decided.wait()
        if not self._known:
            return []
        root = self._layout.root
        return [
            (*root, *file.parts)
            for index, file in enumerate(self._layout.files)
            if file.stored and index not in self._foreign
        ]

    async def make_wanted(self) -> None:
        """Make the files that are wanted since. Raises DiskFullError, StorageError."""
        if self._opened:
            await self._storage.prepare(allocate=self._services.settings.allocate, protect=self._foreign)

    # -- pieces in and out

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
        return good

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
            changed = self._stored != self._recorded or totals != self._recorded_totals
            if self._opened and (changed or clean):
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
            files=tuple(await self._storage.stat()),
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
        )
        await resume.save(self.key, state)
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
