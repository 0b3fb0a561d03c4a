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
- A file that has other names (hard links) is never written, since what has them would change too.
- Files may change their places meanwhile (`Housing`): what is looked for in the old place is then found in the new one.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.disk.open_files import Access, OpenFile, OpenFiles
from p2p.disk.paths import make_folders, stat_file, sync_folder
from p2p.disk.places import Place, Places
from p2p.disk.refusals import other_content, printable, refusal
from p2p.disk.storage import FileStat
from p2p.errors import DiskFullError, MissingContentError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from p2p.disk.journal import PieceJournal
    from p2p.metainfo.layout import Layout, Span

MAX_VIEWS: Final = 1_024
"""IOV_MAX of every platform in use."""

_NO_ALLOCATION: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
"""How a filesystem says that it cannot reserve room; the file is then sparse."""


class PieceFiles:
    """The files of `layout` at their places, or in a folder. Every method blocks, and raises StorageError.

    Any thread may call; two calls may touch different pieces at once. `wanted` tells whether the file of an index is to
    be made before a piece needs it; None means all. A piece is put in `journal` before its first byte is written.
    """

    def __init__(
        self,
        layout: Layout,
        where: Path | Places,
        files: OpenFiles,
        wanted: Callable[[int], bool] | None = None,
        journal: PieceJournal | None = None,
    ) -> None:
        self._layout = layout
        self._places = where if isinstance(where, Places) else Places(layout, where)
        self._files = files
        self._wanted = wanted
        self._journal = journal
        self._stored = [file.stored for file in layout.files]
        self._lock = threading.Lock()
        self._present: set[int] = set()
        """Files that are known to be there."""
        self._foreign: set[int] = set()
        """Files that were there with their full length before we wrote anything; compared before they are written."""
        self._protected: frozenset[int] = frozenset()
        self._dirty: dict[int, None] = {}
        self._changed_folders: dict[Place, None] = {}

    def path(self, index: int) -> Path:
        """Where the file `index` of the layout lies."""
        return self._places[index].path

    def prepare(self, *, allocate: bool, protect: Collection[int] = ()) -> None:
        """See `Storage.prepare`."""
        self._protected = frozenset(protect)
        self._make_folder(self._places.target)
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

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(error, folder) from error

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
                    folder, parts = self._places[span.file_index]
                    self._dirty[span.file_index] = None
                    self._changed_folders.update((Place(folder, parts[:depth]), None) for depth in range(len(parts)))

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
            for folder in folders:
                self._sync_folder(folder)
        except DiskFullError:  # unlike content, the entries of folders stay for the next try
            with self._lock:
                self._changed_folders.update(folders)
            raise

    def close(self) -> None:
        """Let go of the open files."""
        for index, stored in enumerate(self._stored):
            if stored:
                self._files.discard(*self._places[index])

    def _stat(self, index: int) -> FileStat | None:
        try:
            found = stat_file(*self._places.settled(index))
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
            if os.fstat(file.fd).st_nlink > 1:
                raise StorageError(
                    f"{printable(self.path(index))} has other names (hard links), whose content would change with it;"
                    " started again, the torrent goes on in a copy of its own"
                )
            if len(views) > MAX_VIEWS or os.pwritev(file.fd, views, offset) != length:
                _write_all(file.fd, views, offset)
        with self._lock:
            self._dirty[index] = None

    def _sync_folder(self, place: Place) -> None:
        try:
            sync_folder(*place)
        except FileNotFoundError:  # its files went elsewhere, which was synced there
            return
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise refusal(error, place.path) from error

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
        place = self._places[index]
        try:
            return self._borrow_at(place, access)
        except FileNotFoundError:
            settled = self._places.settled(index)
            if settled == place:
                raise
            return self._borrow_at(settled, access)

    def _borrow_at(self, place: Place, access: Access) -> OpenFile:
        folder, parts = place
        if access is not Access.CREATE:
            return self._files.borrow(folder, parts, access)
        if place.folder != os.fspath(self._places.target):
            self._make_folder(Path(place.folder))
        folders = make_folders(folder, parts[:-1])
        file = self._files.borrow(folder, parts, access)
        with self._lock:
            self._changed_folders.update((Place(folder, each), None) for each in (*folders, parts[:-1]))
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
