"""Removals that can be undone, as the RPC tells and takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.ports import Managed


@dataclass(frozen=True, slots=True)
class Removal:
    """A torrent that was removed with its content. `name` is what to call the removal; `until` is when its time is
    over, in seconds since the epoch."""

    name: str
    torrent_name: str
    hash_string: str
    download_dir: str
    until: int


@dataclass(frozen=True, slots=True)
class RemovalFacts:
    """What can be undone, the oldest first."""

    removals: tuple[Removal, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """Torrents that are back, by their new ids."""

    ids: tuple[int, ...]


class Removals(Protocol):
    """What of the library is about removals. `names` are those of removals, None is the last one.

    Raises RpcError for what cannot be undone, any more or at all.
    """

    def removals(self) -> tuple[Removal, ...]: ...
    async def undo_removal(self, names: Sequence[str] | None) -> Sequence[Managed]:
        """Bring torrents back with their content."""

    async def purge_removal(self, names: Sequence[str] | None) -> None:
        """Delete their content for good, before the time is over."""
