"""The files of one torrent on their way: whole ones lose their suffix, what is done comes home, and users rename.

The rule: a crash at any point leaves each file in one of its places, where the next start finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.disk.file_copy import PARTIAL
from p2p.disk.places import SUFFIX, Spot
from p2p.metainfo.renaming import renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from p2p.disk.places import Parts, Place, Places
    from p2p.disk.storage import Storage
    from p2p.ids import PieceIndex
    from p2p.swarm.bitfield import Bitfield

_SUFFIXED: Final = 1
_INCOMPLETE: Final = 2


class FilePlaces:
    """See the module's head. `may_settle` is False while files must stay where they are, because all are moved."""

    def __init__(self, places: Places, storage: Storage, may_settle: Callable[[], bool]) -> None:
        self.places = places
        self._storage = storage
        self._may_settle = may_settle
        self._missing: dict[int, int] = {}
        """Pieces that files which are not whole lack, by index."""

    def on_open(self, have: Bitfield, foreign: Collection[int]) -> None:
        """Begin to count what is missing of the files that will change their names."""
        layout = self.places.layout
        self._missing = {
            index: sum(not have[piece] for piece in layout.pieces_of_file(index))
            for index in self.places.elsewhere
            if index not in foreign and self.places.spot(index) & _SUFFIXED
        }

    async def on_piece(self, piece: PieceIndex) -> None:
        """A piece came: files that are whole with it lose their suffix. Raises StorageError."""
        if not self._missing:
            return
        layout = self.places.layout
        for span in layout.spans(piece, 0, layout.piece_size(piece)):
            left = self._missing.get(span.file_index)
            if left is None:
                continue
            self._missing[span.file_index] = left - 1
            if left == 1:
                del self._missing[span.file_index]
                if self._may_settle():
                    await self._move(span.file_index, keep=_INCOMPLETE)

    async def settle(self, have: Bitfield, wanted: Callable[[int], bool], foreign: Collection[int]) -> None:
        """Bring every file to where it belongs as it is: all home, if nothing that is wanted is missing.

        Raises StorageError, DiskFullError.
        """
        elsewhere = self.places.elsewhere
        if not elsewhere or not self._may_settle():
            return
        layout = self.places.layout
        whole = {index for index in elsewhere if all(map(have.__getitem__, layout.pieces_of_file(index)))}
        done = all(
            have[piece]
            for index, file in enumerate(layout.files)
            if file.stored and wanted(index) and index not in whole
            for piece in layout.pieces_of_file(index)
        )
        for index in elsewhere:
            if index not in foreign:
                keep = (0 if index in whole else _SUFFIXED) | (0 if done else _INCOMPLETE)
                await self._move(index, keep=keep)

    async def _move(self, index: int, *, keep: int) -> None:
        spot = self.places.spot(index)
        await self._storage.move(index, self.places.at(index, Spot(spot & keep)))

    def renamed(self, path: Parts, name: str) -> dict[int, Parts]:
        """See `p2p.metainfo.renaming`. Raises NameRefusedError."""
        return renamed(self.places.layout, self.places.names, path, name, suffixes=(SUFFIX, PARTIAL))

    def former_names(self, names: Iterable[int]) -> dict[int, Parts]:
        """What the files are called now of which some would be called otherwise."""
        return {index: self.places.name(index) for index in {*names, *self.places.names}}

    async def rename(self, path: Parts, name: str, names: dict[int, Parts]) -> None:
        """Do it on disk. Raises StorageError; then all is as it was."""
        await self._storage.rename(path, (*path[:-1], name), names)

    async def end_renaming(self) -> None:
        """Give files that a crash left under their former names the present ones. Raises StorageError."""
        places = self.places
        for index in places.former:
            spots = places.spots(index)
            if places[index] in spots[len(Spot) :]:
                await self._storage.move(index, places.at(index, places.spot(index)))
        places.set_names(places.names)

    def own(self, foreign: Collection[int]) -> list[Place]:
        """Where the torrent's own files are, or would be made."""
        return [
            self.places[index]
            for index, file in enumerate(self.places.layout.files)
            if file.stored and index not in foreign
        ]
