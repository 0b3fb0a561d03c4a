"""Making a torrent: which bytes to hash, and the file that follows from the hashes (BEP 3, 12, 27, 47, 52).

The rule: the same files and settings give the same bytes, whoever hashes them, in whatever order. Nothing here reads a
disk: a `CreationPlan` gives out jobs of one piece each, `hash_job` does one of them on any thread, and the plan turns
the results into the torrent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from p2p.codec.bencode import MAX_SIZE, encode
from p2p.errors import MetainfoError, StorageError
from p2p.ids import BLOCK_SIZE
from p2p.metainfo import merkle
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.file_list import MAX_PARTS, MAX_TOTAL
from p2p.metainfo.layout import Entry, Layout, Span
from p2p.metainfo.metainfo import MAX_PIECE_LENGTH, Version
from p2p.metainfo.paths import safe_name, safe_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from p2p.codec.bencode import Encodable

_TARGET_PIECES: Final = 2_000
"""Pieces that an automatic piece length stays under: enough to trade from the first minute on, few enough that hashes
stay a small part of what a magnet link has to fetch."""

_MAX_AUTOMATIC: Final = 16 * 1024 * 1024
"""The longest automatic piece length: a peer cannot share a piece before it has all of it."""


class HashKind(Enum):
    """What is computed for a piece."""

    V1 = "1"
    V2 = "2"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class HashJob:
    """One piece to hash: the content of `spans`, in order, whose `file_index` counts `CreationPlan.files`."""

    index: int
    spans: tuple[Span, ...]
    kind: HashKind
    padding: int
    """Zeros that follow the content under version 1 of a hybrid; `hash_job` adds them itself."""
    height: int
    """Levels between blocks and the hash of the piece under version 2, at least."""

    @property
    def length(self) -> int:
        """Bytes to read."""
        return sum(span.length for span in self.spans)


@dataclass(frozen=True, slots=True)
class PieceHashes:
    """The result of a job: `v1` is 20 bytes, `v2` 32, None for a version that is not made."""

    index: int
    v1: bytes | None
    v2: bytes | None


class PlannedFile(NamedTuple):
    """`parts` lead from the content's root to the file; empty if the content is that file. `length` is bytes."""

    parts: tuple[str, ...]
    length: int


def automatic_piece_length(total: int) -> int:
    """The piece length for `total` bytes: the least power of two from 16 KiB to 16 MiB that makes at most 2,000 pieces.

    So there are 1,000 to 2,000 pieces between 16 MB and 32 GB, fewer below and more above.
    """
    length = BLOCK_SIZE
    while length < _MAX_AUTOMATIC and total > length * _TARGET_PIECES:
        length *= 2
    return length


def hash_job(job: HashJob, views: Iterable[bytes | memoryview]) -> PieceHashes:
    """Do a job over the content of its spans, in views of any size, each used up before the next is taken.

    Pure, and hashing releases the GIL, so jobs run side by side in threads. Raises StorageError if the content is not
    as long as planned: somebody is changing the files.
    """
    sha1 = None if job.kind is HashKind.V2 else hashlib.sha1()
    blocks = None if job.kind is HashKind.V1 else merkle.BlockHasher()
    length = 0
    for view in views:
        length += len(view)
        if sha1 is not None:
            sha1.update(view)
        if blocks is not None:
            blocks.update(view)
    if length != job.length:
        raise StorageError(f"a file changed while it was read: {length} bytes of piece {job.index}, not {job.length}")
    if sha1 is not None and job.padding:
        sha1.update(bytes(job.padding))
    return PieceHashes(
        job.index,
        None if sha1 is None else sha1.digest(),
        None if blocks is None else merkle.root(blocks.finish(), height=job.height),
    )


