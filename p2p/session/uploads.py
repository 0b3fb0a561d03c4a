"""Blocks out: what unchoked peers asked for, read once into a cache and handed on as views.

Content is read in aligned spans of at most a mebibyte, off the loop; a peer whose next block is not there yet is
flushed again when it is. Nothing is read for a peer that is choked, and each span is read once, whoever waits for it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from p2p.disk.piece_cache import PieceCache, span_of
from p2p.errors import StorageError
from p2p.ids import BLOCK_SIZE, Block, PieceIndex

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from p2p.session.peer_task import Peer
    from p2p.session.scope import Scope

MAX_UPLOAD_QUEUE: Final = 8_192
"""Requests a peer may have waiting: rTorrent asks for more than 2,000 at a time, and none of its are dropped."""

PINNED_TIMES: Final = 8
"""A queued view keeps all of its span in memory until it is sent. Where less than one part in so many is asked in a
row, blocks are copied out, or one block of each span would hold 64 times what the peer is sent."""

Span = tuple[PieceIndex, int]


class Uploads:
    """The upload side of one torrent."""

    def __init__(
        self,
        *,
        torrent: bytes,
        cache: PieceCache,
        read: Callable[[PieceIndex, int, int], Awaitable[bytes]],
        piece_size: Callable[[int], int],
        scope: Scope,
        on_error: Callable[[StorageError], None],
    ) -> None:
        self._torrent = torrent
        self._cache = cache
        self._read = read
        self._piece_size = piece_size
        self._scope = scope
        self._on_error = on_error
        self._pending: dict[Span, dict[int, Peer]] = {}
        self._runs: dict[int, Span | None] = {}
        """Of which span views go to each peer at present; the end of a run needs no copy either."""

    def refill(self, peer: Peer, queued: int) -> None:
        """Queue blocks for `peer` until `queued` bytes wait in its machine or its requests are served."""
        uploads = peer.uploads
        wire = peer.wire
        cache = self._cache
        if not uploads:
            return
        size = self._piece_size
        newest = next(reversed(uploads))
        start, _ = span_of(newest.begin, size(newest.piece))
        if cache.get(self._torrent, newest.piece, start) is None:
            self._fetch(newest.piece, start, None)
        run = self._runs.get(peer.key)
        while uploads and wire.pending < queued:
            block = next(iter(uploads))
            start, length = span_of(block.begin, size(block.piece))
            span = cache.get(self._torrent, block.piece, start)
            if span is None:
                self._fetch(block.piece, start, peer)
                return
            if (block.piece, start) != run:
                run = (block.piece, start) if _is_run(uploads, block.piece, start, length) else None
                self._runs[peer.key] = run
            at = block.begin - start
            view: bytes | memoryview = span[at : at + block.length]
            if len(view) < block.length:  # the request straddles two spans, which no client does of its own accord
                rest = cache.get(self._torrent, block.piece, start + length)
                if rest is None:
                    self._fetch(block.piece, start + length, peer)
                    return
                view = bytes(view) + bytes(rest[: block.length - len(view)])
            elif run is None or block.length < BLOCK_SIZE:
                view = bytes(view)
            del uploads[block]
            wire.send_block(block, view)

    def forget(self, peer: Peer) -> None:
        self._runs.pop(peer.key, None)
        for waiting in self._pending.values():
            waiting.pop(peer.key, None)

    def _fetch(self, piece: PieceIndex, start: int, peer: Peer | None) -> None:
        key = (piece, start)
        waiting = self._pending.get(key)
        if waiting is None:
            if self._scope.closing:
                return
            waiting = self._pending[key] = {}
            self._scope.start(self._load(key), name=f"read {piece}+{start}")
        if peer is not None:
            waiting[peer.key] = peer

    async def _load(self, key: Span) -> None:
        piece, start = key
        _, length = span_of(start, self._piece_size(piece))
        try:
            content = await self._read(piece, start, length)
        except StorageError as error:
            del self._pending[key]
            self._on_error(error)
            return
        self._cache.put(self._torrent, piece, start, content)
        for peer in self._pending.pop(key).values():
            peer.flush()


def _is_run(uploads: dict[Block, None], piece: int, start: int, length: int) -> bool:
    """Whether the next requests are for whole blocks of one span, and enough of them to keep it in memory for."""
    count = -(-length // (PINNED_TIMES * BLOCK_SIZE))
    last = start + length - BLOCK_SIZE
    ahead = list(islice(uploads, count))
    return len(ahead) == count and all(
        block.piece == piece and start <= block.begin <= last and block.length == BLOCK_SIZE for block in ahead
    )


def rejected(peer: Peer, blocks: list[Block]) -> None:
    """Take back requests that will not be served, and say so where the peer can be told (BEP 6)."""
    for block in blocks:
        peer.uploads.pop(block, None)
        if peer.wire.fast:
            peer.wire.send_reject(block)
        else:
            peer.wire.drop_request(block)
