"""`starling create`: a torrent file of what is on disk."""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import byte_progress, note, say_fields, say_json
from p2p.cli.description import magnet_link, torrent_fields, torrent_json
from p2p.cli.quantities import parse_size
from p2p.disk.refusals import printable, refusal
from p2p.errors import StorageError
from p2p.metainfo.metainfo import Metainfo
from p2p.metainfo.urls import parse_endpoint
from p2p.session.create import create

if TYPE_CHECKING:
    from p2p.metainfo.urls import Endpoint

_EXAMPLES: Final = """\b
Examples:
  starling create photos --tracker udp://tracker.example:6969/announce
  starling create disk.iso -o /srv/disk.torrent --piece-length 4MiB --private
"""


class TorrentVersion(StrEnum):
    """What `--version` takes."""

    V1 = "1"
    V2 = "2"
    HYBRID = "hybrid"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("create", epilog=_EXAMPLES)(create_command)


def _parse_tier(text: str) -> list[str]:
    urls = [url.strip() for url in text.split(",")]
    if not all(urls):
        raise typer.BadParameter(f"{text!r} is no list of trackers: write it like URL,URL", param_hint="--tier")
    return urls


def _parse_node(text: str) -> Endpoint:
    found = parse_endpoint(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no place of a node: write it like HOST:PORT", param_hint="--node")
    return found


def create_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file or folder to share.", show_default=False)],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where the torrent goes (default: NAME.torrent here)."),
    ] = None,
    tracker: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A tracker, in a tier of its own; may be repeated.")
    ] = None,
    tier: Annotated[
        list[str] | None, typer.Option(metavar="URL,URL", help="Trackers that are one tier; may be repeated.")
    ] = None,
    web_seed: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A web server that has the content; may be repeated.")
    ] = None,
    node: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="A DHT node to start from; may be repeated.")
    ] = None,
    piece_length: Annotated[
        int | None,
        typer.Option(parser=parse_size, metavar="SIZE", help="Bytes of a piece (default: suits the content)."),
    ] = None,
    version: Annotated[TorrentVersion, typer.Option(help="The kind of torrent.")] = TorrentVersion.V1,
    private: Annotated[bool, typer.Option("--private", help="Peers may come from the trackers only.")] = False,
    source: Annotated[str | None, typer.Option(metavar="TEXT", help="A mark that changes the info-hash.")] = None,
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="A remark for whoever reads the torrent.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing torrent file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a torrent file of a file or folder.

    Files are hashed on all cores. Symbolic links in a folder are left out, because seeding does not follow them.
    """
    tiers = [_parse_tier(text) for text in tier or ()]
    nodes = [_parse_node(text) for text in node or ()]
    target = output or Path(f"{_name(path)}.torrent")
    if not force:
        _check_absent(target)

    async def hash_content() -> bytes:
        with byte_progress("hashing", quiet=as_json) as show:
            return await create(
                path,
                version=version.value,
                piece_length=piece_length,
                trackers=tracker or (),
                tiers=tiers,
                web_seeds=web_seed or (),
                nodes=nodes,
                private=private,
                source=source,
                comment=comment,
                creation_date=_date(),
                progress=show,
                notice=note,
            )

    if private and not tracker and not tiers:
        note("a private torrent without a tracker finds no peers")
    data = asyncio.run(hash_content())
    if force:
        _replace(target, data)
    else:
        _write_new(target, data)
    metainfo = Metainfo.from_bytes(data)
    if as_json:
        say_json({"torrent": str(target), "magnet": magnet_link(metainfo), **torrent_json(metainfo)})
        return
    say_fields([("torrent", printable(target)), *torrent_fields(metainfo), ("magnet", magnet_link(metainfo))])


def _name(path: Path) -> str:
    try:
        return path.resolve(strict=True).name
    except OSError as error:
        raise refusal(error, path) from error


def _date() -> int | None:
    """Seconds since the epoch; none unless given, so that equal content makes equal files."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(fixed) if fixed.isascii() and fixed.isdigit() else None


def _check_absent(target: Path) -> None:
    if os.path.lexists(target):
        raise StorageError(f"{printable(target)} exists; --force writes over it")


def _write_new(target: Path, data: bytes) -> None:
    """Write a file that must not be there yet; nothing is left of it where that fails."""
    try:
        file = target.open("xb")
    except FileExistsError:
        _check_absent(target)
        raise
    except OSError as error:
        raise refusal(error, target) from error
    try:
        with file:
            file.write(data)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise refusal(error, target) from error


def _replace(target: Path, data: bytes) -> None:
    """Write over a file, or make it; the old content stays where that fails."""
    fresh = target.with_name(f".{target.name}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise refusal(error, target) from error
