"""The disk port: the content of one torrent, as pieces.

An implementation never writes into a piece that the caller has not asked it to write, never follows a path outside its
target folder, and does its work off the event loop (production) or at a modelled cost (simulation).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from p2p.ids import PieceIndex

PieceCheck = Callable[[Sequence[bytes | memoryview]], bool]
"""Whether a piece's content, given as consecutive views, matches the metainfo. Pure; runs inside a hash job."""


class PieceState(Enum):
    """What is on disk where a piece belongs."""

    GOOD = "good"
    BAD = "bad"
    MISSING = "missing"
    """Some byte of the span does not exist (no file, or the file is shorter)."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """A content file as it stands. `size` in bytes, `modified_ns` in nanoseconds since the epoch."""

    size: int
    modified_ns: int


class Storage(Protocol):
    """The content of one torrent at one target. Every method raises StorageError or a subclass of it."""

    async def prepare(self, *, allocate: bool, protect: Collection[int] = ()) -> None:
        """Make the folders and wanted files that do not exist: sparse, or with their room reserved (`allocate`).

        Zero-length files are made here. Existing files keep their content; one longer than the metainfo says is
        refused. The files `protect` are somebody else's: nothing changes them, and a piece that would is refused.
        """

    async def stat(self) -> list[FileStat | None]:
        """One entry a file of the layout, in order, pad files included; None where there is none."""

    async def read(self, piece: PieceIndex, begin: int, length: int) -> bytes:
        """Bytes of a piece that is on disk. MissingContentError where they are not."""

    async def verify(self, piece: PieceIndex, check: PieceCheck) -> PieceState:
        """Read a piece and hash it, in one job."""

    async def store(self, piece: PieceIndex, views: Sequence[bytes | memoryview], check: PieceCheck) -> bool:
        """Hash a piece and, only if it matches, journal and write it, in one job. False: no match, nothing written.

        The caller keeps the views alive and unchanged until this returns. DiskFullError: nothing counts as written.
        """

    async def sync(self) -> None:
        """Everything stored, or verified as good, before this call is on stable storage when it returns.

        DiskFullError: nothing is lost, and it may be tried again. After any other StorageError the next call proves
        nothing: the kernel forgets what it could not write.
        """

    async def close(self) -> None: ...
