"""The disk port in memory, for simulation and tests: what a piece holds is what was stored, at no cost in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p.disk.places import Found, Place
from p2p.disk.storage import FileStat, PieceState
from p2p.errors import MissingContentError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from p2p.disk.places import Parts
    from p2p.disk.storage import Left, PieceCheck
    from p2p.ids import PieceIndex
    from p2p.metainfo.layout import Layout


class MemoryStorage:
    """The content of `layout`, piece by piece. `content` is what is there at first; it is shared, not copied."""

    def __init__(self, layout: Layout, content: Mapping[int, bytes] | None = None) -> None:
        self._layout = layout
        self._pieces: dict[int, bytes] = dict(content or {})
        self._made = bool(content)
        self._stores = 0

    async def find(self, left: Mapping[int, Left]) -> list[Found]:  # noqa: ARG002 - memory has one place
        nowhere = Place("", ())
        return [Found(nowhere, stat) for stat in await self.stat()]

    async def move(self, index: int, place: Place) -> None:
        """Nothing has a place in memory, and so no name."""

    async def rename(self, old: Parts, new: Parts, names: Mapping[int, Parts]) -> None:
        """See `move`."""

    async def unshare(self, indices: Sequence[int]) -> None:
        """Nobody else has what is in this memory."""

    async def prepare(self, *, allocate: bool, protect: Collection[int] = ()) -> None:  # noqa: ARG002 - all is ours
        self._made = True

    async def stat(self) -> list[FileStat | None]:
        """Sizes as if pieces were written to files; times count the stores instead of nanoseconds."""
        sizes = [0] * len(self._layout.files)
        for piece, content in self._pieces.items():
            for span in self._layout.spans(piece, 0, len(content)):
                sizes[span.file_index] = max(sizes[span.file_index], span.file_offset + span.length)
        return [
            FileStat(size, self._stores) if file.stored and (size or self._made) else None
            for file, size in zip(self._layout.files, sizes, strict=True)
        ]

    async def read(self, piece: PieceIndex, begin: int, length: int) -> bytes:
        content = self._pieces.get(piece)
        if content is None:
            raise MissingContentError(f"piece {piece} is missing")
        return content[begin : begin + length]

    async def verify(self, piece: PieceIndex, check: PieceCheck) -> PieceState:
        content = self._pieces.get(piece)
        if content is None:
            return PieceState.MISSING
        return PieceState.GOOD if check([content]) else PieceState.BAD

    async def store(self, piece: PieceIndex, views: Sequence[bytes | memoryview], check: PieceCheck) -> bool:
        if not check(views):
            return False
        self._pieces[piece] = b"".join(views)
        self._stores += 1
        return True

    async def sync(self) -> None:
        """Memory has no stable storage to reach."""

    async def close(self) -> None:
        """The content goes with the object."""
