"""Which content stays in memory for uploads: the most recently asked for, within a budget of bytes.

The unit is a span of a piece of at most UNIT bytes, aligned to UNIT: peers ask for the blocks of a piece one after the
other, so one read serves many requests, and a piece of 16 MiB does not push everything else out.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

UNIT: Final = 1 << 20
"""Bytes of a span; 64 blocks a read, beyond which reading gains nothing."""

KEPT: Final = 2
"""Spans kept whatever the budget: who waits for a block must find its span, or both if the block lies across two."""


def span_of(begin: int, piece_size: int) -> tuple[int, int]:
    """The span that holds byte `begin` of a piece, as (begin, length)."""
    start = begin & -UNIT
    return start, min(UNIT, piece_size - start)


class PieceCache:
    """An LRU of spans. `torrent` is any key that tells torrents apart; `start` is a span's begin from `span_of`."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._held = 0
        self._spans: OrderedDict[tuple[Hashable, int, int], memoryview] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes in the cache; above the budget only where KEPT spans are."""
        return self._held

    def get(self, torrent: Hashable, piece: int, start: int) -> memoryview | None:
        key = (torrent, piece, start)
        view = self._spans.get(key)
        if view is not None:
            self._spans.move_to_end(key)
        return view

    def put(self, torrent: Hashable, piece: int, start: int, content: bytes) -> memoryview:
        """Keep `content`, dropping what was asked for longest ago; returns a view of it."""
        view = memoryview(content)
        key = (torrent, piece, start)
        spans = self._spans
        old = spans.pop(key, None)
        if old is not None:
            self._held -= len(old)
        spans[key] = view
        self._held += len(view)
        self._make_room()
        return view

    def set_budget(self, budget: int) -> None:
        """Keep to that many bytes from now on."""
        self._budget = budget
        self._make_room()

    def _make_room(self) -> None:
        while self._held > self._budget and len(self._spans) > KEPT:
            self._held -= len(self._spans.popitem(last=False)[1])

    def drop(self, torrent: Hashable) -> None:
        """Forget a torrent's spans."""
        for key in [key for key in self._spans if key[0] == torrent]:
            self._held -= len(self._spans.pop(key))
