"""What a torrent remembers between runs, and how much of it a start may trust.

The rule: a piece is on record only once it is verified and synced, so a record survives a power cut as it stands. What
may have been written since is in the journal. A start rechecks what is uncertain, and nothing else
(`uncertain_pieces`). A save replaces a whole file, and the state before it stays beside it as `.bak`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import aiofiles

from p2p.codec import bencode
from p2p.disk.places import Spot
from p2p.disk.refusals import printable, refusal
from p2p.disk.state_lock import LockFile, StateLock
from p2p.disk.storage import FileStat
from p2p.errors import BencodeError, StorageError
from p2p.ids import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from p2p.codec.bencode import Encodable, Value
    from p2p.disk.places import Parts
    from p2p.metainfo.layout import Layout

_FORMAT: Final = b"starling resume"
_VERSION: Final = 1
_CHECKSUM: Final = hashlib.sha256().digest_size

MAX_PEERS: Final = 1_000
"""Peers on record: enough to be connected at once without any tracker, few enough to load at once."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """One torrent at one target, as last saved. Times are seconds since the epoch."""

    info_hash_v1: bytes | None
    info_hash_v2: bytes | None
    target: str
    """The folder that the content is in."""
    pieces: bytes
    """Bitfield of pieces verified and synced, first piece in the highest bit of the first byte."""
    files: tuple[FileStat | None, ...]
    """The content files as they stood when this was saved, one a file of the layout."""
    uploaded: int = 0
    downloaded: int = 0
    """Bytes of all runs."""
    completed: bool = False
    """Whether `completed` was announced; that is done once in a torrent's life."""
    added_time: float = 0.0
    completed_time: float | None = None
    clean: bool = False
    """Whether nothing was written after this was saved: an orderly stop."""
    peers: tuple[Address, ...] = ()
    foreign: tuple[int, ...] = ()
    """Files of the layout in whose place somebody else's content was found, ascending."""
    active_time: float | None = None
    """When payload moved last."""
    downloading_seconds: float = 0.0
    seeding_seconds: float = 0.0
    """Of all runs."""
    names: dict[int, Parts] = field(default_factory=dict)
    """Paths below `target`, by index, of files that are not called as in the torrent."""
    former: dict[int, Parts] = field(default_factory=dict)
    """Their paths before a renaming that had not been ended when this was saved."""
    incomplete: str | None = None
    """The folder for files that are not whole, where that is not `target`."""
    spots: dict[int, Spot] = field(default_factory=dict)
    """Which of their places files had, by index, where that is not the one of whole files."""
    warning: str | None = None
    """What went wrong with loading this, for the user; never saved. Then the record is an older one, and not clean."""

    def standing(self) -> bytes:
        """A digest of all that says where the content is and how far: not of times, peers, or how the record ended."""
        lasting = replace(
            self, clean=True, peers=(), active_time=None, downloading_seconds=0.0, seeding_seconds=0.0, warning=None
        )
        return hashlib.sha256(lasting.encode()).digest()

    def encode(self) -> bytes:
        """The bytes of a resume file; a checksum at the end shows a cut or changed one."""
        entries: dict[bytes, Encodable] = {
            b"format": _FORMAT,
            b"version": _VERSION,
            b"target": _raw(self.target),
            b"pieces": self.pieces,
            b"files": [[] if stat is None else [stat.size, stat.modified_ns] for stat in self.files],
            b"uploaded": self.uploaded,
            b"downloaded": self.downloaded,
            b"completed": int(self.completed),
            b"added": int(self.added_time),
            b"clean": int(self.clean),
            b"peers": [[peer.host.encode(), peer.port] for peer in self.peers[:MAX_PEERS]],
        }
        if self.foreign:
            entries[b"foreign"] = list(self.foreign)
        for key, names in ((b"names", self.names), (b"former", self.former)):
            if names:
                entries[key] = [[index, *map(_raw, names[index])] for index in sorted(names)]
        if self.incomplete is not None:
            entries[b"incomplete"] = _raw(self.incomplete)
        if self.spots:
            entries[b"spots"] = [[index, int(self.spots[index])] for index in sorted(self.spots)]
        if self.info_hash_v1 is not None:
            entries[b"v1"] = self.info_hash_v1
        if self.info_hash_v2 is not None:
            entries[b"v2"] = self.info_hash_v2
        for key, number in (
            (b"completed at", self.completed_time),
            (b"active at", self.active_time),
            (b"downloading for", self.downloading_seconds or None),
            (b"seeding for", self.seeding_seconds or None),
        ):
            if number is not None:
                entries[key] = max(0, int(number))
        body = bencode.encode(entries)
        return body + hashlib.sha256(body).digest()

    @classmethod
    def decode(cls, data: bytes) -> ResumeState:
        """The state in the bytes of a resume file. Raises StorageError for anything that `encode` does not write."""
        body = data[:-_CHECKSUM]
        if hashlib.sha256(body).digest() != data[-_CHECKSUM:]:
            raise StorageError("the resume state is cut short or damaged")
        try:
            reader = _Reader(bencode.decode(body))
            if reader.raw(b"format") != _FORMAT or reader.number(b"version") != _VERSION:
                raise StorageError("the resume state is of a format that this version does not know")
            return cls(
                info_hash_v1=reader.digest(b"v1", 20),
                info_hash_v2=reader.digest(b"v2", 32),
                target=_text(reader.raw(b"target")),
                pieces=reader.raw(b"pieces"),
                files=tuple(_stat(entry) for entry in reader.items(b"files")),
                uploaded=reader.number(b"uploaded"),
                downloaded=reader.number(b"downloaded"),
                completed=bool(reader.number(b"completed")),
                added_time=float(reader.number(b"added")),
                completed_time=reader.moment(b"completed at"),
                clean=bool(reader.number(b"clean")),
                peers=tuple(_peer(entry) for entry in reader.items(b"peers")[:MAX_PEERS]),
                foreign=tuple(_index(entry) for entry in reader.items(b"foreign")) if reader.has(b"foreign") else (),
                active_time=reader.moment(b"active at"),
                downloading_seconds=reader.moment(b"downloading for") or 0.0,
                seeding_seconds=reader.moment(b"seeding for") or 0.0,
                names=dict(map(_name, reader.items(b"names"))) if reader.has(b"names") else {},
                former=dict(map(_name, reader.items(b"former"))) if reader.has(b"former") else {},
                incomplete=_text(reader.raw(b"incomplete")) if reader.has(b"incomplete") else None,
                spots=dict(map(_spot, reader.items(b"spots"))) if reader.has(b"spots") else {},
            )
        except (BencodeError, ValueError) as error:
            raise StorageError(f"the resume state cannot be read: {error}") from error


