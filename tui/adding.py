"""How torrents are added: at once, or stopped first so that files can be chosen before a byte of them comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2p.daemon.client_values import Part, TorrentChanges, TorrentDetails
from p2p.errors import StarlingError
from p2p.quantities import count
from tui.safe_text import safe
from tui.sources import link_of, read_torrent

if TYPE_CHECKING:
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import AddedTorrent


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added. `folder` is the daemon's, empty for its usual one. `choose`: files are, before it starts."""

    sources: tuple[str, ...]
    folder: str = ""
    labels: tuple[str, ...] = ()
    paused: bool = False
    choose: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Of a torrent's files, by number: what is not wanted, and what is wanted sooner or later than the rest."""

    skipped: tuple[int, ...] = ()
    high: tuple[int, ...] = ()
    low: tuple[int, ...] = ()


class ThereAlreadyError(StarlingError):
    """`hash_string` names the torrent."""

    def __init__(self, added: AddedTorrent) -> None:
        super().__init__(f"{safe(added.name)} is there already")
        self.hash_string = added.hash_string


async def add(client: Client, source: str, wanted: Wanted) -> AddedTorrent:
    """One of its sources. Raises StarlingError, ThereAlreadyError for a torrent that is."""
    link = link_of(source)
    given: str | bytes = link if link is not None else await asyncio.to_thread(read_torrent, source)
    added = await client.add(
        given,
        download_dir=wanted.folder or None,
        paused=True if wanted.paused or wanted.choose else None,
        changes=TorrentChanges(labels=wanted.labels) if wanted.labels else None,
    )
    if added.duplicate:
        raise ThereAlreadyError(added)
    return added


async def add_each(client: Client, wanted: Wanted) -> tuple[AddedTorrent, ...]:
    """All sources, one after another; one that cannot be added leaves the others. Raises StarlingError for the rest."""
    added: list[AddedTorrent] = []
    troubles: list[StarlingError] = []
    for source in wanted.sources:
        try:
            added.append(await add(client, source, wanted))
        except StarlingError as error:
            troubles.append(error)
    if troubles and len(wanted.sources) == 1:
        raise troubles[0]
    if troubles:
        what = "; ".join(dict.fromkeys(map(str, troubles[:3])))
        raise StarlingError(f"{count(len(added), 'torrent')} of {len(wanted.sources)} added; {what}")
    return tuple(added)


async def add_to_choose(client: Client, source: str, wanted: Wanted) -> TorrentDetails:
    """Add it stopped; it with its files, of which none may be known yet. Raises StarlingError."""
    added = await add(client, source, wanted)
    return await client.details(added.hash_string, Part.FILES) or TorrentDetails(
        hash_string=added.hash_string, name=added.name
    )


async def choose(client: Client, torrent: str, choice: Choice, *, begin: bool) -> None:
    """Raises StarlingError."""
    if choice != Choice():
        changes = TorrentChanges(files_unwanted=choice.skipped, priority_high=choice.high, priority_low=choice.low)
        await client.change([torrent], changes)
    if begin:
        await client.start([torrent])
