"""Making a torrent of what is on disk (BEP 3, 52): the walk, the reading, and the hashing on all cores.

The rule: a torrent describes content that this program could seed as it stands. So nothing is followed through symbolic
links below the root, as when seeding, and files that change while they are read are an error. The same content and
settings give the same bytes: files go in order of their names, and no date is written unless one is given.
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from p2p.disk.refusals import printable, refusal
from p2p.errors import MetainfoError, StorageError
from p2p.metainfo.create import CreationPlan, automatic_piece_length, hash_job
from p2p.metainfo.envelope import Envelope
from p2p.metainfo.urls import endpoint, tracker_urls, web_seed_urls
from p2p.session.work_through import core_count, work_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from p2p.metainfo.create import HashJob, PieceHashes
    from p2p.metainfo.layout import Span
    from p2p.metainfo.metainfo import Version

_WINDOW: Final = 1 << 20
"""Bytes read at once: hashed while still in the processor's cache, and large enough that a disk streams."""

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""What the walk found to be a regular file may have been replaced by a link or a FIFO since."""

MAX_FILES: Final = 1_000_000
"""Files of a content: more than a torrent of the largest size that clients read can list."""


class FoundFile(NamedTuple):
    """A file of the walk; `parts` lead to it below the root and are empty where the root is the file."""

    parts: tuple[str, ...]
    size: int
    modified_ns: int


async def create(
    path: str | os.PathLike[str],
    *,
    version: Version = "1",
    piece_length: int | None = None,
    trackers: Iterable[str] = (),
    tiers: Iterable[Sequence[str]] = (),
    web_seeds: Iterable[str] = (),
    nodes: Iterable[tuple[str, int]] = (),
    private: bool = False,
    source: str | None = None,
    comment: str | None = None,
    created_by: str | None = "Starling",
    creation_date: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    notice: Callable[[str], None] | None = None,
    threads: int | None = None,
) -> bytes:
    """The torrent file of the file or folder `path`.

    `piece_length` is bytes, None takes one that suits the size. Each of `trackers` is a tier of its own, those of a
    tier in `tiers` come after them, as a group (BEP 12). `nodes` are DHT nodes as host and port (BEP 5).
    `creation_date` is seconds since the epoch. `progress` is told the bytes hashed and the bytes there are, `notice`
    one line for whatever is left out or needs another name; both are called on the event loop. `threads` defaults to
    one a core.

    Raises StorageError for what cannot be read or changes meanwhile, MetainfoError for what no torrent can hold.
    """
    envelope = Envelope(
        trackers=(*((_tracker(url),) for url in trackers), *(tuple(map(_tracker, tier)) for tier in tiers)),
        web_seeds=tuple(map(_web_seed, web_seeds)),
        nodes=tuple(_node(host, port) for host, port in nodes),
        comment=comment,
        created_by=created_by,
        creation_date=creation_date,
    )
    root, found, left_out = await asyncio.to_thread(_walk_whole, Path(path))
    length = automatic_piece_length(sum(file.size for file in found)) if piece_length is None else piece_length
    plan = CreationPlan(root.name, [(file.parts, file.size) for file in found], version=version, piece_length=length)
    if notice is not None:
        for line in left_out:
            notice(line)
        for declared, safe in plan.renamed:
            notice(f"clients will look for {printable('/'.join(declared))} as {printable('/'.join(safe))}")
    meter = _Meter(plan.total_size, progress)
    try:
        results = await work_through(
            plan.jobs(),
            lambda: _Worker(plan, root, meter).hash,
            threads=core_count() if threads is None else threads,
            tick=meter.show,
        )
    finally:
        for worker in meter.workers:
            worker.close()
    _, after, _ = await asyncio.to_thread(_walk_whole, root)
    _check_unchanged(root, found, after)
    return plan.finish(results, envelope=envelope, private=private, source=source)


def walk(root: Path) -> Iterator[FoundFile | str]:
    """The regular files of `root`, a file or a folder, in order of their names as bytes; a line for all else.

    Raises StorageError. Blocking.
    """
    try:
        found = root.stat()
        if stat.S_ISREG(found.st_mode):
            yield FoundFile((), found.st_size, found.st_mtime_ns)
            return
    except OSError as error:
        raise refusal(error, root) from error
    if not stat.S_ISDIR(found.st_mode):
        raise StorageError(f"{printable(root)} is neither a file nor a folder")
    folders: list[tuple[str, ...]] = [()]
    while folders:
        parts = folders.pop()
        place = root.joinpath(*parts)
        below: list[tuple[str, ...]] = []
        try:
            with os.scandir(place) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
            for entry in entries:
                inner = (*parts, entry.name)
                if entry.is_symlink():
                    yield f"left out: {printable('/'.join(inner))} is a symbolic link"
                elif entry.is_dir(follow_symlinks=False):
                    below.append(inner)
                elif entry.is_file(follow_symlinks=False):
                    known = entry.stat(follow_symlinks=False)
                    yield FoundFile(inner, known.st_size, known.st_mtime_ns)
                else:
                    yield f"left out: {printable('/'.join(inner))} is not a regular file"
        except OSError as error:
            raise refusal(error, place) from error
        folders.extend(reversed(below))


def _walk_whole(path: Path) -> tuple[Path, list[FoundFile], list[str]]:
    """The root under its real name, its files, and what was left out."""
    try:
        root = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise refusal(error, path) if isinstance(error, OSError) else StorageError(str(error)) from error
    found: list[FoundFile] = []
    left_out: list[str] = []
    for item in walk(root):
        if isinstance(item, str):
            left_out.append(item)
        else:
            found.append(item)
        if len(found) > MAX_FILES:
            raise StorageError(f"{printable(root)} holds more than {MAX_FILES} files")
    return root, found, left_out


def _check_unchanged(root: Path, before: list[FoundFile], after: list[FoundFile]) -> None:
    if before == after:
        return
    changed = min(set(before).symmetric_difference(after))
    raise StorageError(f"{printable(root.joinpath(*changed.parts))} changed while it was read")


class _Meter:
    """Bytes hashed by all threads, shown on the loop."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._total = total
        self._progress = progress
        self.workers: list[_Worker] = []

    def show(self) -> None:
        if self._progress is not None:
            self._progress(sum(worker.done for worker in self.workers), self._total)


