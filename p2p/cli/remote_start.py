"""`starling start`: torrents of a daemon run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Everything, Names, named
from p2p.cli.remote_words import say_done

if TYPE_CHECKING:
    from p2p.daemon.client import Client

_EXAMPLES: Final = """\b
Examples:
  starling start 3
  starling start '*.iso' --now
  starling start --all
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("start", epilog=_EXAMPLES)(start_command)


@takes_daemon_options
def start_command(
    names: Names = None,
    *,
    everything: Everything = False,
    now: Annotated[bool, typer.Option("--now", help="Whatever the queue says.")] = False,
    daemon: Daemon,
) -> int:
    """Start torrents."""

    async def verb(client: Client) -> None:
        rows = await named(client, names or (), everything=everything)
        await (client.start_now if now else client.start)([row.hash_string for row in rows])
        say_done("started", rows, as_json=daemon.as_json)

    daemon.run(verb)
    return 0
