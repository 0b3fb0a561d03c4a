"""What becomes of the content of a torrent that is removed: it stays, or goes, at once or so that it can come back.

The rule: only what the torrent put there goes. A file that was somebody else's before stays, and of a torrent that
never ran here nothing is known to be ours. The record stays as long as the content can come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from p2p.disk import trash

if TYPE_CHECKING:
    from p2p.session.services import Services
    from p2p.session.torrent import Torrent


class Disposal(Enum):
    """What a user wants done with the content."""

    KEEP = "keep"
    TRASH = "trash"
    """Out of the way, until `restore` or `purge`."""
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Removed:
    """Content in the trash. `record` is what its resume state is kept under, None where none is."""

    trashed: trash.Trashed
    record: str | None


async def dispose(torrent: Torrent, disposal: Disposal, services: Services) -> Removed | None:
    """Do it, for a torrent that has stopped; what can come back, if anything. Raises StorageError."""
    if disposal is Disposal.KEEP or torrent.metainfo is None:
        return None
    store = torrent.store
    files = await store.own_files()
    name = f"{torrent.info_hash[:16]}-{int(services.environment.wall() * 1_000)}"
    target = torrent.target
    if not files:
        return None
    trashed = await services.environment.hasher.run(lambda: trash.discard(target, files, name))
    removed = Removed(trashed, store.key)
    if disposal is Disposal.TRASH:
        return removed
    await purge(removed, services)
    return None


async def restore(removed: Removed, services: Services) -> None:
    """Bring it back to where it was; adding the torrent again is the caller's. Raises StorageError."""
    await services.environment.hasher.run(lambda: trash.restore(removed.trashed))


async def purge(removed: Removed, services: Services) -> None:
    """Delete it for good, with its record. Raises StorageError."""
    await services.environment.hasher.run(lambda: trash.purge(removed.trashed))
    if services.resume is not None and removed.record is not None:
        await services.resume.forget(removed.record)
