"""`starling peers`: whom a torrent of a daemon is connected with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.cli.console import note, say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import OneName, named_one
from p2p.cli.remote_tables import Column, right, say_rows
from p2p.cli.remote_words import json_of, rate_of
from p2p.daemon.client_values import Part
from p2p.disk.refusals import printable

if TYPE_CHECKING:
    import typer

    from p2p.cli.remote_tables import Cell
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import PeerFacts, PeersFrom

_EXAMPLES: Final = """\b
Examples:
  starling peers debian
  starling peers 3 --json

Flags: D downloading, d would if it let us, U uploading, u would if it wanted,
O optimistic, S snubbed, K and ? uninterested, E encrypted, I it connected,
X from peer exchange, H from the DHT, T over uTP.
"""

_COLUMNS: Final = (
    Column("Address", 8, flexible=True),
    right("Has", 8),
    right("Down", 7),
    right("Up", 6),
    Column("Flags", 5),
    Column("Client", 4),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("peers", epilog=_EXAMPLES)(peers_command)


@takes_daemon_options
def peers_command(name: OneName, *, daemon: Daemon) -> int:
    """List the peers of a torrent."""

    async def verb(client: Client) -> None:
        row = await named_one(client, name)
        details = await client.details(row.hash_string, Part.PEERS)
        peers = () if details is None else details.peers
        if daemon.as_json:
            say_json([json_of(peer) for peer in peers])
            return
        if details is None or not peers:
            note(f"{printable(row.name)} has no peers")
            return
        fastest = sorted(peers, key=lambda peer: -(peer.rate_to_client + peer.rate_to_peer))
        say_rows(_COLUMNS, [_cells(peer) for peer in fastest])
        say(f"{len(peers)} peers: {_sources(details.peers_from)}")

    daemon.run(verb)
    return 0


def _cells(peer: PeerFacts) -> list[Cell | str]:
    host = f"[{peer.address}]" if ":" in peer.address else peer.address
    return [
        f"{host}:{peer.port}",
        f"{int(peer.progress * 100)}%",
        rate_of(peer.rate_to_client),
        rate_of(peer.rate_to_peer),
        peer.flag_str,
        peer.client_name,
    ]


def _sources(counts: PeersFrom) -> str:
    named = {
        "trackers": counts.from_tracker,
        "the DHT": counts.from_dht,
        "peer exchange": counts.from_pex,
        "the local network": counts.from_lpd,
        "an earlier run": counts.from_cache,
        "themselves": counts.from_incoming,
        "the extension protocol": counts.from_ltep,
    }
    return ", ".join(f"{number} from {source}" for source, number in named.items() if number) or "of unknown source"