class Uncertain(NamedTuple):
    """What a start may believe. The three are disjoint; a piece in none of them is not there."""

    trusted: bytes
    """Bitfield of pieces that are there."""
    recheck: list[int]
    """Pieces to hash before they count, ascending."""
    missing: list[int]
    """Files of the layout that held pieces on record and are gone, ascending."""


def uncertain_pieces(
    state: ResumeState, journal: Iterable[int], stats_now: Sequence[FileStat | None], layout: Layout
) -> Uncertain:
    """Which pieces on record can be trusted, given the files as they are now.

    After an orderly stop every piece is trusted, but for those of a file whose size or time of change differs. After a
    crash the pieces on record are trusted as far as their files reach, and what the journal names beside them is
    rechecked; times say nothing then, because writing went on. A state with a warning, or one that does not fit the
    layout, has all that it does not vouch for rechecked.
    """
    count = layout.piece_count
    fits = len(state.pieces) == (count + 7) // 8 and len(state.files) == len(layout.files)
    recorded = _pieces_of(state.pieces, count) if fits else set()
    recheck = set(range(count)) - recorded if state.warning or not fits else set()
    lost: set[int] = set()
    missing: list[int] = []
    for index, file in enumerate(layout.files):
        if not fits or not file.stored or not file.length:
            continue
        pieces = layout.pieces_of_file(index)
        now = stats_now[index]
        if now is None:
            gone = recorded.intersection(pieces)
            if gone:
                missing.append(index)
                lost |= gone
        elif state.clean and not state.warning:
            if now != state.files[index]:
                recheck.update(pieces)
        else:
            first_cut = (file.offset + now.size) // layout.piece_length
            if now.size < file.length:
                recheck |= recorded.intersection(range(max(first_cut, pieces.start), pieces.stop))
    if not state.clean:
        recheck.update(piece for piece in journal if 0 <= piece < count and piece not in recorded)
    recheck -= lost
    return Uncertain(_bitfield(recorded - recheck - lost, count), sorted(recheck), missing)


