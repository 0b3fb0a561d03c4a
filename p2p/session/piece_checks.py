"""Pieces on disk are hashed a few at a time, until all are or somebody stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.disk.storage import PieceState
from p2p.ids import PieceIndex
from p2p.session.checks import CheckStoppedError
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.disk.storage import Storage
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.opening import Opening

CHECKS_AT_ONCE: Final = 8
"""Pieces in the hands of the hash workers while a torrent is checked: enough to keep each busy, little memory."""


async def check_pieces(
    storage: Storage,
    metainfo: Metainfo,
    pieces: Sequence[int],
    opening: Opening,
    on_good: Callable[[PieceIndex], None],
) -> dict[int, PieceState]:
    """What each of the pieces is on disk; `on_good` hears of those that match as they are found.

    `opening` hears of the bytes that are done. Raises CheckStoppedError once it is to stop, StorageError.
    """
    size = metainfo.layout.piece_size
    states: dict[int, PieceState] = {}
    done, total = 0, sum(map(size, pieces))
    opening.progress(0, total)
    for start in range(0, len(pieces), CHECKS_AT_ONCE):
        if opening.stopping.is_set():
            raise CheckStoppedError("stopped while the content was checked")
        batch = [PieceIndex(piece) for piece in pieces[start : start + CHECKS_AT_ONCE]]
        async with Scope() as scope:
            checks = [
                scope.start(storage.verify(piece, metainfo.piece_check(piece)), name=f"check {piece}")
                for piece in batch
            ]
            results = [await check for check in checks]
        for piece, result in zip(batch, results, strict=True):
            states[piece] = result
            done += size(piece)
            if result is PieceState.GOOD:
                on_good(piece)
        opening.progress(done, total)
    return states
