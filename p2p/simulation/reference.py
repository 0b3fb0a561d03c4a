"""The content that a scenario is about, which all its disks share: what equals it is kept once and hashed once.

The rule: nothing changes but cost. Bytes count as the reference's only after they were compared, every one, and the
verdict on them is the one that the very same check gave on the very same bytes before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.disk.storage import PieceCheck


class Reference:
    """`pieces` are the bytes of each piece by its index; they stay as they are."""

    __slots__ = ("_verdicts", "pieces")

    def __init__(self, pieces: Mapping[int, bytes]) -> None:
        self.pieces = pieces
        self._verdicts: dict[tuple[int, object], bool] = {}

    def equals(self, piece: int, views: Sequence[bytes | memoryview]) -> bool:
        """Whether these consecutive views are the piece. They are compared in memory and not copied."""
        content = self.pieces.get(piece)
        if content is None:
            return False
        at = 0
        for view in views:
            if not content.startswith(view, at):  # a comparison of memory, which that of views in Python 3.11 is not
                return False
            at += len(view)
        return at == len(content)

    def verdict(self, piece: int, check: PieceCheck) -> bool:
        """What `check` says of the piece. Asked once for each kind of check and its arguments."""
        key = (piece, _identity(check))
        known = self._verdicts.get(key)
        if known is None:
            known = self._verdicts[key] = check([self.pieces[piece]])
        return known


def _identity(check: Any) -> object:
    """What two checks have in common exactly when they are the same function of the same arguments."""
    if isinstance(check, partial) and not check.keywords:
        return check.func, *map(_identity, check.args)
    return check
