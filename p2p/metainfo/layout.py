"""Where pieces lie in files (BEP 3, BEP 47, BEP 52): a pure map between piece space and file content.

The rule: this is the one place that knows piece sizes and file spans, so the picker, the wire and the disk agree.
Version 1 and hybrid torrents are one run of bytes across all files, pad files included; in version 2 each file with
content starts a piece of its own and the gap behind it belongs to no file.

On the wire a piece of a version 2 torrent ends where its file ends: its last block is short and nothing is exchanged
for the gap, which is what BEP 52 says (`request`) and what libtorrent does for torrents without a version 1 half. In a
hybrid the pad bytes are content of the version 1 half, so its pieces are whole, on connections of either kind.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Entry(NamedTuple):
    """One file to lay out, in the torrent's order. `parts` are safe path parts, `length` is bytes."""

    parts: tuple[str, ...]
    length: int
    pad: bool = False
    link: bool = False


class LayoutFile(NamedTuple):
    """A file and its place. `offset` is where it begins in piece space, in bytes.

    `parts` is its path below the layout's `root`. Pad files read as zeros and links are symbolic links that we never
    make (BEP 47): neither is ever on disk.
    """

    parts: tuple[str, ...]
    length: int
    offset: int
    pad: bool
    link: bool

    @property
    def stored(self) -> bool:
        """Whether this file is to exist on disk."""
        return not (self.pad or self.link)


class Span(NamedTuple):
    """`length` bytes at `file_offset` of the file at `file_index` of the layout."""

    file_index: int
    file_offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of a torrent over its pieces. Make one with `contiguous` or `aligned`.

    `root` is the safe folder name that holds the files of a multi-file torrent, empty for a single file: a file lies at
    `*root, *file.parts` below the download folder. `total_size` is bytes without pads.
    """

    root: tuple[str, ...]
    files: tuple[LayoutFile, ...]
    piece_length: int
    piece_count: int
    total_size: int
    _starts: list[int] = field(repr=False, compare=False)
    """Offsets of the files that have content, ascending, for bisection."""
    _indices: list[int] = field(repr=False, compare=False)
    """Which file each of `_starts` is."""
    _short: dict[int, int] = field(repr=False, compare=False)
    """Sizes of the pieces that are not `piece_length` bytes."""

    @classmethod
    def contiguous(cls, piece_length: int, entries: Iterable[Entry], *, root: tuple[str, ...] = ()) -> Layout:
        """Files end to end, as in version 1 and hybrid torrents. Lengths are not negative, `piece_length` positive."""
        files: list[LayoutFile] = []
        offset = 0
        for entry in entries:
            files.append(LayoutFile(entry.parts, entry.length, offset, entry.pad, entry.link))
            offset += entry.length
        piece_count = -(-offset // piece_length)
        rest = offset % piece_length
        return cls._of(root, files, piece_length, piece_count, {piece_count - 1: rest} if rest else {})

    @classmethod
    def aligned(cls, piece_length: int, entries: Iterable[Entry], *, root: tuple[str, ...] = ()) -> Layout:
        """Each file with content starts a piece, as in version 2 torrents."""
        files: list[LayoutFile] = []
        short: dict[int, int] = {}
        piece_count = 0
        for entry in entries:
            files.append(LayoutFile(entry.parts, entry.length, piece_count * piece_length, entry.pad, entry.link))
            piece_count += -(-entry.length // piece_length)
            if rest := entry.length % piece_length:
                short[piece_count - 1] = rest
        return cls._of(root, files, piece_length, piece_count, short)

    @classmethod
    def _of(
        cls, root: tuple[str, ...], files: list[LayoutFile], piece_length: int, piece_count: int, short: dict[int, int]
    ) -> Layout:
        indices = [index for index, file in enumerate(files) if file.length]
        starts = [files[index].offset for index in indices]
        total_size = sum(file.length for file in files if not file.pad)
        return cls(root, tuple(files), piece_length, piece_count, total_size, starts, indices, short)

    def piece_size(self, piece: int) -> int:
        """Bytes of `piece` as it is requested, sent and hashed. Raises IndexError outside the torrent."""
        if not 0 <= piece < self.piece_count:
            raise IndexError(f"piece {piece} of {self.piece_count}")
        return self._short.get(piece, self.piece_length)

    def spans(self, piece: int, begin: int, length: int) -> list[Span]:
        """Where `length` bytes at `begin` of `piece` lie, in order; together exactly `length` bytes.

        A span whose file is a pad is zeros to a reader and nothing to a writer. Raises IndexError for bytes outside the
        piece.
        """
        if begin < 0 or length < 0 or begin + length > self.piece_size(piece):
            raise IndexError(f"{length} bytes at {begin} are not in piece {piece}")
        offset = piece * self.piece_length + begin
        at = bisect_right(self._starts, offset) - 1
        found: list[Span] = []
        while length:
            index = self._indices[at]
            file_offset = offset - self._starts[at]
            taken = min(length, self.files[index].length - file_offset)
            found.append(Span(index, file_offset, taken))
            offset += taken
            length -= taken
            at += 1
        return found

    def pieces_of_file(self, index: int) -> range:
        """The pieces that hold bytes of a file, empty for an empty file. Raises IndexError for no such file."""
        if not 0 <= index < len(self.files):
            raise IndexError(f"file {index} of {len(self.files)}")
        file = self.files[index]
        if not file.length:
            return range(0)
        return range(file.offset // self.piece_length, (file.offset + file.length - 1) // self.piece_length + 1)

    def file_at(self, piece: int) -> int:
        """The index of the file that holds the first byte of `piece`. Raises IndexError outside the torrent."""
        if not 0 <= piece < self.piece_count:
            raise IndexError(f"piece {piece} of {self.piece_count}")
        return self._indices[bisect_right(self._starts, piece * self.piece_length) - 1]
