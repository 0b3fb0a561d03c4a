"""What a user may do with the content of a torrent as a whole: move it, say where it is, give it other names, look.

The rule: one at a time. What cannot be done raises StarlingError, and then all is where it was.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from p2p.errors import ChangedContentError, MissingContentError, StarlingError
from p2p.session.move import absolute, carry_out, move_content, take_record_along
from p2p.session.snapshot import TorrentState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import Any

    from p2p.session.move import Move
    from p2p.session.piece_store import PieceStore
    from p2p.session.services import Services
    from p2p.session.settings import TorrentOptions
    from p2p.session.torrent import Torrent


class TorrentContent(ABC):
    """The part of a `Torrent` that is about its content; the torrent has what is named here."""

    name: str
    target: Path
    options: TorrentOptions
    state: TorrentState
    message: str | None
    failure: StarlingError | None
    _services: Services
    _store: PieceStore | None
    _busy_with: str | None = None
    """What is done with the content at present."""
    _accepts_losses = False
    _mover: asyncio.Task[None] | None = None
    under_way: Move | None = None
    """The move that goes on, or was given up and is to be ended."""

    @property
    @abstractmethod
    def _itself(self) -> Torrent:
        """The torrent."""

    @abstractmethod
    async def between_runs(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while no run goes."""

    @abstractmethod
    def _make_next_store(self) -> None:
        """The content is opened anew with the next run, wherever it is then."""

    def accept_losses(self) -> None:
        """Content that is gone, or was whole and is not, ended the last run: the next downloads it anew."""
        self._accepts_losses = isinstance(self.failure, MissingContentError | ChangedContentError)

    async def move(self, path: Path) -> None:
        """Move the content to the folder `path`, while the torrent goes on; returns when it is there.

        Within a filesystem it is renamed; elsewhere it is copied while the old place serves, and a move that was
        cut short goes on when the torrent is added again. What other files there are stay, and so do files in the
        folder for what is incomplete. Raises StarlingError where nothing is to be done or something else is being
        done with the content, StorageError; then all is where it was.
        """
        await self._move(move_content(self._itself, path, self._services))

    async def carry_on(self, move: Move) -> None:
        """The same for a move that an earlier run began."""
        await self._move(carry_out(self._itself, move))

    async def _move(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            with self._doing("moved"):
                mover = self._mover = asyncio.get_running_loop().create_task(work, name=f"move {self.name}")
                try:
                    await asyncio.wait([mover])
                except asyncio.CancelledError:
                    await self.abandon_move()
                    raise
                finally:
                    self._mover = None
                if mover.cancelled():
                    raise StarlingError(f"{self.name} was removed while it was moved")
                mover.result()
        finally:
            work.close()

    async def abandon_move(self) -> None:
        """Let no move go on; `end_abandoned` is for what there is of it once the torrent has stopped."""
        if self._mover is not None:
            self._mover.cancel()
            await asyncio.wait([self._mover])

    async def seems_whole(self) -> bool:
        """Whether every file of a torrent that stands still is there in its full size. Raises StorageError."""
        if self._store is None or self._itself.running:
            return False
        files = self._store.metainfo.layout.files
        found = await self._store.locate()
        return all(
            each.stat is not None and each.stat.size == file.length
            for each, file in zip(found, files, strict=True)
            if file.stored
        )

    async def find_at(self, path: Path) -> None:
        """The content is in the folder `path`, where somebody else put it: look there, and change nothing on disk.

        What is there as it was left is believed, the rest is checked; what is not there is missing, and is not
        downloaded unless the user says so. Raises StarlingError while something is done with the content, StorageError.
        """
        target = absolute(path)

        async def switch() -> None:
            if self._itself.metainfo is not None and target != self.target:
                await take_record_along(self._itself.info_hashes[0], self.target, target, self._services)
            self.set_target(target)

        with self._doing("moved"):
            await self.between_runs(switch)

    async def rename(self, path: str, name: str) -> None:
        """Give the file or folder `path` of the torrent (from its top, with slashes) another name, while it goes on.

        Raises NameRefusedError for what cannot be a name or another file has; StarlingError before the metadata is
        there, while the content is checked or something else is done with it; StorageError where the disk refuses.
        """
        torrent = self._itself
        if torrent.metainfo is None:
            raise StarlingError("nothing can be renamed before the metadata is there")
        parts = tuple(path.split("/"))
        with self._doing("renamed"):
            if torrent.store.is_open:
                await torrent.store.rename(parts, name)
            elif torrent.running:
                raise StarlingError(f"{self.name} is being opened; rename it when that is done")
            else:
                await self.between_runs(lambda: torrent.store.rename(parts, name))
            self._take_in_names()

    def on_opened(self) -> None:
        """The content is open, and what is on record of it known."""
        self._accepts_losses = False
        self._take_in_names()

    def _take_in_names(self) -> None:
        torrent = self._itself
        if torrent.metainfo is not None:
            places = torrent.store.places
            self.name = places.top if places.names else torrent.metainfo.name
            self.options = replace(self.options, names=dict(places.names))
            self._services.notices.on_change(torrent)

    def set_target(self, path: Path) -> None:
        """The content is in another folder from now on. Not while a run goes that has opened it."""
        self.target = path.absolute()
        self.options = replace(self.options, download_dir=self.target)
        self._make_next_store()
        if self.state is TorrentState.ERROR:
            self.state, self.message, self.failure = TorrentState.STOPPED, None, None
        self._services.notices.on_change(self._itself)

    async def look_up(self) -> None:
        """Show what is on record of a torrent that has not run yet."""
        if self._store is not None and not self._itself.running:
            await self._store.look_up()
            self._take_in_names()

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        if self._busy_with is not None:
            raise StarlingError(f"{self.name} is being {self._busy_with} already")
        self._busy_with = what
        try:
            yield
        finally:
            self._busy_with = None