class _Worker:
    """One thread's hands: the file it is at, and a buffer that each window of content passes through."""

    def __init__(self, plan: CreationPlan, root: Path, meter: _Meter) -> None:
        self.done = 0
        self._plan = plan
        self._root = os.fspath(root)
        self._index = -1
        self._fd = -1
        self._buffer = memoryview(bytearray(_WINDOW))
        meter.workers.append(self)

    def hash(self, job: HashJob) -> PieceHashes:
        return hash_job(job, self._windows(job.spans))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _windows(self, spans: Iterable[Span]) -> Iterator[memoryview]:
        """The content of `spans`, each window over the one before."""
        for index, begin, length in spans:
            try:
                if index != self._index:
                    self._open(index)
                offset, missing = begin, length
                while missing:
                    taken = os.preadv(self._fd, [self._buffer[:missing]], offset)
                    if not taken:
                        return  # shorter than planned, which the job notices
                    yield self._buffer[:taken]
                    self.done += taken
                    offset += taken
                    missing -= taken
            except OSError as error:
                raise refusal(error, self._path(index)) from error

    def _open(self, index: int) -> None:
        self.close()
        self._fd = os.open(self._path(index), _READ)
        self._index = index

    def _path(self, index: int) -> str:
        return os.path.join(self._root, *self._plan.files[index].parts)  # noqa: PTH118 - Path costs more than the open


def _tracker(url: str) -> str:
    found = tracker_urls((url,))
    if not found:
        raise MetainfoError(f"{printable(url)} is no tracker address (http, https, udp, ws, wss)")
    return found[0]


def _web_seed(url: str) -> str:
    found = web_seed_urls((url,))
    if not found:
        raise MetainfoError(f"{printable(url)} is no web seed address (http, https, ftp)")
    return found[0]


def _node(host: str, port: int) -> tuple[str, int]:
    found = endpoint(host, port)
    if found is None:
        raise MetainfoError(f"{printable(host)} port {port} is no place of a DHT node")
    return found