class ResumeStore:
    """The resume states in `folder`, which is made with the first of them. Every method raises StorageError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks = LockFile(folder / "locks")

    @staticmethod
    def key(info_hash: bytes, target: str | os.PathLike[str]) -> str:
        """What a torrent at a target is kept under: 64 hex digits. `target` is taken as it is, so make it absolute."""
        return hashlib.sha256(info_hash + b"\0" + os.fsencode(target)).hexdigest()

    def journal_path(self, key: str) -> Path:
        """Where the torrent's `PieceJournal` belongs."""
        return self._folder / f"{key}.journal"

    def lock(self, key: str) -> StateLock:
        """Lock a torrent's state. Raises StateLockedError while it is locked already."""
        return self._locks.take(key, "another process works on this torrent at this place")

    async def load(self, key: str) -> ResumeState | None:
        """The state saved last, None if there is none.

        Where that is damaged, the one before it, with a `warning` and not clean. StorageError if that is no better.
        """
        path, older = self._path(key), self._backup(key)
        data = await _read(path)
        if data is not None:
            try:
                return ResumeState.decode(data)
            except StorageError as error:
                damage = f"{printable(path)}: {error}"
        else:
            damage = f"{printable(path)} is gone"
        data = await _read(older)
        if data is None:
            if damage.endswith("is gone"):
                return None
            raise StorageError(damage)
        state = ResumeState.decode(data)
        return replace(state, clean=False, warning=f"{damage}; an older state is used, and what it lacks is checked")

    async def save(self, key: str, state: ResumeState) -> None:
        """Replace the state; on stable storage when this returns, and either the old or the new one at all times."""
        path = self._path(key)
        fresh = path.with_suffix(".new")
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            async with aiofiles.open(fresh, "wb") as file:
                await file.write(state.encode())
                await file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            await asyncio.to_thread(self._put_in_place, fresh, path, self._backup(key))
        except OSError as error:
            raise refusal(error, path) from error

    async def forget(self, key: str) -> None:
        """Remove the state and the journal of a torrent that is removed."""
        for path in (self._path(key), self._backup(key), self.journal_path(key)):
            try:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            except OSError as error:
                raise refusal(error, path) from error

    def _put_in_place(self, fresh: Path, path: Path, older: Path) -> None:
        if path.exists():
            older.unlink(missing_ok=True)
            try:
                older.hardlink_to(path)
            except OSError:  # a filesystem without hard links: the state is away for a moment, the older one is not
                path.replace(older)
        fresh.replace(path)
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.resume"

    def _backup(self, key: str) -> Path:
        return self._folder / f"{key}.bak"


async def _read(path: Path) -> bytes | None:
    return await asyncio.to_thread(_read_now, path)  # one way to a thread and back, as thousands are read at a start


def _read_now(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(bencode.MAX_SIZE + _CHECKSUM)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusal(error, path) from error


class _Reader:
    """Typed access to a decoded dict. Raises StorageError where an entry is absent or of another type."""

    def __init__(self, value: Value) -> None:
        if not isinstance(value, dict):
            raise StorageError("the resume state is not a dict")
        self._entries = value

    def has(self, key: bytes) -> bool:
        return key in self._entries

    def raw(self, key: bytes) -> bytes:
        value = self._entries.get(key)
        if not isinstance(value, bytes):
            raise StorageError(f"the resume state has no string {key.decode()!r}")
        return value

    def number(self, key: bytes) -> int:
        value = self._entries.get(key)
        if not isinstance(value, int) or value < 0:
            raise StorageError(f"the resume state has no number {key.decode()!r}")
        return value

    def moment(self, key: bytes) -> float | None:
        return float(self.number(key)) if self.has(key) else None

    def items(self, key: bytes) -> list[Value]:
        value = self._entries.get(key)
        if not isinstance(value, list):
            raise StorageError(f"the resume state has no list {key.decode()!r}")
        return value

    def digest(self, key: bytes, size: int) -> bytes | None:
        if key not in self._entries:
            return None
        value = self.raw(key)
        if len(value) != size:
            raise StorageError(f"the resume state has an info-hash of {len(value)} bytes")
        return value


def _stat(entry: Value) -> FileStat | None:
    match entry:
        case []:
            return None
        case [int(size), int(modified_ns)]:
            return FileStat(size, modified_ns)
        case _:
            raise StorageError("the resume state has a file entry that is none")


def _peer(entry: Value) -> Address:
    match entry:
        case [bytes(host), int(port)]:
            return Address.parse(host.decode("ascii"), port)
        case _:
            raise StorageError("the resume state has a peer that is none")


def _index(entry: Value) -> int:
    if not isinstance(entry, int) or entry < 0:
        raise StorageError("the resume state has a file that is none")
    return entry


def _name(entry: Value) -> tuple[int, Parts]:
    match entry:
        case [int(index), bytes(), *_] if index >= 0 and all(isinstance(part, bytes) for part in entry[1:]):
            return index, tuple(_part(part) for part in entry[1:] if isinstance(part, bytes))
        case _:
            raise StorageError("the resume state has a name that is none")


def _part(raw: bytes) -> str:
    if raw in (b"", b".", b"..") or b"/" in raw or b"\0" in raw:
        raise StorageError("the resume state has a name that leads elsewhere")
    return _text(raw)


def _spot(entry: Value) -> tuple[int, Spot]:
    match entry:
        case [int(index), int(spot)] if index >= 0:
            return index, Spot(spot)
        case _:
            raise StorageError("the resume state has a place that is none")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _pieces_of(bitfield: bytes, count: int) -> set[int]:
    return {piece for piece in range(count) if bitfield[piece >> 3] & 0x80 >> (piece & 7)}


def _bitfield(pieces: Iterable[int], count: int) -> bytes:
    raw = bytearray((count + 7) // 8)
    for piece in pieces:
        raw[piece >> 3] |= 0x80 >> (piece & 7)
    return bytes(raw)
