"""`starling move`: a torrent's content goes to another folder of the daemon's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Names, named
from p2p.cli.remote_words import say_done

if TYPE_CHECKING:
    from p2p.daemon.client import Client

_EXAMPLES: Final = """\b
Examples:
  starling move debian /srv/iso
  starling move '*.iso' /mnt/new --find
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("move", epilog=_EXAMPLES)(move_command)


@takes_daemon_options
def move_command(
    names: Names,
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder, on the daemon's machine.", show_default=False)
    ],
    *,
    find: Annotated[bool, typer.Option("--find", help="The content is there already.")] = False,
    daemon: Daemon,
) -> int:
    """Move the content of torrents to another folder, while they run."""
    place = daemon.folder(folder)

    async def verb(client: Client) -> None:
        rows = await named(client, names or ())
        await (client.find if find else client.move)([row.hash_string for row in rows], place)
        say_done(f"{'found in' if find else 'moving to'} {place}", rows, as_json=daemon.as_json)

    daemon.run(verb)
    return 0
