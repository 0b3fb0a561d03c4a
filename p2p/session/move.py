"""A torrent's content moves to another folder while the torrent goes on, and a crash at any point loses nothing.

The rule: the journal says how far a move is, and is written before each stage. Until it says `switched` the old place
counts, but for a rename, which is always carried on; from then on the new one does. Across filesystems the torrent
seeds and downloads from the old place while its files are copied; between two runs, when nothing is written, what has
changed meanwhile is copied again and the record is taken along. The source goes last.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.disk import relocation
from p2p.disk.relocation import MoveStage, Relocation
from p2p.disk.whole_files import read_whole, replace_whole
from p2p.errors import MissingContentError, StarlingError, StorageError
from p2p.session.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from p2p.disk.trash import Parts
    from p2p.ids import InfoHash
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent

    T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_JOURNAL: Final = 64 << 20
"""Bytes: paths of as many files as a torrent can have."""


class Move:
    """One move of one torrent, named by its first info-hash; without a state folder it has no journal."""

    def __init__(self, relocation: Relocation, info_hash: InfoHash, services: Services) -> None:
        self.relocation = relocation
        self.progress = 0.0
        self._info_hash = info_hash
        self._services = services

    @property
    def target(self) -> Path:
        return self.relocation.target

    @property
    def place(self) -> Path:
        """The folder that counts at present."""
        return self.relocation.target if self.relocation.stage is MoveStage.SWITCHED else self.relocation.source

    async def copy(self) -> None:
        """Bring all files to the new place, as they are now, where a rename does not do. Raises StorageError."""
        if self.relocation.stage is MoveStage.COPYING:
            await self._copy()

    async def _copy(self) -> None:
        move = self.relocation
        for done, parts in enumerate(move.files):
            if not await self._job(partial(relocation.is_copied, move, parts)):
                await self._copy_file(parts)
            self.progress = (done + 1) / len(move.files)

    async def _copy_file(self, parts: Parts) -> None:
        move, offset = self.relocation, 0
        await self._job(lambda: relocation.begin_copy(move, parts))
        while taken := await self._job(partial(relocation.copy_step, move, parts, offset)):
            offset += taken
        await self._job(lambda: relocation.end_copy(move, parts))

    async def switch(self) -> None:
        """Let the new place count. Only between two runs. Raises StorageError; then the old one counts as before."""
        await uninterrupted(self._switch())

    async def _switch(self) -> None:
        move = self.relocation
        if move.stage is MoveStage.RENAMING:
            await self._enter(MoveStage.RENAMING)  # not before: the record is that of an orderly stop now
            try:
                await self._job(lambda: relocation.rename_all(move))
            except StorageError:
                await self._job(lambda: relocation.rename_back(move))
                raise
        elif move.stage is MoveStage.COPYING:
            await self._copy()  # what was written since
        await take_record_along(self._info_hash, move.source, move.target, self._services)
        await self._enter(MoveStage.SWITCHED)

    async def clean_up(self) -> None:
        """Delete what is left at the old place, and forget the move. Raises StorageError."""
        move, resume = self.relocation, self._services.resume
        await self._job(lambda: relocation.clear(move, move.source))
        if resume is not None:
            await resume.forget(resume.key(self._info_hash, move.source))
        await self._forget()

    async def give_up(self) -> None:
        """Delete what was copied, and forget the move. Only before `switch` has succeeded. Raises StorageError."""
        move = self.relocation
        if move.stage is MoveStage.COPYING:
            await self._job(lambda: relocation.clear(move, move.target))
        await self._forget()

    async def tell(self, torrent: Torrent) -> None:
        """Let whoever keeps where the torrent is know it. Raises StorageError; then the journal must not go."""
        if self._services.on_placed is not None:
            await self._services.on_placed(torrent)

    async def begin(self) -> None:
        """Put a copy on record before anything is touched. Raises StorageError."""
        if self.relocation.stage is MoveStage.COPYING:
            await self._enter(MoveStage.COPYING)

    async def _enter(self, stage: MoveStage) -> None:
        self.relocation = self.relocation.at(stage)
        path = journal_path(self._services, self._info_hash)
        if path is not None:
            await replace_whole(path, self.relocation.encode())

    async def _forget(self) -> None:
        path = journal_path(self._services, self._info_hash)
        if path is not None:
            await self._job(lambda: path.unlink(missing_ok=True))

    async def _job(self, job: Callable[[], T]) -> T:
        return await self._services.environment.hasher.run(job)


async def take_record_along(info_hash: InfoHash, source: Path, target: Path, services: Services) -> None:
    """Let what is on record of the content at `source` hold at `target`. Raises StorageError."""
    resume = services.resume
    if resume is None:
        return
    state = await resume.load(resume.key(info_hash, source))
    if state is not None:
        await resume.save(resume.key(info_hash, target), replace(state, target=str(target)))


def journal_path(services: Services, info_hash: InfoHash) -> Path | None:
    """Where a torrent's move is on record."""
    folder = services.settings.state_dir
    return None if folder is None else Path(folder) / "moves" / f"{info_hash.hex()}.move"


def absolute(path: str | Path) -> Path:
    """The folder as records name it."""
    return Path(path).absolute()


async def unfinished(info_hash: InfoHash, place: Path, services: Services) -> Move | None:
    """A move from or to `place` that a crash cut short, or that is to be cleaned up after; a rename is ended first.

    Raises StorageError.
    """
    path = journal_path(services, info_hash)
    if path is None or not path.exists():
        return None
    try:
        found = Relocation.decode(await read_whole(path, MAX_JOURNAL))
    except MissingContentError:
        return None
    if place not in (found.source, found.target):
        return None
    move = Move(found, info_hash, services)
    if found.stage is MoveStage.RENAMING:
        await move.switch()
    return move


async def plan(source: Path, target: Path, files: list[Parts], services: Services) -> Relocation:
    """See `p2p.disk.relocation.plan`. Raises StarlingError where there is nothing to do."""
    if source == target:
        raise StarlingError(f"the content is at {target} already")
    return await services.environment.hasher.run(lambda: relocation.plan(source, target, files))


async def move_content(torrent: Torrent, path: Path, services: Services) -> None:
    """See `Torrent.move`."""
    target = absolute(path)
    if torrent.metainfo is None:
        torrent.set_target(target)
        return
    while True:
        store = torrent.store
        files = await store.own_files()
        if torrent.store is store:  # else another run began meanwhile, and it may know more
            break
    folder = os.fspath(torrent.target)
    moving = [place.parts for place in files if place.folder == folder]
    relocation = await plan(torrent.target, target, moving, services)
    await carry_out(torrent, Move(relocation, torrent.info_hashes[0], services))


async def carry_out(torrent: Torrent, move: Move) -> None:
    """The whole of a move, or what a crash left of it. Raises StorageError; then the content is where it was."""

    async def switch() -> None:
        await move.switch()
        torrent.set_target(move.target)

    torrent.under_way = move

    if move.relocation.stage is not MoveStage.SWITCHED:
        try:
            await move.begin()
            await move.copy()
            await torrent.between_runs(switch)
        except StorageError:
            torrent.under_way = None
            await move.give_up()
            raise
    await move.tell(torrent)
    await move.clean_up()
    torrent.under_way = None


async def end_abandoned(torrent: Torrent) -> None:
    """Leave nothing of a move that was given up but the content, at one of its two places; the torrent has stopped.

    Raises StorageError.
    """
    move, torrent.under_way = torrent.under_way, None
    if move is None:
        return
    if move.relocation.stage is MoveStage.SWITCHED:
        await move.clean_up()
    else:
        await move.give_up()
