"""Swarms in a file, so that a restart loses nobody: written aside and moved into place, read only if it is whole.

Layout, numbers little-endian: MAGIC; records; a zero byte; wall clock and store clock at the end of the save (two
doubles); SHA-256 over all before it. A record is a one byte, info-hash, family, completions, number of peers, then the
three columns of `tracker.store.SwarmRecord`. The rules: a file that is cut, altered or no snapshot is refused whole,
with the reason, and the store stays as it was; times move by what the wall clock says has passed, so a peer expires
when it would have; and the loop is not held up: swarms are copied out a millisecond at a time, files belong to threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Final

from p2p.errors import StorageError
from tracker.store import Family, SwarmRecord

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from tracker.store import Store

MAGIC: Final = b"starling swarms 1\n"
PORTION: Final = 1 << 20
"""Bytes given to the thread that writes; as many are copied in a fraction of a millisecond."""

SWARMS_A_TURN: Final = 50
"""Copied before others have their turn."""

MAX_SIZE: Final = 4 << 30
"""Bytes of a file that is read: seventy million peers."""

MAX_AGE: Final = 30 * 86_400.0
"""Seconds since a peer was seen that can be true: no interval is longer than a day, and no peer outlives three."""

_CLOCKS: Final = struct.Struct("<dd")
_RECORD: Final = struct.Struct("<B20sBII")
_DIGEST: Final = 32
_DETAIL: Final = 21


async def save(path: Path, store: Store, *, clock: Callable[[], float], wall: Callable[[], float]) -> int:
    """Write the swarms of `store`; how many bytes. `clock` tells the store's time, `wall` seconds since the epoch.

    Raises StorageError; what was there before is then still there, as it is when this is cancelled.
    """
    file = _NewFile(path)
    try:
        await _in_thread(file.open)
        portion = [MAGIC]
        size = 0
        for n, record in enumerate(store.records()):
            seen = record.seen[:]
            if sys.byteorder == "big":
                seen.byteswap()
            head = _RECORD.pack(1, record.info_hash, record.family, min(record.completed, 2**32 - 1), len(seen))
            portion += [head, record.peers, record.details, seen.tobytes()]
            size += len(record.peers) + len(record.details) + 8 * len(seen)
            if size >= PORTION:
                await _in_thread(file.write, portion)
                portion, size = [], 0
            elif n % SWARMS_A_TURN == 0:
                await asyncio.sleep(0)
        portion += [b"\0", _CLOCKS.pack(wall(), clock())]
        await _in_thread(file.write, portion)
        await _in_thread(file.finish)
    except OSError as error:
        raise StorageError(f"swarms cannot be saved to {path}: {error.strerror or error}") from error
    finally:
        file.close()
    return file.size


def restore(path: Path, store: Store, *, clock: float, wall: float, lifetime: float, rng: random.Random) -> bool:
    """Enter the swarms of a file into `store`, but for peers that have expired meanwhile; False if there is no file.

    Blocks: for the start, before anybody is answered. Raises StorageError for a file that cannot be read or believed,
    with nothing entered.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_SIZE:
                raise StorageError(f"{path} is too large for a file of swarms")
            content = file.read()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"swarms cannot be read from {path}: {error.strerror or error}") from error
    try:
        shift, records = _read(memoryview(content), clock, wall)
        for record in records:
            store.restore(record._replace(seen=array("d", [seen + shift for seen in record.seen])), rng)
    except ValueError as error:
        raise StorageError(f"{path} is no whole file of swarms: {error}") from error
    while not store.expire(clock - lifetime, 1_000_000):
        pass
    return True


def _read(content: memoryview, clock: float, wall: float) -> tuple[float, list[SwarmRecord]]:
    """What to add to the times of the records, and the records. Raises ValueError."""
    if bytes(content[: len(MAGIC)]) != MAGIC:
        raise ValueError("it does not begin as one")
    end = len(content) - _DIGEST
    last = end - _CLOCKS.size - 1
    if last < len(MAGIC) or hashlib.sha256(content[:end]).digest() != content[end:]:
        raise ValueError("it is cut or altered")
    saved_wall, saved_clock = _CLOCKS.unpack_from(content, last + 1)
    records = []
    at = len(MAGIC)
    while at < last:
        record, at = _read_record(content[:last], at)
        if any(not 0.0 <= saved_clock - seen <= MAX_AGE for seen in record.seen):
            raise ValueError("it tells of a peer seen at no time that can be")
        if any(mark & 3 == 3 for mark in record.details[_DETAIL - 1 :: _DETAIL]):
            raise ValueError("it tells of a peer in a role that there is not")
        records.append(record)
    if content[last] or not (0.0 <= saved_wall < 2**40 and abs(saved_clock) < 2**40):
        raise ValueError("it does not add up")
    return clock - saved_clock - max(0.0, wall - saved_wall), records


def _read_record(content: memoryview, at: int) -> tuple[SwarmRecord, int]:
    if at + _RECORD.size > len(content):
        raise ValueError("a swarm is cut")
    begin, info_hash, size, completed, count = _RECORD.unpack_from(content, at)
    if begin != 1:
        raise ValueError("it has something else than a swarm")
    family = Family(size)
    at += _RECORD.size
    peers_end = at + count * size
    details_end = peers_end + count * _DETAIL
    seen_end = details_end + 8 * count
    if seen_end > len(content):
        raise ValueError("a swarm is cut")
    seen = array("d")
    seen.frombytes(content[details_end:seen_end])
    if sys.byteorder == "big":
        seen.byteswap()
    peers, details = bytes(content[at:peers_end]), bytes(content[peers_end:details_end])
    return SwarmRecord(info_hash, family, completed, peers, details, seen), seen_end


async def _in_thread(work: Callable[..., None], *arguments: object) -> None:
    """Do it in a thread, to its end: who is cancelled meanwhile must not find the thread still at it."""
    working = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        working.exception()  # which nobody is there to hear any more
        raise


class _NewFile:
    """A file that is written beside the one whose place it takes. Blocks; its methods belong to threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_name(path.name + ".new")
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self.size = 0

    def open(self) -> None:
        self._file = self._aside.open("wb")

    def write(self, portion: list[bytes]) -> None:
        content = b"".join(portion)
        self._digest.update(content)
        self._put(content)

    def finish(self) -> None:
        file = self._put(self._digest.digest())
        file.flush()
        os.fsync(file.fileno())
        file.close()
        self._aside.replace(self._path)
        self._file = None
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Give up what was not finished. Idempotent."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            with contextlib.suppress(OSError):  # of a disk that cannot be written any more it cannot be removed either
                self._aside.unlink()

    def _put(self, content: bytes) -> BinaryIO:
        if self._file is None:
            raise ValueError("the file is not open")
        self._file.write(content)
        self.size += len(content)
        return self._file
