"""What a start finds in the place of a torrent's content, and what of it must not be touched.

The rule: nobody's file is written over unasked. What was on record and is gone, or was whole and is not any more, is an
error until the user says that it is to be downloaded anew; what holds something else is refused or, where it may be
right after all or is not wanted, protected: that comes out with the first piece that differs.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from p2p.disk.places import Spot
from p2p.disk.refusals import other_content, printable
from p2p.disk.resume import ResumeState
from p2p.disk.storage import Left, PieceState
from p2p.errors import ChangedContentError, MissingContentError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from p2p.disk.places import Found, Places
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.settings import TorrentOptions
    from p2p.swarm.bitfield import Bitfield

log = logging.getLogger(__name__)


def left_by(state: ResumeState | None, count: int) -> dict[int, Left]:
    """How and where a record says that files were left, by index; nothing for a record of another shape."""
    if state is None or len(state.files) != count:
        return {}
    return {
        index: Left(stat, state.spots.get(index, Spot.WHOLE))
        for index, stat in enumerate(state.files)
        if stat is not None
    }


def unseen(metainfo: Metainfo, target: Path, added_time: float) -> ResumeState:
    """The record of a torrent that has never run: nothing is there, and of what is found nothing is its own."""
    layout = metainfo.layout
    return ResumeState(
        info_hash_v1=metainfo.info_hash_v1,
        info_hash_v2=metainfo.info_hash_v2,
        target=str(target),
        pieces=bytes((layout.piece_count + 7) // 8),
        files=(None,) * len(layout.files),
        added_time=added_time,
        clean=True,
        foreign=tuple(index for index, file in enumerate(layout.files) if file.stored),
    )


class Findings:
    """The files of a layout as they were found, beside what is on record of them (None where nothing is)."""

    def __init__(
        self, places: Places, found: Sequence[Found], state: ResumeState | None, options: TorrentOptions
    ) -> None:
        self.places = places
        self.found = found
        self.stats = [each.stat for each in found]
        self._layout = places.layout
        self._state = state
        self._options = options

    def tell(self, name: str) -> None:
        """Log where files are that are not all in one place, and what else has their names."""
        elsewhere = sum(
            each.stat is not None and each.place != self.places.whole(i) for i, each in enumerate(self.found)
        )
        others = [place for each in self.found for place in each.others]
        if elsewhere or others:
            there = sum(stat is not None for stat in self.stats)
            stored = sum(file.stored for file in self._layout.files)
            log.info("%s: %d of %d files are there, %d of them not yet in place", name, there, stored, elsewhere)
        for place in others:
            log.warning(
                "%s: left %s alone, which has the name of a file that is elsewhere", name, printable(place.path)
            )

    def present_pieces(self) -> list[int]:
        """The pieces of which some byte may be there."""
        present: dict[int, None] = {}
        for index, stat in enumerate(self.stats):
            if stat is not None and stat.size and self._layout.files[index].stored:
                present.update(dict.fromkeys(self._layout.pieces_of_file(index)))
        return sorted(present)

    def is_all_there(self) -> bool:
        """Whether every file is."""
        return all(
            stat is not None or not file.stored for stat, file in zip(self.stats, self._layout.files, strict=True)
        )

    def require_present(self, missing: Sequence[int]) -> None:
        """MissingContentError, naming a file of those that are gone."""
        if missing and not self._options.accept_losses:
            others = f", and {len(missing) - 1} more files with it" if len(missing) > 1 else ""
            path = printable(self.places.whole(missing[0]).path)
            raise MissingContentError(f"{path} is gone{others}; put it back, or start over with --recheck")

    def require_unchanged(self, have: Bitfield) -> None:
        """ChangedContentError for a file that was whole when this was last stopped in good order, and is not."""
        state = self._state
        if state is None or not state.clean or state.warning or self._options.recheck or self._options.accept_losses:
            return
        recorded = _recorded(state)
        for index, stat in enumerate(self.stats):
            pieces = self._layout.pieces_of_file(index)
            if stat is None or not len(pieces) or index in state.foreign or not all(map(recorded, pieces)):
                continue
            bad = sum(not have[piece] for piece in pieces)
            if bad:
                path = printable(self.found[index].place.path)
                raise ChangedContentError(
                    f"{path} was whole and has changed: {bad} of its {len(pieces)} pieces differ;"
                    " put it back, or start over with --recheck to download them again"
                )

    def require_sizes(self) -> None:
        """StorageError for a file that is not as long as the torrent says."""
        for index, (stat, file) in enumerate(zip(self.stats, self._layout.files, strict=True)):
            if file.stored and (stat is None or stat.size != file.length):
                raise StorageError(f"{printable(self.places[index].path)} changed since the torrent was made")

    def require_complete(self, have: Bitfield) -> None:
        """StorageError where pieces are not there."""
        if have.complete:
            return
        bad = next(piece for piece in range(self._layout.piece_count) if not have[piece])
        path = printable(self.places[self._layout.file_at(bad)].path)
        count = self._layout.piece_count - have.count
        raise StorageError(f"{count} of {self._layout.piece_count} pieces do not match the torrent, first in {path}")

    def foreign_files(self, have: Bitfield) -> Iterator[int]:
        """A file of which nothing fits is somebody's, wanted or not, unless it is as we left it.

        After a crash nobody can tell how we left it, so all files count as ours then, but those that never were.
        """
        state = self._state
        for index, (stat, file) in enumerate(zip(self.stats, self._layout.files, strict=True)):
            if stat is None or not stat.size or not file.stored:
                continue
            pieces = self._layout.pieces_of_file(index)
            if state is not None and index not in state.foreign:
                as_left = index < len(state.files) and state.files[index] == stat
                known = (self._options.recheck or self._options.accept_losses) and any(map(_recorded(state), pieces))
                if as_left or not state.clean or known:
                    continue
            if not any(have[piece] for piece in pieces):
                yield index

    def refuse_foreign(
        self, foreign: dict[int, None], states: dict[int, PieceState], wanted: Callable[[int], bool]
    ) -> None:
        """Refuse at once what is in the way of a wanted file for certain."""
        for index, (stat, file) in enumerate(zip(self.stats, self._layout.files, strict=True)):
            if stat is None or not file.stored or not wanted(index):
                continue
            path = self.places[index].path
            if stat.size > file.length:
                raise StorageError(f"{printable(path)} is longer than the torrent says")
            if index in foreign and (
                stat.size < file.length
                or any(states.get(piece) is PieceState.BAD for piece in self._layout.pieces_of_file(index))
            ):
                raise other_content(path)


def _recorded(state: ResumeState) -> Callable[[int], bool]:
    pieces = state.pieces
    return lambda piece: piece >> 3 < len(pieces) and bool(pieces[piece >> 3] & 0x80 >> (piece & 7))
