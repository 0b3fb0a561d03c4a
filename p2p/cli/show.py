"""`starling show`: what a torrent file or magnet link says."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from p2p.cli.console import say, say_fields, say_json
from p2p.cli.description import file_lines, magnet_fields, magnet_json, magnet_link, torrent_fields, torrent_json
from p2p.cli.sources import read_source
from p2p.metainfo.magnet import Magnet

_EXAMPLES: Final = """\b
Examples:
  starling show debian.torrent
  starling show 'magnet:?xt=urn:btih:...' --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show", epilog=_EXAMPLES)(show)


def show(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A .torrent file or a magnet link.", show_default=False)
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a torrent file or magnet link says."""
    found = read_source(source)
    if isinstance(found, Magnet):
        if as_json:
            say_json(magnet_json(found))
        else:
            say_fields(magnet_fields(found))
        return
    if as_json:
        say_json(torrent_json(found))
        return
    say_fields([*torrent_fields(found), ("magnet", magnet_link(found))])
    say("")
    for line in file_lines(found):
        say(line)
