"""How a torrent is added: at once, or stopped first so that its files can be chosen before a byte of them comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.daemon.client_values import Part, TorrentChanges, TorrentDetails
from p2p.errors import StarlingError
from tui.safe_text import safe
from tui.sources import link_of, read_torrent

if TYPE_CHECKING:
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import AddedTorrent


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added. `folder` is the daemon's, empty for its usual one. `choose`: files are, before it starts."""

    source: str
    folder: str = ""
    labels: tuple[str, ...] = ()
    paused: bool = False
    choose: bool = False


async def add(client: Client, wanted: Wanted) -> AddedTorrent:
    """Raises StarlingError, also where it is there already."""
    link = link_of(wanted.source)
    source: str | bytes = link if link is not None else await asyncio.to_thread(read_torrent, wanted.source)
    added = await client.add(
        source,
        download_dir=wanted.folder or None,
        paused=True if wanted.paused or wanted.choose else None,
        changes=TorrentChanges(labels=wanted.labels) if wanted.labels else None,
    )
    if added.duplicate:
        raise StarlingError(f"{safe(added.name)} is there already")
    return added


async def add_to_choose(client: Client, wanted: Wanted) -> TorrentDetails:
    """Add it stopped; it with its files, of which none may be known yet. Raises StarlingError."""
    added = await add(client, wanted)
    return await client.details(added.id, Part.FILES) or TorrentDetails(id=added.id, name=added.name)


async def choose(client: Client, torrent: int, skipped: tuple[int, ...], *, begin: bool) -> None:
    """Raises StarlingError."""
    if skipped:
        await client.change([torrent], TorrentChanges(files_unwanted=skipped))
    if begin:
        await client.start([torrent])
