"""The content files of one torrent, as pieces: blocking positional reads and writes.

What this decides:

- Files are sparse and grow as pieces arrive, so bytes past a file's end are known to be missing; with `allocate` their
  room is reserved and they have their full length at once. Nothing takes zeros for "not there": that is on record
  elsewhere.
- A file that was there with its full length before us is compared, where a piece spans several files, before it is
  written. So a complete neighbour of an incomplete file is never opened for writing, and may be read-only.
- A protected file is somebody else's. It is only ever compared: a piece that would change it is refused as a whole,
  before it is journalled and before any of its bytes is written, to this file or its neighbours.
- Pad files and links (BEP 47) are never on disk; their bytes are zeros and are not written.
- A piece that spans a wanted and an unwanted file is written to both, because it can only be seeded whole. The unwanted
  file then exists, sparse, with just those bytes.
- A file that was there and is gone is never made again: that is a drive that was pulled, not an empty start.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from p2p.disk.open_files import Access, OpenFile, OpenFiles
from p2p.disk.paths import make_folders, stat_file, sync_folder
from p2p.disk.refusals import other_content, printable, refusal
from p2p.disk.storage import FileStat
from p2p.errors import DiskFullError, MissingContentError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from p2p.disk.journal import PieceJournal
    from p2p.metainfo.layout import Layout, Span

MAX_VIEWS: Final = 1_024
"""IOV_MAX of every platform in use."""

_NO_ALLOCATION: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
"""How a filesystem says that it cannot reserve room; the file is then sparse."""


class PieceFiles:
    """The files of `layout` below `target`. Every method blocks, and raises StorageError or a subclass of it.

    Any thread may call; two calls may touch different pieces at once. `wanted` tells whether the file of an index is to
    be made before a piece needs it; None means all. A piece is put in `journal` before its first byte is written.
    """

    def __init__(
        self,
        layout: Layout,
        target: Path,
        files: OpenFiles,
        wanted: Callable[[int], bool] | None = None,
        journal: PieceJournal | None = None,
    ) -> None:
        self._layout = layout
        self._target = target
        self._folder = os.fspath(target)
        self._files = files
        self._wanted = wanted
        self._journal = journal
        self._parts = [(*layout.root, *file.parts) for file in layout.files]
        self._stored = [file.stored for file in layout.files]
        self._lock = threading.Lock()
        self._present: set[int] = set()
        """Files that are known to be there."""
        self._foreign: set[int] = set()
        """Files that were there with their full length before we wrote anything; compared before they are written."""
        self._protected: frozenset[int] = frozenset()
        self._dirty: dict[int, None] = {}
        self._changed_folders: dict[tuple[str, ...], None] = {}

    def path(self, index: int) -> Path:
        """Where the file `index` of the layout lies."""
        return self._target.joinpath(*self._parts[index])

    def prepare(self, *, allocate: bool, protect: Collection[int] = ()) -> None:
        """See `Storage.prepare`."""
        self._protected = frozenset(protect)
        try:
            self._target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(error, self._target) from error
        for index, file in enumerate(self._layout.files):
            if not self._stored[index]:
                continue
            found = self._stat(index)
            if found is not None:
                self._take_on(index, found, file.length)
                if not allocate or found.size == file.length or index in self._protected:
                    continue
            if self._wanted is None or self._wanted(index):
                self._make(index, file.length if allocate else 0)

    def stat(self) -> list[FileStat | None]:
        """See `Storage.stat`."""
        return [self._stat(index) if stored else None for index, stored in enumerate(self._stored)]

    def read(self, piece: int, begin: int, length: int) -> bytes:
        """See `Storage.read`."""
        spans = self._layout.spans(piece, begin, length)
        if len(spans) == 1:
            return self._read_span(spans[0])
        return b"".join([self._read_span(span) for span in spans])

    def read_into(self, piece: int, buffer: memoryview) -> bool:
        """Fill `buffer` with a whole piece, whose size it has. False: some byte of the piece does not exist."""
        at = 0
        for span in self._layout.spans(piece, 0, len(buffer)):
            view = buffer[at : at + span.length]
            if not self._stored[span.file_index]:
                view[:] = bytes(span.length)
            elif not self._fill(span, view):
                return False
            at += span.length
        return True

    def on_verified(self, piece: int) -> None:
        """A piece was found that matches, and perhaps never synced by whoever wrote it: the next sync takes it in."""
        with self._lock:
            for span in self._layout.spans(piece, 0, self._layout.piece_size(piece)):
                if self._stored[span.file_index]:
                    parts = self._parts[span.file_index]
                    self._dirty[span.file_index] = None
                    self._changed_folders.update((parts[:depth], None) for depth in range(len(parts)))

    def write(self, piece: int, views: Sequence[bytes | memoryview]) -> None:
        """Journal and write a whole piece, given as consecutive views."""
        spans = self._layout.spans(piece, 0, self._layout.piece_size(piece))
        writes: list[tuple[Span, Sequence[bytes | memoryview]]]
        if len(spans) == 1 and spans[0].file_index not in self._protected:
            writes = [(spans[0], views)] if self._stored[spans[0].file_index] else []
        else:
            parts = zip(spans, _views_of(views, spans), strict=True)
            writes = [
                (span, part) for span, part in parts if self._stored[span.file_index] and not self._holds(span, part)
            ]
            for span, _ in writes:
                if span.file_index in self._protected:
                    raise other_content(self.path(span.file_index))
        if self._journal is not None:
            self._journal.append(piece)
        for span, part in writes:
            self._write_span(span, part)

    def sync(self) -> None:
        """See `Storage.sync`."""
        with self._lock:
            dirty, self._dirty = self._dirty, {}
            folders, self._changed_folders = self._changed_folders, {}
        try:
            for index in dirty:
                with self._borrowed(index, Access.READ) as file:
                    _sync(file.fd)
        except DiskFullError as error:  # room that comes later does not bring back what was not written
            raise StorageError(str(error)) from error
        try:
            for parts in folders:
                self._sync_folder(parts)
        except DiskFullError:  # unlike content, the entries of folders stay for the next try
            with self._lock:
                self._changed_folders.update(folders)
            raise

    def close(self) -> None:
        """Let go of the open files."""
        for parts in self._parts:
            self._files.discard(self._folder, parts)

    def _stat(self, index: int) -> FileStat | None:
        try:
            found = stat_file(self._folder, self._parts[index])
        except OSError as error:
            raise refusal(error, self.path(index)) from error
        return None if found is None else FileStat(found.st_size, found.st_mtime_ns)

    def _take_on(self, index: int, found: FileStat, length: int) -> None:
        if found.size > length:
            raise StorageError(
                f"{printable(self.path(index))} has {found.size} bytes where the torrent has {length}: another file?"
            )
        self._present.add(index)
        if found.size == length:
            self._foreign.add(index)

    def _make(self, index: int, reserve: int) -> None:
        with self._borrowed(index, Access.CREATE) as file:
            self._present.add(index)
            if not reserve or not hasattr(os, "posix_fallocate"):
                return
            before = os.fstat(file.fd).st_size
            try:
                os.posix_fallocate(file.fd, 0, reserve)
            except OSError as error:
                os.ftruncate(file.fd, before)  # what a failed reservation holds is of use to nobody
                if error.errno not in _NO_ALLOCATION:
                    raise

    def _read_span(self, span: Span) -> bytes:
        index, offset, length = span
        if not self._stored[index]:
            return bytes(length)
        with self._borrowed(index, Access.READ) as file:
            content = os.pread(file.fd, length, offset)
            while len(content) < length:
                more = os.pread(file.fd, length - len(content), offset + len(content))
                if not more:
                    raise MissingContentError(f"{printable(self.path(index))} ends before byte {offset + length}")
                content += more
        return content

    def _fill(self, span: Span, view: memoryview) -> bool:
        try:
            with self._borrowed(span.file_index, Access.READ) as file:
                offset = span.file_offset
                while view:
                    taken = os.preadv(file.fd, [view], offset)
                    if not taken:
                        return False
                    offset += taken
                    view = view[taken:]
        except MissingContentError:
            return False
        return True

    def _holds(self, span: Span, views: Sequence[bytes | memoryview]) -> bool:
        """Whether a file that was complete before us, or is not ours, has these bytes already."""
        if span.file_index not in self._foreign and span.file_index not in self._protected:
            return False
        found = bytearray(span.length)
        return self._fill(span, memoryview(found)) and found == b"".join(views)

    def _write_span(self, span: Span, views: Sequence[bytes | memoryview]) -> None:
        index, offset, length = span
        with self._borrowed(index, Access.WRITE if index in self._present else Access.CREATE) as file:
            self._present.add(index)
            if len(views) > MAX_VIEWS or os.pwritev(file.fd, views, offset) != length:
                _write_all(file.fd, views, offset)
        with self._lock:
            self._dirty[index] = None

    def _sync_folder(self, parts: tuple[str, ...]) -> None:
        try:
            sync_folder(self._folder, parts)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise refusal(error, self._target.joinpath(*parts)) from error

    @contextmanager
    def _borrowed(self, index: int, access: Access) -> Iterator[OpenFile]:
        try:
            file = self._borrow(index, access)
            try:
                yield file
            finally:
                self._files.give_back(file)
        except OSError as error:
            raise refusal(error, self.path(index)) from error

    def _borrow(self, index: int, access: Access) -> OpenFile:
        parts = self._parts[index]
        if access is not Access.CREATE:
            return self._files.borrow(self._folder, parts, access)
        folders = make_folders(self._folder, parts[:-1])
        file = self._files.borrow(self._folder, parts, access)
        with self._lock:
            self._changed_folders.update(dict.fromkeys([*folders, parts[:-1]]))
        return file


def _sync(fd: int) -> None:
    try:
        os.fdatasync(fd)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a filesystem that is only ever read, which has nothing waiting to be written
            return
        # What could not be written counts as written in the cache; dropped from there, the next check reads the disk.
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        raise


def _write_all(fd: int, views: Sequence[bytes | memoryview], offset: int) -> None:
    """Write all of `views` from the first on, however little a call takes."""
    waiting = [memoryview(view) for view in reversed(views) if len(view)]
    while waiting:
        taken = os.pwritev(fd, list(islice(reversed(waiting), MAX_VIEWS)), offset)
        offset += taken
        while waiting and taken >= len(waiting[-1]):
            taken -= len(waiting.pop())
        if taken:
            waiting[-1] = waiting[-1][taken:]


def _views_of(views: Sequence[bytes | memoryview], spans: Sequence[Span]) -> Iterator[list[bytes | memoryview]]:
    """`views` cut into one run a span, without a copy; together they are as long as the spans."""
    source = iter(views)
    view = memoryview(b"")
    for span in spans:
        run: list[bytes | memoryview] = []
        missing = span.length
        while missing:
            if not view:
                view = memoryview(next(source))
            part = view[:missing]
            run.append(part)
            missing -= len(part)
            view = view[len(part) :]
        yield run