class CreationPlan:
    """What a torrent of these files takes: its jobs, and at the end its bytes.

    `entries` are path parts below the content's root and lengths in bytes, in any order; one entry without parts means
    that the content is a single file. `name` is the root's name. Raises MetainfoError for what no torrent can hold.
    """

    __slots__ = ("_layout", "_single", "files", "name", "piece_length", "renamed", "version")

    def __init__(
        self, name: str, entries: Iterable[tuple[Sequence[str], int]], *, version: Version, piece_length: int
    ) -> None:
        _check_piece_length(piece_length, version)
        self.name: Final = name
        self.version: Final = version
        self.piece_length: Final = piece_length
        _check_parts((name,))
        files = [PlannedFile(_check_parts(tuple(parts)), length) for parts, length in entries]
        # Bytes, not text: it is the order of the version 2 tree, and both halves of a hybrid must have it.
        files.sort(key=lambda file: [part.encode() for part in file.parts])
        self._single: Final = [file.parts for file in files] == [()]
        _check_files(files)
        self.files: Final = tuple(files)
        """In the torrent's order."""
        self.renamed: Final = self._renamed()
        """Paths that no client may use as they are, with those under which this program looks for them: such content
        can be shared, but has to be renamed before it can be seeded."""
        whole = Layout.contiguous if version == "1" else Layout.aligned
        self._layout: Final = whole(piece_length, [Entry(file.parts, file.length) for file in files])

    @property
    def piece_count(self) -> int:
        """Jobs, and pieces of the torrent."""
        return self._layout.piece_count

    @property
    def total_size(self) -> int:
        """Bytes to read."""
        return self._layout.total_size

    def jobs(self) -> Iterator[HashJob]:
        """One job a piece, in the order of the files, so that reading is sequential."""
        layout = self._layout
        kind = HashKind(self.version)
        last = layout.piece_count - 1
        for piece in range(layout.piece_count):
            size = layout.piece_size(piece)
            spans = tuple(layout.spans(piece, 0, size))
            padding = self.piece_length - size if kind is HashKind.HYBRID and piece != last else 0
            height = 0
            if kind is not HashKind.V1 and self.files[spans[0].file_index].length > self.piece_length:
                height = merkle.level_of(self.piece_length)
            yield HashJob(piece, spans, kind, padding, height)

    def finish(
        self,
        results: Iterable[PieceHashes],
        *,
        envelope: Envelope | None = None,
        private: bool = False,
        source: str | None = None,
    ) -> bytes:
        """The torrent file. `results` has one result of each job, in any order.

        `private` (BEP 27) and `source` are part of the info dict and so of the info-hash. Raises MetainfoError if the
        file would be larger than this program reads. Raises ValueError if results are missing or repeated.
        """
        ordered = self._ordered(results)
        info: dict[bytes, Encodable] = {b"name": self.name.encode(), b"piece length": self.piece_length}
        if private:
            info[b"private"] = 1
        if source is not None:
            info[b"source"] = source.encode()
        if self.version != "2":
            info[b"pieces"] = b"".join(result.v1 for result in ordered if result.v1 is not None)
            info |= self._list_v1()
        layers: dict[bytes, bytes] | None = None
        if self.version != "1":
            roots, layers = self._trees([result.v2 for result in ordered if result.v2 is not None])
            info[b"meta version"] = 2
            info[b"file tree"] = self._tree_v2(roots)
        data = (envelope or Envelope()).wrap(encode(info), layers)
        if len(data) > MAX_SIZE:
            raise MetainfoError(f"a torrent of {len(data)} bytes is too large to be read; take a longer piece length")
        return data

    def _renamed(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        if self._single:
            name = safe_name(self.name.encode())
            return () if name == self.name else (((self.name,), (name,)),)
        safe = safe_paths([[part.encode() for part in file.parts] for file in self.files])
        return tuple((file.parts, parts) for file, parts in zip(self.files, safe, strict=True) if file.parts != parts)

    def _ordered(self, results: Iterable[PieceHashes]) -> list[PieceHashes]:
        ordered = sorted(results, key=lambda result: result.index)
        if [result.index for result in ordered] != list(range(self.piece_count)):
            raise ValueError("the results are not those of this plan's jobs")
        return ordered

    def _list_v1(self) -> dict[bytes, Encodable]:
        if self._single:
            return {b"length": self.files[0].length}
        listed: list[Encodable] = []
        last = max(index for index, file in enumerate(self.files) if file.length)
        for index, file in enumerate(self.files):
            listed.append({b"length": file.length, b"path": [part.encode() for part in file.parts]})
            gap = -file.length % self.piece_length
            if self.version == "hybrid" and gap and index < last:
                listed.append({b"attr": b"p", b"length": gap, b"path": [b".pad", b"%d" % gap]})
        return {b"files": listed}

    def _trees(self, hashes: list[bytes]) -> tuple[list[bytes | None], dict[bytes, bytes]]:
        """The root of each file, and by root the layers of those longer than a piece."""
        roots: list[bytes | None] = []
        layers: dict[bytes, bytes] = {}
        for index, file in enumerate(self.files):
            pieces = self._layout.pieces_of_file(index)
            mine = hashes[pieces.start : pieces.stop]
            if len(mine) > 1:
                root = merkle.root(mine, level=merkle.level_of(self.piece_length))
                layers[root] = b"".join(mine)
                roots.append(root)
            else:
                roots.append(mine[0] if file.length else None)
        return roots, layers

    def _tree_v2(self, roots: list[bytes | None]) -> dict[bytes, Encodable]:
        tree: dict[bytes, Encodable] = {}
        for file, root in zip(self.files, roots, strict=True):
            folder = tree
            parts = file.parts or (self.name,)
            for part in parts:
                folder = cast("dict[bytes, Encodable]", folder.setdefault(part.encode(), {}))
            folder[b""] = {b"length": file.length} if root is None else {b"length": file.length, b"pieces root": root}
        return tree


def _check_piece_length(piece_length: int, version: Version) -> None:
    if not BLOCK_SIZE <= piece_length <= MAX_PIECE_LENGTH or piece_length % BLOCK_SIZE:
        raise MetainfoError(f"a piece length of {piece_length} is no multiple of 16 KiB up to 512 MiB")
    if version != "1" and piece_length & (piece_length - 1):
        raise MetainfoError(f"a piece length of {piece_length} is no power of two, which version 2 needs")


def _check_files(files: list[PlannedFile]) -> None:
    if not any(file.length for file in files):
        raise MetainfoError("there is nothing to share: no file has content")
    if any(file.length < 0 for file in files) or sum(file.length for file in files) > MAX_TOTAL:
        raise MetainfoError("the lengths of the files are not possible")
    seen: set[tuple[str, ...]] = set()
    for file in files:
        if not file.parts and len(files) > 1:
            raise MetainfoError("the content is either a file or a folder of files")
        # In sorted order a folder's files follow a file of the same name.
        if any(file.parts[:depth] in seen for depth in range(1, len(file.parts) + 1)):
            raise MetainfoError(f"two files are called {'/'.join(file.parts)!r}, or one is a folder too")
        seen.add(file.parts)


def _check_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    if len(parts) > MAX_PARTS:
        raise MetainfoError(f"a file lies more than {MAX_PARTS} folders deep")
    for part in parts:
        try:
            raw = part.encode()
        except UnicodeEncodeError as error:
            raise MetainfoError(f"the name {part!r} is not UTF-8, which torrents need") from error
        if raw in {b"", b".", b".."} or b"/" in raw or b"\0" in raw:
            raise MetainfoError(f"{part!r} is no name of a file")
    return parts
