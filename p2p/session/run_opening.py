"""The opening of a torrent's content as a run sees it: state and progress for users, turns of disks, waits for room."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from p2p.errors import StorageError
from p2p.session.checks import SMALL, CheckStoppedError
from p2p.session.event_bus import EventKind
from p2p.session.opening import Opening
from p2p.session.scope import Scope
from p2p.session.snapshot import TorrentState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from p2p.errors import DiskFullError
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent


class RunOpening(Opening):
    """See the module's head. `on_full` is told what there is no room for."""

    def __init__(
        self, torrent: Torrent, services: Services, stopping: asyncio.Event, on_full: Callable[[DiskFullError], None]
    ) -> None:
        super().__init__()
        self.stopping = stopping
        self._torrent = torrent
        self._services = services
        self._on_full = on_full

    def begin(self) -> None:
        """The content is looked at from now on."""
        self._torrent.state = TorrentState.CHECKING
        self._torrent.check_progress = 0.0
        self._services.publish(EventKind.CHECKING, self._torrent.info_hash)

    def progress(self, done: int, total: int) -> None:
        self._torrent.check_progress = done / total if total else 1.0
        self._services.notices.on_change(self._torrent)

    @asynccontextmanager
    async def turn(self, folder: Path, size: int) -> AsyncIterator[None]:
        if size <= SMALL:
            yield
            return
        self._services.starts.leave(self._torrent.key)
        try:
            device = (await self._services.volumes.look(folder)).device
        except StorageError:  # whatever is wrong there, the check will tell
            device = 0
        async with self._services.checks.turn(device, size, self.stopping, self._on_wait):
            self._show(TorrentState.CHECKING)
            yield

    def _on_wait(self) -> None:
        self._show(TorrentState.CHECK_QUEUED)

    def _show(self, state: TorrentState) -> None:
        if self._torrent.state is not state:
            self._torrent.state = state
            self._services.notices.on_change(self._torrent)

    async def room(self, error: DiskFullError) -> None:
        self._on_full(error)
        self._services.starts.leave(self._torrent.key)
        async with Scope() as scope:
            stop = scope.start(self.stopping.wait(), name="stop while there is no room")
            room = scope.start(
                self._services.volumes.wait_for_room(self._torrent.target, lambda: self._torrent.left), name="room"
            )
            await asyncio.wait([stop, room], return_when=asyncio.FIRST_COMPLETED)
        if self.stopping.is_set():
            raise CheckStoppedError("stopped while it waited for room") from error
        self._show(TorrentState.CHECKING)
