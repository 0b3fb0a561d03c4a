"""`starling info`: everything about a torrent of a daemon, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.cli.console import say, say_fields, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Names, chosen
from p2p.cli.remote_words import date_of, done_of, eta_of, fields_of, ratio_of, state_of
from p2p.daemon.client_values import ErrorKind, GoalMode, Part
from p2p.disk.refusals import printable
from p2p.errors import ConfigError
from p2p.quantities import count, format_duration, format_rate, format_size

if TYPE_CHECKING:
    import typer

    from p2p.cli.console import Json
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentDetails, TorrentRow

_EXAMPLES: Final = """\b
Examples:
  starling info debian
  starling info 3 --json
"""

KILO: Final = 1_000
"""Bytes a second in the RPC's unit of limits."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("info", epilog=_EXAMPLES)(info_command)


@takes_daemon_options
def info_command(names: Names = None, *, daemon: Daemon) -> int:
    """Tell everything about torrents of a daemon."""
    if not names:
        raise ConfigError("name a torrent; starling list shows them")

    async def verb(client: Client) -> None:
        found = []
        for row in chosen(await client.torrents(), names):
            details = await client.details(row.hash_string, Part.FACTS)
            if details is not None:
                found.append((row, details))
        if daemon.as_json:
            say_json([{**_json(row), **_json(details)} for row, details in found])
            return
        for number, (row, details) in enumerate(found):
            if number:
                say("")
            say_fields(_fields(row, details))

    daemon.run(verb)
    return 0


def _json(value: TorrentRow | TorrentDetails) -> dict[str, Json]:
    parts = {name for part in Part for name in part.value}
    return {name: each for name, each in fields_of(value).items() if name not in parts}


def _fields(row: TorrentRow, details: TorrentDetails) -> list[tuple[str, str]]:
    fields = [
        ("name", printable(row.name)),
        ("id", str(row.id)),
        ("info-hash", row.hash_string),
        ("state", _state(row)),
        ("done", f"{done_of(row)}, {format_size(row.have_valid)} of {format_size(row.size_when_done)}{_left(row)}"),
        ("content", _content(row, details)),
        ("folder", printable(row.download_dir)),
        ("moved", _moved(row, details)),
        ("now", f"down {format_rate(row.rate_download)}, up {format_rate(row.rate_upload)}"),
        ("peers", _peers(row)),
        ("tracker", printable(row.tracker) or "-"),
        ("limits", _limits(row, details)),
        ("goals", _goals(details)),
        ("queue", f"place {row.queue_position + 1}, priority {row.bandwidth_priority.name.lower()}"),
        ("added", date_of(row.added_date)),
        ("done at", date_of(row.done_date)),
        ("active", date_of(row.activity_date)),
        ("at work", _at_work(details)),
    ]
    optional = [
        ("labels", ", ".join(map(printable, row.labels))),
        ("group", printable(row.group)),
        ("comment", printable(" ".join(details.comment.split()))),
        ("created by", printable(details.creator)),
        ("created", date_of(details.date_created) if details.date_created else ""),
        ("magnet", printable(details.magnet_link)),
    ]
    return [*fields, *(each for each in optional if each[1])]


def _state(row: TorrentRow) -> str:
    words = state_of(row)
    if row.error is not ErrorKind.NONE:
        words += f" ({printable(row.error_string)})"
    return f"{words}, private" if row.is_private else words


def _left(row: TorrentRow) -> str:
    left = eta_of(row)
    return f", {left} left" if left not in ("", "?") else ""


def _content(row: TorrentRow, details: TorrentDetails) -> str:
    if row.metadata_percent_complete < 1:
        return "not known yet: the metadata comes from peers"
    pieces = f"{details.piece_count:,} pieces of {format_size(details.piece_size)}"
    return f"{format_size(row.total_size)} in {count(details.file_count or 1, 'file')}, {pieces}"


def _moved(row: TorrentRow, details: TorrentDetails) -> str:
    words = f"down {format_size(row.downloaded_ever)}, up {format_size(row.uploaded_ever)}"
    words += f", ratio {ratio_of(row.upload_ratio)}"
    return f"{words}, {format_size(details.corrupt_ever)} damaged" if details.corrupt_ever else words


def _peers(row: TorrentRow) -> str:
    words = f"{row.peers_connected} connected, {row.peers_sending_to_us} send, {row.peers_getting_from_us} receive"
    if row.seeders >= 0:
        words += f"; the swarm has {count(row.seeders, 'seeder')}, {count(max(0, row.leechers), 'leecher')}"
    return words


def _limits(row: TorrentRow, details: TorrentDetails) -> str:
    down = format_rate(details.download_limit * KILO) if details.download_limited else "none"
    up = format_rate(details.upload_limit * KILO) if details.upload_limited else "none"
    session = "" if details.honors_session_limits else ", those of the session do not count"
    order = ", from the beginning on" if row.sequential_download else ""
    return f"down {down}, up {up}, {details.peer_limit} peers{session}{order}"


def _goals(details: TorrentDetails) -> str:
    ratio = {
        GoalMode.GLOBAL: "ratio as the session's",
        GoalMode.OWN: f"ratio {details.seed_ratio_limit:g}",
        GoalMode.UNLIMITED: "any ratio",
    }[details.seed_ratio_mode]
    idle = {
        GoalMode.GLOBAL: "idle time as the session's",
        GoalMode.OWN: f"idle for {details.seed_idle_limit} min",
        GoalMode.UNLIMITED: "idle for any time",
    }[details.seed_idle_mode]
    return f"{ratio}, {idle}"


def _at_work(details: TorrentDetails) -> str:
    downloading, seeding = details.seconds_downloading, details.seconds_seeding
    return f"downloading for {format_duration(downloading)}, seeding for {format_duration(seeding)}"
