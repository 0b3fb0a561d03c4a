"""The disk port: the content of one torrent, as pieces.

An implementation never writes into a piece that the caller has not asked it to write, never follows a path outside its
target folder, and does its work off the event loop (production) or at a modelled cost (simulation).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.disk.places import Found, Parts, Place, Spot
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


class Left(NamedTuple):
    """A file as a record says that it was left: how it stood, and where."""

    stat: FileStat
    spot: Spot


class Storage(Protocol):
    """The content of one torrent at one target. Every method raises StorageError or a subclass of it."""

    async def find(self, left: Mapping[int, Left]) -> list[Found]:
        """Look for the files in all their places, given those that are on record; one entry a file of the layout.

        They are used where they are found. Before this is called they are looked for in the place of whole ones.
        """

    async def move(self, index: int, place: Place) -> None:
        """Bring a file to another of its places, while it is read and, if it is not whole, written.

        One that is nowhere is made there when it is. StorageError where something else is in the way.
        """

    async def rename(self, old: Parts, new: Parts, names: Mapping[int, Parts]) -> None:
        """Give the file or folder `old` another name in its folder; all or nothing. See `Housing.rename`."""

    async def unshare(self, indices: Sequence[int]) -> None:
        """Files that have other names too (hard links) get a copy of their own; what has those names stays as it is."""

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
