"""What becomes of the content of a torrent that is removed: it stays, or goes, at once or so that it can come back.

The rules: only what the torrent put there goes. A file that was somebody else's before stays, and of a torrent that
never ran here nothing is known to be ours. The record stays as long as the content can come back. What is in the trash
is on record before it goes there and until it is back or deleted, so that a crash forgets none of it.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.codec import bencode
from p2p.disk import file_copy, trash
from p2p.disk.trash import Trashed
from p2p.disk.whole_files import read_whole, replace_whole
from p2p.errors import BencodeError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from p2p.session.services import Services
    from p2p.session.torrent import Torrent

    T = TypeVar("T")

log = logging.getLogger(__name__)

_FORMAT: Final = b"starling trash 1"

_LENGTH: Final = 8

MAX_RECORD: Final = 128 << 20
"""Bytes: a torrent file, and paths of as many files as it can have."""


class Disposal(Enum):
    """What a user wants done with the content."""

    KEEP = "keep"
    TRASH = "trash"
    """Out of the way, until `restore` or `purge`."""
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Removed:
    """Content in the trash, under a name of its own: a part for each folder that files were in.

    `torrent` is its torrent file; `record` is what its resume state is kept under, None where none is.
    """

    name: str
    info_hash: str
    torrent: bytes
    trashed: tuple[Trashed, ...]
    record: str | None

    def encode(self) -> bytes:
        """The bytes of a record: how long the first part is, that part, and the torrent file."""
        head = bencode.encode(
            {
                b"format": _FORMAT,
                b"name": self.name.encode(),
                b"info hash": self.info_hash.encode(),
                b"record": (self.record or "").encode(),
                b"trashed": [
                    [os.fsencode(part.target), _raw(part.folder), [_raw(file) for file in part.files]]
                    for part in self.trashed
                ],
            }
        )
        return len(head).to_bytes(_LENGTH, "big") + head + self.torrent

    @classmethod
    def decode(cls, data: bytes) -> Removed:
        """What a record says. Raises StorageError for anything that `encode` does not write."""
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        torrent = data[end:]
        try:
            match bencode.decode(data[_LENGTH:end]):
                case {
                    b"format": bytes(form),
                    b"name": bytes(name),
                    b"info hash": bytes(info_hash),
                    b"record": bytes(record),
                    b"trashed": list(trashed),
                } if form == _FORMAT:
                    parts = tuple(map(_trashed, trashed))
                    return cls(name.decode(), info_hash.decode(), torrent, parts, record.decode() or None)
        except (BencodeError, ValueError) as error:
            raise StorageError(f"the record of removed content cannot be read: {error}") from error
        raise StorageError("the record of removed content is none")


def _raw(parts: tuple[str, ...]) -> list[bytes]:
    return [os.fsencode(part) for part in parts]


def _trashed(entry: object) -> Trashed:
    match entry:
        case [bytes(target), list(folder), list(files)]:
            return Trashed(Path(os.fsdecode(target)), _parts(folder), tuple(map(_parts, files)))
        case _:
            raise StorageError("the record of removed content has a part that is none")


def _parts(entry: object) -> tuple[str, ...]:
    if not isinstance(entry, list) or not entry:
        raise StorageError("the record of removed content has a path that is none")
    found: list[str] = []
    for part in entry:
        if not isinstance(part, bytes) or part in (b"", b".", b"..") or b"/" in part:
            raise StorageError("the record of removed content has a path that leads elsewhere")
        found.append(os.fsdecode(part))
    return tuple(found)


async def dispose(torrent: Torrent, disposal: Disposal, services: Services) -> Removed | None:
    """Do it, for a torrent that has stopped; what can come back, if anything. Raises StorageError."""
    if disposal is Disposal.KEEP or torrent.metainfo is None:
        return None
    name = f"{torrent.info_hash[:16]}-{int(services.environment.wall() * 1_000)}"
    folders: dict[str, list[tuple[str, ...]]] = {}
    for place in await torrent.store.own_files():
        folders.setdefault(place.folder, []).extend((place.parts, file_copy.partial(place.parts)))
    planned = [
        await _job(services, partial(trash.plan, Path(folder), files, name)) for folder, files in folders.items()
    ]
    trashed = tuple(part for part in planned if part.files)
    if not trashed and disposal is Disposal.ERASE:
        return None
    removed = Removed(name, torrent.info_hash, torrent.metainfo.raw, trashed, torrent.store.key)
    path = _record_path(services, name)
    if path is not None:
        await replace_whole(path, removed.encode())
    try:
        for part in trashed:
            await _job(services, partial(trash.discard, part))
    except StorageError:
        await restore(removed, services)
        raise
    if disposal is Disposal.TRASH:
        return removed
    await purge(removed, services)
    return None


async def restore(removed: Removed, services: Services) -> None:
    """Bring it back to where it was; adding the torrent again is the caller's. Raises StorageError."""
    for part in removed.trashed:
        await _job(services, partial(trash.restore, part))
    await _forget(removed, services)


async def purge(removed: Removed, services: Services) -> None:
    """Delete it for good, with its record. Raises StorageError."""
    for part in removed.trashed:
        await _job(services, partial(trash.purge, part))
    if services.resume is not None and removed.record is not None:
        await services.resume.forget(removed.record)
    await _forget(removed, services)


async def in_trash(services: Services) -> list[Removed]:
    """All that is on record as being in the trash, the oldest first. What cannot be read is told in the log."""
    folder = _folder(services)
    if folder is None:
        return []
    found: list[Removed] = []
    for path in await _job(services, lambda: sorted(folder.glob("*.trash"), key=lambda each: each.name[-20:])):
        try:
            found.append(Removed.decode(await read_whole(path, MAX_RECORD)))
        except StorageError as error:
            log.warning("%s: %s", path, error)
    return found


async def _forget(removed: Removed, services: Services) -> None:
    path = _record_path(services, removed.name)
    if path is not None:
        await _job(services, lambda: path.unlink(missing_ok=True))


def _folder(services: Services) -> Path | None:
    state_dir = services.settings.state_dir
    return None if state_dir is None else Path(state_dir) / "trash"


def _record_path(services: Services, name: str) -> Path | None:
    folder = _folder(services)
    return None if folder is None else folder / f"{name}.trash"


async def _job(services: Services, job: Callable[[], T]) -> T:
    return await services.environment.hasher.run(job)
