"""`starling remove`: a daemon forgets torrents, and their content if told so.

The rule: nobody loses anything by a slip. What goes is named and counted first, and without a terminal to answer on,
`--yes` has to be given.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import note
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Everything, Names, named
from p2p.cli.remote_words import say_done
from p2p.disk.refusals import printable
from p2p.errors import ConfigError
from p2p.quantities import count, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow

_EXAMPLES: Final = """\b
Examples:
  starling remove debian
  starling remove '*.iso' --delete
  starling remove 3 --delete --yes
  starling remove --undo
"""

_SHOWN: Final = 10
"""Torrents that the question names."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("remove", epilog=_EXAMPLES)(remove_command)


@takes_daemon_options
def remove_command(
    names: Names = None,
    *,
    everything: Everything = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete their content too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what was removed last with its content.")] = False,
    daemon: Daemon,
) -> int:
    """Let a daemon forget torrents. Their content stays unless --delete is given; that can be undone for a while."""
    if undo:
        if names or everything or delete:
            raise ConfigError("--undo brings back what was removed last, and takes nothing beside it")
        daemon.run(lambda client: _bring_back(client, as_json=daemon.as_json))
        return 0

    async def find(client: Client) -> list[TorrentRow]:
        return await named(client, names or (), everything=everything)

    rows = daemon.run(find)
    if rows and not yes and not _agreed(rows, delete=delete):
        note("nothing is removed")
        return 1

    async def verb(client: Client) -> None:
        await client.remove([row.hash_string for row in rows], delete=delete)
        say_done("removed with its content" if delete else "removed", rows, as_json=daemon.as_json)

    daemon.run(verb)
    return 0


async def _bring_back(client: Client, *, as_json: bool) -> None:
    back = await client.own.undo_removal()
    say_done("brought back", [row for row in await client.torrents() if row.id in back], as_json=as_json)


def _agreed(rows: Sequence[TorrentRow], *, delete: bool) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask on; give --yes to remove without a question")
    size = format_size(sum(row.have_valid for row in rows))
    for row in rows[:_SHOWN]:
        typer.echo(f"  {row.id} {printable(row.name)}, {format_size(row.have_valid)}", err=True)
    if len(rows) > _SHOWN:
        typer.echo(f"  and {len(rows) - _SHOWN:,} more", err=True)
    what = f"and delete {size} of content" if delete else f"and keep {size} of content"
    return bool(typer.confirm(f"Remove {count(len(rows), 'torrent')} {what}?", err=True))
