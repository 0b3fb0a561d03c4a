"""The torrents of earlier runs come back: each from its record, its torrent file and its resume state.

The rule: no torrent keeps the others from coming back, and none is dropped. One whose torrent file is lost or damaged
stands there with an error, as what its link says of it; one that cannot be added at all is named in the log, and its
record stays. Torrents come back stopped: whoever has them all starts those that are to run.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from p2p.daemon.intent import Intent
from p2p.daemon.managed_torrent import ManagedTorrent, Wishes
from p2p.daemon.torrent_records import KeptTorrent, read_torrent_record
from p2p.errors import StarlingError, StorageError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.metainfo import Metainfo
from p2p.session.session import Begin
from p2p.session.settings import TorrentOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from p2p.daemon.state import DaemonState
    from p2p.session.environment import Environment
    from p2p.session.session import Session

log = logging.getLogger(__name__)

TORRENT: Final = "torrent/"
"""What the keys of torrents' records begin with."""

AT_ONCE: Final = 100
"""Torrents whose files are in memory at once."""


async def restored(
    state: DaemonState, session: Session, environment: Environment, on_change: Callable[[int], None]
) -> AsyncIterator[ManagedTorrent]:
    """See the module's head; in the order of their numbers. `on_change` is told of who is not as its record says."""
    kept = sorted(_records(state, environment.wall()), key=lambda each: each.id)
    for start in range(0, len(kept), AT_ONCE):
        batch = kept[start : start + AT_ONCE]
        raws = await state.read_torrents([each.file for each in batch if each.file])
        sources = await environment.hasher.run(partial(_sources, batch, raws))
        pairs = zip(batch, sources, strict=True)
        added = await asyncio.gather(*(_bring_back(*pair, state, session, environment) for pair in pairs))
        for each, managed in zip(batch, added, strict=True):
            if managed is not None:
                if str(managed.torrent.target) != each.options.download_dir:  # a move was ended
                    on_change(managed.id)
                yield managed


def _records(state: DaemonState, wall: float) -> Iterable[KeptTorrent]:
    for name, record in state.records(TORRENT).items():
        try:
            yield read_torrent_record(record, f"torrent {name}", wall)
        except StorageError as error:
            log.error("%s; it is left out", error)  # noqa: TRY400 - a line for the operator


def _sources(
    batch: Sequence[KeptTorrent], raws: Mapping[str, bytes | StorageError]
) -> list[Metainfo | Magnet | StarlingError]:
    return [_source(each, raws.get(each.file)) for each in batch]


def _source(kept: KeptTorrent, raw: bytes | StorageError | None) -> Metainfo | Magnet | StarlingError:
    """The torrent, its link where it has no metadata yet, or why it has none any more."""
    try:
        link = Magnet.parse(kept.link)
        if raw is None:
            return link
        if isinstance(raw, StorageError):
            return raw
        metainfo = Metainfo.from_bytes(raw)
    except StarlingError as error:
        return error
    if not set(link.wire_info_hashes()) & set(metainfo.wire_info_hashes()):
        return StorageError("it is another torrent's")
    return metainfo


async def _bring_back(
    kept: KeptTorrent,
    source: Metainfo | Magnet | StarlingError,
    state: DaemonState,
    session: Session,
    environment: Environment,
) -> ManagedTorrent | None:
    loss: StarlingError | None = None
    try:
        if isinstance(source, StarlingError):
            loss = StorageError(
                f"the torrent file {state.torrent_path(kept.file)} cannot be used ({source}); add the torrent again"
            )
            source = Magnet.parse(kept.link)
        torrent = await session.add(source, kept.options, begin=Begin.PAUSED)
    except StarlingError as error:
        log.error("torrent %d (%s) is left out: %s", kept.id, kept.link[:100], error)  # noqa: TRY400 - for the operator
        return None
    torrent.ledger.take_in(kept.history)
    managed = ManagedTorrent(
        kept.id, torrent, kept.wishes, loop_time=asyncio.get_running_loop().time, wall=environment.wall
    )
    if kept.file:
        managed.torrent_file = str(state.torrent_path(kept.file))
    if loss is not None and torrent.metainfo is None:
        log.error("%s: %s", torrent.name, loss)
        managed.lost_file = True
        managed.needs_file = kept.private
        managed.wishes.intent = Intent.STOPPED  # so that the error stands until somebody has seen it
        torrent.on_failure(loss)
    return managed


async def complete(managed: ManagedTorrent, metainfo: Metainfo, session: Session) -> None:
    """Give a torrent of which only the link was known its metadata; it stands still then. Raises StarlingError."""
    bare = managed.torrent
    await session.remove(bare)
    managed.torrent = await session.add(metainfo, bare.options, begin=Begin.PAUSED)
    managed.needs_file = False
    managed.torrent.ledger.take_in(bare.ledger.history(asyncio.get_running_loop().time()))


async def found_again(
    state: DaemonState, session: Session, environment: Environment, number: int
) -> AsyncIterator[ManagedTorrent]:
    """Torrents whose records are lost, and whose files are kept; numbered from `number` on, and stopped.

    Only for a state that was damaged: otherwise such a file is that of a torrent that was removed, or whose addition
    was never confirmed, and goes.
    """
    names = frozenset(str(record.get("file")) for record in state.records(TORRENT).values())
    for name in await state.stray_torrents(names):
        if state.damage is None:
            state.put_torrent(name, None)
            continue
        raw = (await state.read_torrents([name]))[name]
        try:
            if isinstance(raw, StorageError):
                raise raw
            torrent = await session.add(raw, TorrentOptions(), begin=Begin.PAUSED)
        except StarlingError as error:
            log.warning("the torrent file %s is left alone: %s", state.torrent_path(name), error)
            continue
        log.warning("%s is brought back stopped: its record is lost, its torrent file is not", torrent.name)
        managed = ManagedTorrent(
            number,
            torrent,
            Wishes(edit_date=int(environment.wall())),
            loop_time=asyncio.get_running_loop().time,
            wall=environment.wall,
        )
        managed.torrent_file = str(state.torrent_path(name))
        number += 1
        yield managed
