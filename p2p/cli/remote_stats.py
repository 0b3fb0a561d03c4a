"""`starling stats`: how a daemon does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.cli.console import say_fields, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_words import fields_of, ratio_of
from p2p.disk.refusals import printable
from p2p.quantities import count, format_duration, format_rate, format_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

    from p2p.cli.console import Json
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import ServerInfo, Statistics, Totals

_EXAMPLES: Final = """\b
Examples:
  starling stats
  starling stats --connect nas:9091 --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stats", epilog=_EXAMPLES)(stats_command)


@takes_daemon_options
def stats_command(*, daemon: Daemon) -> int:
    """Tell how a daemon does: torrents, speeds, totals, room."""

    async def verb(client: Client) -> None:
        info, statistics, settings = await client.info(), await client.statistics(), await client.settings()
        if daemon.as_json:
            server: dict[str, Json] = {"version": info.version, "rpc_version": info.rpc_version}
            say_json({**server, "starling": info.starling or None, **fields_of(statistics)})
            return
        say_fields(_fields(info, statistics, settings))

    daemon.run(verb)
    return 0


def _fields(info: ServerInfo, statistics: Statistics, settings: Mapping[str, object]) -> list[tuple[str, str]]:
    torrents = f"{statistics.torrent_count:,}: {statistics.active_torrent_count:,} active"
    free = settings.get("download_dir_free_space")
    room = f", {format_size(free)} free" if isinstance(free, int) and free >= 0 else ""
    return [
        ("daemon", f"starling {info.starling}" if info.ours else f"Transmission {printable(info.version)}"),
        ("torrents", f"{torrents}, {statistics.paused_torrent_count:,} stopped"),
        ("now", f"down {format_rate(statistics.download_speed)}, up {format_rate(statistics.upload_speed)}"),
        ("this run", _totals(statistics.current)),
        ("all runs", f"{_totals(statistics.cumulative)}, {count(statistics.cumulative.session_count, 'start')}"),
        ("folder", f"{printable(str(settings.get('download_dir', '?')))}{room}"),
        ("peers at", f"port {settings.get('peer_port', '?')}"),
    ]


def _totals(totals: Totals) -> str:
    ratio = totals.uploaded_bytes / totals.downloaded_bytes if totals.downloaded_bytes else -1.0
    moved = f"down {format_size(totals.downloaded_bytes)}, up {format_size(totals.uploaded_bytes)}"
    return f"{moved}, ratio {ratio_of(ratio)}, {format_duration(totals.seconds_active)}"
