"""`starling add`: torrents for a daemon to keep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import complain, say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_words import json_of
from p2p.codec.bencode import MAX_SIZE
from p2p.daemon.client_errors import LoginRefusedError, UnreachableError
from p2p.daemon.client_values import TorrentChanges
from p2p.disk.refusals import printable, refusal
from p2p.errors import MetainfoError, StarlingError

if TYPE_CHECKING:
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import AddedTorrent

_EXAMPLES: Final = """\b
Examples:
  starling add debian.torrent
  starling add 'magnet:?xt=urn:btih:...' --paused --label linux
  starling add https://example.org/debian.torrent --download-dir /srv/iso

Files are read here and sent; a URL is fetched by the daemon.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("add", epilog=_EXAMPLES)(add_command)


@takes_daemon_options
def add_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Torrent files, magnet links or URLs.", show_default=False)
    ],
    *,
    download_dir: Annotated[
        str | None,
        typer.Option("--download-dir", "-o", metavar="DIR", help="Where the content goes, on the daemon's machine."),
    ] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Do not start it.")] = False,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="Give it this label; may be given again.")
    ] = None,
    sequential: Annotated[bool, typer.Option("--sequential", help="Download from the beginning on.")] = False,
    daemon: Daemon,
) -> int:
    """Give torrents to a daemon."""
    changes = TorrentChanges(labels=tuple(label) if label else None, sequential_download=sequential or None)
    folder = None if download_dir is None else daemon.folder(download_dir)

    async def verb(client: Client) -> bool:
        added: list[AddedTorrent] = []
        failed = False
        for source in sources:
            try:
                told = await client.add(
                    _read(source), download_dir=folder, paused=True if paused else None, changes=changes
                )
            except (UnreachableError, LoginRefusedError):
                raise
            except StarlingError as error:  # the others may be well
                complain(f"{source[:80]}: {error}" if source[:80] not in str(error) else str(error))
                failed = True
                continue
            added.append(told)
            if not daemon.as_json:
                say(f"{'is there' if told.duplicate else 'added'}  {told.id}  {printable(told.name)}")
        if daemon.as_json:
            say_json([json_of(each) for each in added])
        return failed

    return 1 if daemon.run(verb) else 0


def _read(source: str) -> str | bytes:
    """What the daemon is sent: a link or URL as it is, a file's bytes. Raises StorageError, MetainfoError."""
    if source[:7].lower() == "magnet:" or source[:8].lower().startswith(("http://", "https://")):
        return source
    path = Path(os.path.expanduser(source))  # noqa: PTH111 - Path's own raises where there is no home
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise refusal(error, path) from error
    if len(data) > MAX_SIZE:
        raise MetainfoError(f"{printable(path)}: more than {MAX_SIZE} bytes are no torrent file")
    return data
