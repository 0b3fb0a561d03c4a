"""Named records that change one at a time, on disk so that no crash and no bad byte takes more than it must.

The rule: a change is one line appended to a file, and a line vouches for itself by a digest. When the lines outgrow the
records, a new file is written that begins with all of them; it takes the old one's place only when it is synced, and
the old one stays as it is until the next. So whatever line of a file is damaged, the one before it and the rest still
have everything but, at worst, the last change of the record on that line.

A line is `VERSION DIGEST KEY VALUE`: the digest is of the rest, the value JSON, `null` for a record that is gone. The
first has the key `#`, and tells how many records follow it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import printable, refusal
from p2p.errors import StateVersionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

VERSION: Final = b"1"
HEAD: Final = "#"
GONE: Final = b"null"
DAMAGE: Final = "damage"
"""The key of what was found damaged."""

_DIGEST: Final = 8
_LINE: Final = re.compile(rb"([0-9]{1,9}) ([0-9a-f]{16}) (.*)", re.DOTALL)

MIN_GROWTH: Final = 256 << 10
"""Bytes of changes that a file takes before it is written anew, however few records there are."""

GROWTH: Final = 3
"""Times the size that it began with that a file may have: so a byte that is written costs half a byte more."""

MAX_SIZE: Final = 1 << 30
"""Bytes of a file that is read: thousands of times what ten thousand torrents need."""

KEPT_DAMAGED: Final = 3
"""Damaged files that are kept for whoever wants to look at them."""


@dataclass(slots=True)
class _Parsed:
    """What can be read of one file."""

    changes: list[tuple[str, bytes]] = field(default_factory=list)
    bad: int = 0
    """Lines that cannot be read."""

    torn: bool = False
    """Whether it ends within a line."""

    expected: int | None = None
    """Records that it began with; None where its first line cannot be read."""

    @property
    def whole(self) -> bool:
        """Whether nothing but a last change is missing."""
        return not self.bad and self.expected is not None and len(self.changes) >= self.expected


class RecordLog:
    """The records in the files `NAME.GENERATION` of a folder. Blocking, and for one thread at a time.

    Keys are visible ASCII letters. Every method raises StorageError that names the file.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._records: dict[str, bytes] = {}
        self._generation = 0
        self._fd = -1
        self._size = 0
        self._limit = MIN_GROWTH
        self._unsynced = False
        self._is_doubtful = False
        """Whether the file may lack what was written to it, so that it has to be written anew."""

    # -- reading

    def open(self) -> dict[str, bytes]:
        """All records, in order of their first change; of a file that was damaged what could be saved, and under DAMAGE
        a sentence that says so, which stands until it is dropped like any record.

        Raises StateVersionError for a file that a later version has written; then nothing is touched.
        """
        generations = self._generations()
        damage: str | None = None
        is_anew = False
        if generations:
            self._generation = newest = generations[-1]
            parsed = self._parse(newest)
            if not parsed.whole:
                damage = self._fall_back(generations)
            elif parsed.torn:
                damage = f"{printable(self._path(newest))} ended within a change, which is left out"
            else:
                is_anew = len(parsed.changes) == parsed.expected
            _apply(self._records, parsed.changes)
        if damage is not None:
            self._records[DAMAGE] = json.dumps({"sentence": damage}).encode()
        try:
            if is_anew:
                self._continue()
            else:
                self._write_anew()
            if damage is not None:
                self._set_aside(generations[-1])
                self._write_anew()  # so that the one before is good again
        except OSError as error:
            raise refusal(error, self._folder / self._name) from error
        self._tidy()
        return dict(self._records)

    def peek(self) -> dict[str, bytes]:
        """The records as they stand, of a log that somebody may have open; nothing is touched. Raises as `open`."""
        try:
            generations = sorted(self._numbered(""))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise refusal(error, self._folder) from error
        found: dict[str, bytes] = {}
        parsed = [self._parse(generation) for generation in generations[-2:]]
        for each in parsed[-1:] if parsed and parsed[-1].whole else parsed:
            _apply(found, each.changes)
        return found

    def _fall_back(self, generations: list[int]) -> str:
        """The newest file is damaged: begin with the one before it. A sentence that says so."""
        damage = f"{printable(self._path(generations[-1]))} is damaged"
        if len(generations) == 1:
            return f"{damage}; what can be read of it is used"
        former = self._path(generations[-2])
        before = self._parse(generations[-2])
        _apply(self._records, before.changes)
        also = "" if before.whole else ", though it is damaged too"
        return f"{damage}; {printable(former)}, the state before it, is used with what can be read of it{also}"

    def _set_aside(self, generation: int) -> None:
        """Keep a damaged file for whoever wants to look at it; of several the last few."""
        path = self._path(generation)
        path.replace(path.with_name(f"{path.name}.damaged"))
        found = sorted(self._numbered(r"\.damaged"))
        for each in found[:-KEPT_DAMAGED]:
            path.with_name(f"{self._name}.{each}.damaged").unlink(missing_ok=True)

    def _generations(self) -> list[int]:
        """Those there are, ascending. Makes the folder if need be."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return sorted(self._numbered(""))
        except OSError as error:
            raise refusal(error, self._folder) from error

    def _numbered(self, ending: str) -> list[int]:
        pattern = re.compile(re.escape(self._name) + r"\.([1-9][0-9]{0,17})" + ending)
        return [int(match[1]) for path in self._folder.iterdir() if (match := pattern.fullmatch(path.name))]

    def _parse(self, generation: int) -> _Parsed:
        path = self._path(generation)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_SIZE)
        except OSError as error:
            raise refusal(error, path) from error
        parsed = _Parsed(torn=bool(raw) and not raw.endswith(b"\n"))
        lines = raw.split(b"\n")
        lines.pop()
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None or _digest(match[1] + b" " + match[3]) != match[2]:
                parsed.bad += 1
            elif match[1] != VERSION:
                raise StateVersionError(
                    f"{printable(path)} was written by a later version (format {match[1].decode()}); run that one, or "
                    "move the folder away to begin anew"
                )
            else:
                key, _, value = match[3].partition(b" ")
                if key == HEAD.encode():
                    parsed.expected = _count(value)
                else:
                    parsed.changes.append((key.decode("ascii", "replace"), value))
        return parsed

    # -- writing

    def append(self, changes: Mapping[str, bytes | None], *, sync: bool) -> None:
        """Change records, None for one that goes; with `sync` this, and all before it, is on stable storage then.

        Values are JSON on one line. What is as it was is not written. Raises DiskFullError, after which all is as
        before, and StorageError.
        """
        new = {key: value for key, value in changes.items() if self._records.get(key) != value}
        if not new and not (sync and (self._unsynced or self._is_doubtful)):
            return
        before = {key: self._records.get(key) for key in new}
        _update(self._records, new)
        try:
            if self._is_doubtful:
                self._write_anew()
            else:
                self._write_lines(new)
            if sync:
                self._sync()
        except OSError as error:
            _update(self._records, before)
            raise refusal(error, self._path(self._generation)) from error
        if self._size > self._limit:
            self._outgrow()

    def _write_lines(self, new: Mapping[str, bytes | None]) -> None:
        if not new:
            return
        data = b"".join(_line(key, GONE if value is None else value) for key, value in new.items())
        self._unsynced = True
        try:
            _write(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)

    def _sync(self) -> None:
        if not self._unsynced:
            return
        try:
            os.fdatasync(self._fd)
        except OSError:  # the kernel forgets what it could not write, and would call the next sync a success
            self._is_doubtful = True
            raise
        self._unsynced = False

    def _outgrow(self) -> None:
        try:
            self._write_anew()
        except OSError as error:
            log.warning("the state is not written anew: %s", refusal(error, self._path(self._generation + 1)))
            self._limit = self._size * 2
        self._tidy()

    def _write_anew(self) -> None:
        """Begin the next file with all records. Raises OSError; then the one there is goes on."""
        path = self._path(self._generation + 1)
        fresh = path.with_name(f"{path.name}.new")
        data = b"".join(_line(key, value) for key, value in self._records.items())
        data = _line(HEAD, json.dumps({"records": len(self._records)}).encode()) + data
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(fresh, flags, 0o600)
        try:
            _write(fd, data)
            os.fsync(fd)
            fresh.replace(path)
            sync_folder(self._folder)
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size, self._generation = fd, len(data), self._generation + 1
        self._limit = max(len(data) * GROWTH, len(data) + MIN_GROWTH)
        self._unsynced = self._is_doubtful = False

    def _continue(self) -> None:
        """Go on with the newest file."""
        self._fd = os.open(self._path(self._generation), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._size = os.fstat(self._fd).st_size
        self._limit = max(self._size * GROWTH, self._size + MIN_GROWTH)
        self._unsynced = True  # whoever wrote it may have died before it was synced

    def _tidy(self) -> None:
        """Remove the files before the last two. A failure costs room and nothing else."""
        for generation in self._generations()[:-2]:
            with suppress(OSError):
                self._path(generation).unlink(missing_ok=True)

    def close(self) -> None:
        """Sync and let go. Idempotent."""
        if self._fd < 0:
            return
        try:
            self.append({}, sync=True)
        finally:
            os.close(self._fd)
            self._fd = -1

    def _path(self, generation: int) -> Path:
        return self._folder / f"{self._name}.{generation}"


def _digest(checked: bytes) -> bytes:
    return hashlib.blake2b(checked, digest_size=_DIGEST).hexdigest().encode()


def _line(key: str, value: bytes) -> bytes:
    told = key.encode("ascii") + b" " + value
    return VERSION + b" " + _digest(VERSION + b" " + told) + b" " + told + b"\n"


def _count(value: bytes) -> int | None:
    """How many records a first line tells of."""
    try:
        told = json.loads(value)
    except ValueError:
        return None
    count = told.get("records") if isinstance(told, dict) else None
    return count if isinstance(count, int) else None


def _apply(records: dict[str, bytes], changes: Iterable[tuple[str, bytes]]) -> None:
    _update(records, {key: None if value == GONE else value for key, value in changes})


def _update(records: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    for key, value in changes.items():
        if value is None:
            records.pop(key, None)
        else:
            records[key] = value


def _write(fd: int, data: bytes) -> None:
    """All of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(folder: Path) -> None:
    """Let the names in a folder be on stable storage. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
