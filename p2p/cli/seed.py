"""`starling seed`: offers content that is here, and makes its torrent where there is none.

The rule: nothing is ever written to the content, nor over another file. What is known from an earlier run, or was
hashed a moment ago to make the torrent, is not hashed again.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli import event_loop
from p2p.cli.console import byte_progress, note, say_fields
from p2p.cli.new_file import write_new
from p2p.cli.options import AsJson, NetworkOptions, Recheck, SeedRatio, SeedTime, resolve_peers, takes_network_options
from p2p.cli.reporters import make_reporter
from p2p.cli.sources import read_torrent
from p2p.cli.stop_signals import StoppedError, StopSignals
from p2p.cli.transfers import Job, Outcome, Until, run_transfers
from p2p.disk.refusals import printable, refusal
from p2p.errors import MetainfoError, StarlingError, StorageError
from p2p.metainfo.magnet import Magnet
from p2p.metainfo.urls import tracker_urls
from p2p.session.content import find_content
from p2p.session.create import FoundFile, create, walk
from p2p.session.settings import TorrentOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.metainfo.metainfo import Metainfo

_EXAMPLES: Final = """\b
Examples:
  starling seed photos --tracker udp://tracker.example:6969/announce
  starling seed ~/Downloads/debian.iso --torrent debian.torrent --port 51413
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("seed", epilog=_EXAMPLES)(seed_command)


@takes_network_options
def seed_command(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="The content, or the folder that holds it.", show_default=False),
    ],
    *,
    torrent: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its torrent (default: NAME.torrent here, made if it is not there)."),
    ] = None,
    tracker: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A tracker beside the torrent's own; may be given again.")
    ] = None,
    seed_ratio: SeedRatio = None,
    seed_time: SeedTime = None,
    network: NetworkOptions,
    recheck: Recheck = False,
    as_json: AsJson = False,
) -> int:
    """Seed content until stopped, and print its magnet link.

    Makes the torrent if there is none. The content is only read, and is not hashed again if nothing has changed since
    it was seeded or downloaded. Ctrl-C stops in good order.
    """
    trackers = tuple(map(_tracker, tracker or ()))

    async def transfer() -> Outcome:
        with StopSignals() as signals:
            try:
                async with signals.interrupting():
                    peers = await resolve_peers(network.peers, network.network())
                    offer = await _offer(path, torrent, trackers, quiet=as_json)
            except StoppedError:
                return Outcome(failed=False, complete=False, stopped_by=signals.received)
            metainfo = offer.metainfo
            if not as_json:
                magnet = Magnet.from_metainfo(metainfo).uri()
                say_fields([("torrent", printable(offer.torrent)), ("magnet", magnet)])
            options = TorrentOptions(
                peers=peers,
                seed_ratio=seed_ratio,
                seed_time=None if seed_time is None else 60 * seed_time,
                recheck=recheck,
                trust=offer.fresh,
                expect_complete=True,
            )
            settings = network.settings(download_dir=offer.target)
            reporter = make_reporter(as_json=as_json, wall=time.time)  # noqa: TID251 - an entry point
            job = Job(metainfo, options, offer.torrent)
            return await run_transfers(settings, [job], Until.STOPPED, reporter, signals)

    return event_loop.run(transfer()).status(long_running=True)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What to seed. `fresh` tells that its pieces were hashed a moment ago."""

    metainfo: Metainfo
    target: Path
    torrent: Path
    fresh: bool


async def _offer(path: Path, torrent: Path | None, trackers: Sequence[str], *, quiet: bool) -> _Offer:
    """The torrent of the content at `path`: the one given, the one in the current folder, or one made now."""
    found = await asyncio.to_thread(_find_torrent, path, torrent)
    made = Path(f"{_name(path)}.torrent")
    if found is None:
        with byte_progress("hashing", quiet=quiet) as show:
            data = await create(path, trackers=trackers, progress=show, notice=note)
        await asyncio.to_thread(write_new, made, data)
    return await asyncio.to_thread(_read_offer, path, found or made, trackers, fresh=found is None)


def _find_torrent(path: Path, given: Path | None) -> Path | None:
    """The torrent file to use, None if one is to be made."""
    if given is not None:
        return given
    beside = Path(f"{_name(path)}.torrent")
    if os.path.lexists(beside):
        _require_same(beside, path)
        return beside
    if path.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise StorageError(f"{printable(beside)} would be written into the content; go to another folder first")
    return None


def _read_offer(path: Path, torrent: Path, trackers: Sequence[str], *, fresh: bool) -> _Offer:
    metainfo = read_torrent(torrent)
    layout, target = find_content(metainfo, path)
    known = {url for tier in metainfo.trackers for url in tier}
    tiers = (*metainfo.trackers, *((url,) for url in trackers if url not in known))
    return _Offer(replace(metainfo, layout=layout, trackers=tiers), target, torrent, fresh)


def _require_same(torrent: Path, path: Path) -> None:
    """Raise StorageError unless the torrent in our way describes what is at `path`, as far as names and sizes tell."""
    refuse = f"{printable(torrent)} is there already and "
    advice = "; move it away, or name the torrent to use with --torrent"
    try:
        metainfo = read_torrent(torrent)
    except MetainfoError as error:
        raise StorageError(f"{refuse}is no torrent{advice}") from error
    layout, target = find_content(metainfo, path)
    root = target.joinpath(*layout.root)
    if not layout.root:
        root = root.joinpath(*layout.files[0].parts)
    declared = {file.parts if layout.root else (): file.length for file in layout.files if file.stored}
    if declared != {file.parts: file.size for file in walk(root) if isinstance(file, FoundFile)}:
        raise StorageError(f"{refuse}describes other content{advice}")


def _name(path: Path) -> str:
    try:
        return path.resolve(strict=True).name
    except OSError as error:
        raise refusal(error, path) from error


def _tracker(url: str) -> str:
    if not tracker_urls((url,)):
        raise StarlingError(f"{printable(url)} is no tracker address (http, https, udp)")
    return tracker_urls((url,))[0]
