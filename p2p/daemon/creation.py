"""Torrents made by the daemon, one job after another: hashed with progress, kept as a file, seeded in place if asked.

The rule: a job never writes over anything, and leaves nothing where it fails or is cancelled. Jobs that wait and jobs
that have ended are bounded in number.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.codec.bencode import MAX_SIZE
from p2p.daemon.own_facts import Creation, CreationState
from p2p.daemon.ports import Addition, SourceKind
from p2p.daemon.rpc_errors import Code, RpcError
from p2p.disk.refusals import printable, refusal
from p2p.disk.whole_files import read_whole
from p2p.errors import StarlingError, StorageError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.create import create
from p2p.session.scope import Scope
from p2p.session.work_through import core_count
from p2p.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.daemon.ports import Library
    from p2p.metainfo.metainfo import Version

log = logging.getLogger(__name__)

MAX_WAITING: Final = 100
"""Jobs that are not done: each is a person's wish."""

MAX_ENDED: Final = 100
"""Jobs that are, kept to be asked after; the oldest go."""

MAX_NOTICES: Final = 100
MAX_NAMES: Final = 1_000
"""Names tried for a file that is not there yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made. `output` is where its file goes, None for the daemon's folder of such files."""

    path: str
    output: str | None = None
    seed: bool = False
    version: Version = "1"
    piece_length: int | None = None
    tiers: tuple[tuple[str, ...], ...] = ()
    web_seeds: tuple[str, ...] = ()
    private: bool = False
    source: str | None = None
    comment: str | None = None


@dataclass(slots=True)
class _Job:
    number: int
    wanted: Wanted
    started: float
    state: CreationState = CreationState.WAITING
    ended: float | None = None
    done: int = 0
    total: int = 0
    notices: list[str] = field(default_factory=list)
    file: Path | None = None
    metainfo: Metainfo | None = None
    torrent: int | None = None
    error: str = ""
    task: asyncio.Task[None] | None = None

    def facts(self) -> Creation:
        metainfo = self.metainfo
        info_hash = b"" if metainfo is None else metainfo.info_hash_v1 or metainfo.info_hash_v2 or b""
        return Creation(
            job=self.number,
            state=self.state,
            path=self.wanted.path,
            name=Path(self.wanted.path).name if metainfo is None else metainfo.name,
            bytes_done=self.done,
            bytes_total=self.total,
            started=self.started,
            ended=self.ended,
            torrent_file="" if self.file is None else str(self.file),
            hash_string=info_hash.hex(),
            magnet_link="" if metainfo is None else Magnet.from_metainfo(metainfo).uri(),
            torrent=self.torrent,
            notices=tuple(self.notices),
            error=self.error,
        )


