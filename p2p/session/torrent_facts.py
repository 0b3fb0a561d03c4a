"""What there is to read of a torrent, each as cheap as it can be; nothing here waits or changes anything."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from p2p.session.selection import piece_priorities
from p2p.session.torrent_view import torrent_files, torrent_row, torrent_snapshot

if TYPE_CHECKING:
    from p2p.session.snapshot import FileSnapshot, TorrentRow, TorrentSnapshot
    from p2p.session.torrent import Torrent


class TorrentFacts(ABC):
    """The part of a `Torrent` that only reads it."""

    _sizes = (0, 0)
    _sizes_of: tuple[int, int] | None = None
    """What the sizes were counted of; None after a change of what is wanted."""

    @property
    @abstractmethod
    def _itself(self) -> Torrent:
        """The torrent."""

    def snapshot(self) -> TorrentSnapshot:
        """See `p2p.session.snapshot`."""
        return torrent_snapshot(self._itself, asyncio.get_running_loop().time())

    def row(self) -> TorrentRow:
        """The little of a snapshot that a list needs."""
        return torrent_row(self._itself, asyncio.get_running_loop().time())

    def files(self) -> tuple[FileSnapshot, ...]:
        """How each file stands."""
        return torrent_files(self._itself)

    def availability(self) -> tuple[list[int], float]:
        """Connected peers that have each piece, and whole copies among them and us; nothing while it is stopped."""
        exchange = self._itself.exchange
        if exchange is None:
            return [], 0.0
        return list(exchange.picker.availability_map()), exchange.picker.distributed_copies()

    def session_totals(self) -> tuple[int, int]:
        """Bytes of payload that went out and came in over all runs in this session."""
        torrent = self._itself
        ledger, exchange = torrent.ledger, torrent.exchange
        if exchange is None:
            return ledger.session_uploaded, ledger.session_downloaded
        return ledger.session_uploaded + exchange.uploaded, ledger.session_downloaded + exchange.downloaded

    def sizes(self) -> tuple[int, int]:
        """Bytes of the wanted pieces, and of those that are had; 0 while nothing is known."""
        torrent = self._itself
        exchange = torrent.exchange
        if exchange is not None:
            return exchange.wanted_size, exchange.done_size
        if torrent.metainfo is None:
            return 0, 0
        store = torrent.store
        state = (id(store), store.have.count)
        if self._sizes_of != state:
            priorities = piece_priorities(store.metainfo, torrent.file_priorities, torrent.options)
            wanted = [piece for piece, priority in enumerate(priorities) if priority]
            size = store.piece_size
            self._sizes = sum(map(size, wanted)), sum(size(piece) for piece in wanted if store.have[piece])
            self._sizes_of = state
        return self._sizes
