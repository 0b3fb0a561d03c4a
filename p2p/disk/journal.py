"""Which pieces were about to be written since the last checkpoint, so that a crash costs no more than their recheck.

The rule: a piece stands here before its first byte goes to its file, and leaves only when a checkpoint that holds it is
saved. The file is a header and one 4-byte index a piece, appended by one system call each, so that whatever kills the
process leaves whole entries. Pieces that a power cut takes from it are on no record at all, and so are not trusted.
Where nothing is on record there is no file, and none is open.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from p2p.disk.refusals import refusal
from p2p.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_HEADER: Final = b"SPJ1\n\0\0\0"
_ENTRY: Final = 4


class PieceJournal:
    """An append-only file of piece indices. Blocking, and safe to use from any thread; opened on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._entries: list[int] = []
        self._known = False
        """Whether the file, if there is one, was read."""
        self._lock = threading.Lock()

    def load(self) -> list[int]:
        """The pieces on record, in order of entry, each once. A torn last entry is cut off, a foreign file emptied."""
        with self._lock:
            self._take_in()
            self._rest()
            return list(dict.fromkeys(self._entries))

    def append(self, piece: int) -> None:
        """Put `piece` on record. Raises StorageError, DiskFullError; then the piece must not be written."""
        with self._lock:
            self._open()
            self._write(self._fd, piece.to_bytes(_ENTRY, "big"))
            self._entries.append(piece)

    def reset(self, recorded: bytes | None = None) -> None:
        """Drop the entries of pieces that a saved checkpoint holds; all entries where `recorded` is None.

        `recorded` is the checkpoint's bitfield, first piece in the highest bit. What was stored while the checkpoint
        was made stays. Raises StorageError; then the entries stay, which costs a recheck and nothing else.
        """
        with self._lock:
            self._take_in()
            kept = [] if recorded is None else [entry for entry in self._entries if not _holds(recorded, entry)]
            try:
                if kept and kept != self._entries:
                    self._replace(kept)
                elif not kept and (self._fd >= 0 or self._entries):
                    self._path.unlink(missing_ok=True)
            except OSError as error:
                raise refusal(error, self._path) from error
            self._entries = kept
            self._rest()

    def _replace(self, kept: list[int]) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._write(fd, _HEADER + _packed(kept))
            fresh.replace(self._path)
        except BaseException:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        """Idempotent; the entries stay in the file."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _rest(self) -> None:
        """Nothing is on record: nothing has to be open."""
        if not self._entries:
            self._close()

    def _take_in(self) -> None:
        """Know what is on record, without making a file where there is none."""
        if not self._known and self._path.exists():
            self._open()
        self._known = True

    def _open(self) -> None:
        if self._fd >= 0:
            return
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                self._entries = self._read(fd)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            raise refusal(error, self._path) from error
        self._fd = fd

    def _read(self, fd: int) -> list[int]:
        size = os.fstat(fd).st_size
        raw = os.pread(fd, size, 0)
        if not raw.startswith(_HEADER):
            os.ftruncate(fd, 0)
            self._write(fd, _HEADER)
            return []
        whole = len(raw) - (len(raw) - len(_HEADER)) % _ENTRY
        if whole != size:
            os.ftruncate(fd, whole)
        return [int.from_bytes(raw[at : at + _ENTRY], "big") for at in range(len(_HEADER), whole, _ENTRY)]

    def _write(self, fd: int, data: bytes) -> None:
        try:
            written = os.write(fd, data)
        except OSError as error:
            raise refusal(error, self._path) from error
        if written != len(data):  # a full disk takes what fits; the torn entry must not shift those after it
            os.ftruncate(fd, os.fstat(fd).st_size - written)
            raise DiskFullError(f"no room left for {self._path}, which took only {written} of {len(data)} bytes")


def _holds(bitfield: bytes, piece: int) -> bool:
    return piece >> 3 < len(bitfield) and bool(bitfield[piece >> 3] & 0x80 >> (piece & 7))


def _packed(pieces: Iterable[int]) -> bytes:
    return b"".join(piece.to_bytes(_ENTRY, "big") for piece in pieces)