class Creations:
    """See the module's head. `folder` is where files go that are given no place; `wall` is the date."""

    def __init__(self, library: Library, folder: Path, *, wall: Callable[[], float]) -> None:
        self._library = library
        self._folder = folder
        self._wall = wall
        self._numbers = itertools.count(1)
        self._jobs: dict[int, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Do the jobs, until cancelled; what is under way then is given up."""
        async with Scope() as scope:
            while True:
                while not self._waiting:
                    self._wake.clear()
                    await self._wake.wait()
                job = self._waiting.popleft()
                if job.state is CreationState.WAITING:
                    job.task = scope.start(self._do(job), name=f"create {job.number}")
                    await asyncio.wait([job.task])
                    if job.task.cancelled():  # also where it never came to its first step
                        self._end(job, CreationState.CANCELLED)
                    job.task = None

    def start(self, wanted: Wanted) -> Creation:
        """Begin, once the jobs before it are done. Raises RpcError for one too many."""
        under_way = sum(job.ended is None for job in self._jobs.values())
        if under_way >= MAX_WAITING:
            raise RpcError(Code.SYSTEM, f"{MAX_WAITING} torrents wait to be made already")
        job = _Job(next(self._numbers), wanted, self._wall())
        self._jobs[job.number] = job
        self._waiting.append(job)
        self._wake.set()
        ended = [each.number for each in self._jobs.values() if each.ended is not None]
        for number in ended[: max(0, len(ended) - MAX_ENDED)]:
            del self._jobs[number]
        return job.facts()

    def cancel(self, number: int) -> Creation:
        """Give a job up, if it has not ended. Raises RpcError for one that is not known."""
        job = self._job(number)
        if job.state is CreationState.WAITING:
            self._end(job, CreationState.CANCELLED)
        elif job.task is not None:
            job.task.cancel()
        return job.facts()

    def all(self) -> tuple[Creation, ...]:
        """Every job, in the order in which they were asked for."""
        return tuple(job.facts() for job in self._jobs.values())

    def one(self, number: int) -> Creation:
        """Raises RpcError for one that is not known."""
        return self._job(number).facts()

    async def file(self, number: int) -> bytes:
        """The torrent file of a job that is done. Raises RpcError, StorageError."""
        job = self._job(number)
        path = job.file
        if path is None:
            raise RpcError(Code.SYSTEM, f"job {number} has made no torrent file")
        return await read_whole(path, MAX_SIZE)

    def _job(self, number: int) -> _Job:
        job = self._jobs.get(number)
        if job is None:
            raise RpcError(Code.INVALID_PARAMS, f"there is no job {number}")
        return job

    def _end(self, job: _Job, state: CreationState, error: str = "") -> None:
        job.state, job.error, job.ended = state, error, self._wall()

    async def _do(self, job: _Job) -> None:
        job.state = CreationState.HASHING
        try:
            await self._make(job)
        except StarlingError as error:
            self._end(job, CreationState.FAILED, str(error))
        except Exception as error:  # a bug of ours in one job must not take the others down, and must be seen
            log.exception("making a torrent of %s ended by a bug", printable(job.wanted.path))
            self._end(job, CreationState.FAILED, f"a bug in this program: {type(error).__name__}")
        else:
            self._end(job, CreationState.DONE)

    async def _make(self, job: _Job) -> None:
        wanted = job.wanted
        if wanted.output is not None and await asyncio.to_thread(Path(wanted.output).exists):
            raise StorageError(f"{printable(wanted.output)} exists, and is not written over")
        content = await create(
            wanted.path,
            version=wanted.version,
            piece_length=wanted.piece_length,
            tiers=wanted.tiers,
            web_seeds=wanted.web_seeds,
            private=wanted.private,
            source=wanted.source,
            comment=wanted.comment,
            created_by=f"Starling/{VERSION}",
            progress=lambda done, total: self._on_progress(job, done, total),
            notice=lambda line: self._on_notice(job, line),
            threads=max(1, core_count() - 1),  # the daemon has other things to do
        )
        metainfo = await asyncio.to_thread(Metainfo.from_bytes, content)
        file = await asyncio.to_thread(self._write, metainfo.name, wanted.output, content)
        job.metainfo, job.file = metainfo, file
        if wanted.seed:
            folder = str(Path(wanted.path).resolve().parent)  # noqa: ASYNC240 - it was walked a moment ago
            addition = Addition(SourceKind.METAINFO, content, download_dir=folder, paused=False, is_whole=True)
            job.torrent = (await self._library.add(addition)).torrent.id

    def _on_progress(self, job: _Job, done: int, total: int) -> None:
        job.done, job.total = done, total

    def _on_notice(self, job: _Job, line: str) -> None:
        if len(job.notices) < MAX_NOTICES:
            job.notices.append(line)

    def _write(self, name: str, output: str | None, content: bytes) -> Path:
        """A file that was not there before. Blocking. Raises StorageError."""
        if output is not None:
            return _written(Path(output), content)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal(error, self._folder) from error
        for attempt in range(1, MAX_NAMES):
            with suppress(FileExistsError):
                mark = f"-{attempt}" if attempt > 1 else ""
                return _written(self._folder / f"{name}{mark}.torrent", content, taken=FileExistsError)
        raise StorageError(f"{printable(self._folder)} holds {MAX_NAMES} torrents of the name {printable(name)}")


def _written(path: Path, content: bytes, taken: type[Exception] = StorageError) -> Path:
    """Raises `taken` where a file of that name is there, StorageError for all else."""
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise taken(f"{printable(path)} exists, and is not written over") from error
    except OSError as error:
        raise refusal(error, path) from error
    try:
        with file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise refusal(error, path) from error
    return path
