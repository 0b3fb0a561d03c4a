"""Whole pieces on their way to disk: hashed and written one task a piece, kept and tried again while the disk is full.

Decides when peers are read no further: while more than a backlog waits for storage, a slow disk slows the network.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from p2p.errors import DiskFullError, StorageError
from p2p.session.arrivals import Arrival, Arrivals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.ids import PieceIndex
    from p2p.session.peer_task import Peer
    from p2p.session.piece_store import PieceStore
    from p2p.session.scope import Scope
    from p2p.wire.arena import ArenaPool
    from p2p.wire.events import BlockReceived, BlocksReceived

STORE_BACKLOG: Final = 8 << 20
"""Bytes handed to storage and not yet written, or two pieces if that is more; beyond it peers are not read, so that a
slow disk slows the network. More would only move blocks out of the processor's cache before they are hashed."""

DISK_FULL_RETRY: Final = 5.0
"""Seconds between looks at a full disk."""


async def _a_while() -> None:
    await asyncio.sleep(DISK_FULL_RETRY)


class Storing:
    """The pieces of one torrent between the network and the disk.

    `on_stored(piece, arrival, good)` hears of each that storage is done with, good or bad, while its views still live.
    """

    def __init__(
        self,
        *,
        store: PieceStore,
        arenas: ArenaPool,
        scope: Scope,
        on_stored: Callable[[PieceIndex, Arrival, bool], None],
        on_error: Callable[[StorageError], None],
    ) -> None:
        self.backlog = 0
        """Bytes of whole pieces that are not written yet."""
        self.disk_full: str | None = None
        """Why nothing is asked for, while there is no room."""
        self.wait_for_room: Callable[[], Awaitable[None]] = _a_while
        """Returns when a write that found no room may be tried again."""
        self._store = store
        self._scope = scope
        self._on_stored = on_stored
        self._on_error = on_error
        self._backlog_limit = max(STORE_BACKLOG, 2 * store.piece_length)
        self._arrivals = Arrivals(store.piece_size, arenas)
        self._storing: dict[PieceIndex, Arrival] = {}
        self._paused_readers: dict[int, Peer] = {}
        self._ended = asyncio.Event()

    def add(self, event: BlockReceived | BlocksReceived, peer: Peer) -> None:
        """Keep blocks until their piece is whole, with their pins on the arena."""
        self._arrivals.add(event, peer)

    def on_whole(self, piece: PieceIndex) -> None:
        """Every block of `piece` was added: hash it and write it, unless the torrent ends."""
        if self._scope.closing:
            return
        arrival = self._storing[piece] = self._arrivals.take(piece)
        self.backlog += arrival.size
        self._scope.start(self._store_piece(piece, arrival), name=f"store {piece}")

    def may_read(self, peer: Peer) -> bool:
        """False while storage is behind; the peer is then resumed when it has caught up."""
        if self.backlog <= self._backlog_limit:
            return True
        self._paused_readers[peer.key] = peer
        return False

    def forget(self, peer: Peer) -> None:
        """Resume `peer` no more."""
        self._paused_readers.pop(peer.key, None)

    def hold(self, error: DiskFullError, wait: Callable[[], Awaitable[None]]) -> None:
        """There is no room, though no write has shown it yet: ask for nothing until `wait` returns."""
        if self.disk_full is None and not self._scope.closing:
            self.disk_full = str(error)
            self._on_error(error)
            self._scope.start(self._end_hold(wait), name="room")

    async def _end_hold(self, wait: Callable[[], Awaitable[None]]) -> None:
        await wait()
        self.disk_full = None

    async def drain(self) -> None:
        """Wait until what has arrived whole is on disk, unless the disk is full."""
        while self.backlog and self.disk_full is None:
            self._ended.clear()
            await self._ended.wait()

    def close(self) -> None:
        """Give every buffer back. Only once the store has nothing in hand any more."""
        self._arrivals.drop_all()
        for arrival in self._storing.values():
            arrival.release()
        self._storing.clear()

    async def _store_piece(self, piece: PieceIndex, arrival: Arrival) -> None:
        try:
            good = await self._store_when_room(piece, arrival)
        except StorageError as error:
            self._on_error(error)
            return
        finally:
            self.backlog -= arrival.size
            self._ended.set()
            self._resume_readers()
        del self._storing[piece]
        try:
            self._on_stored(piece, arrival, good)
        finally:
            arrival.release()

    async def _store_when_room(self, piece: PieceIndex, arrival: Arrival) -> bool:
        """Store a piece; on a full disk keep it, ask for nothing more, and try again until there is room."""
        views = arrival.views()
        while True:
            try:
                good = await self._store.store(piece, views)
            except DiskFullError as error:
                self.disk_full = str(error)
                self._ended.set()
                self._on_error(error)
                await self.wait_for_room()
            else:
                if good:  # a bad piece was not written, so it tells nothing of the room there is
                    self.disk_full = None
                return good

    def _resume_readers(self) -> None:
        if self._paused_readers and self.backlog <= self._backlog_limit // 2:
            paused = list(self._paused_readers.values())
            self._paused_readers.clear()
            for peer in paused:
                peer.resume_reading()
