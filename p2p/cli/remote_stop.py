"""`starling stop`: torrents of a daemon rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Everything, Names, named
from p2p.cli.remote_words import say_done

if TYPE_CHECKING:
    import typer

    from p2p.daemon.client import Client

_EXAMPLES: Final = """\b
Examples:
  starling stop debian
  starling stop 1 4 82c70316
  starling stop --all --connect nas:9091
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stop", epilog=_EXAMPLES)(stop_command)


@takes_daemon_options
def stop_command(
    names: Names = None,
    *,
    everything: Everything = False,
    daemon: Daemon,
) -> int:
    """Stop torrents. They keep what they have."""

    async def verb(client: Client) -> None:
        rows = await named(client, names or (), everything=everything)
        await client.stop([row.hash_string for row in rows])
        say_done("stopped", rows, as_json=daemon.as_json)

    daemon.run(verb)
    return 0
