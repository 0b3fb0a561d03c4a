"""`starling list`: the torrents of a daemon."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from p2p.cli.console import note, say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Names, chosen
from p2p.cli.remote_tables import Column, right, say_rows
from p2p.cli.remote_words import date_of, done_of, eta_of, json_of, rate_of, ratio_of, state_cell, state_of
from p2p.daemon.client_values import ErrorKind, Status
from p2p.quantities import count, format_rate, format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.cli.remote_tables import Cell
    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow

_EXAMPLES: Final = """\b
Examples:
  starling list
  starling list --state downloading --sort eta
  starling list '*.iso' --connect nas:9091 --json
"""

COLUMNS: Final = (
    right("ID"),
    Column("Name", flexible=True),
    right("Done", 8),
    right("Size", 4),
    Column("State", 9),
    right("Down", 7),
    right("Up", 6),
    right("ETA", 5),
    right("Ratio", 3),
    right("Peers", 2),
    Column("Labels", 1),
    Column("Added", 0),
)


class Sort(StrEnum):
    """What a list is ordered by."""

    ID = "id"
    NAME = "name"
    SIZE = "size"
    DONE = "done"
    DOWN = "down"
    UP = "up"
    ETA = "eta"
    RATIO = "ratio"
    ADDED = "added"
    QUEUE = "queue"


class State(StrEnum):
    """Which torrents are shown."""

    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    STOPPED = "stopped"
    QUEUED = "queued"
    CHECKING = "checking"
    ERROR = "error"
    ACTIVE = "active"


_STATES: Final = {
    State.DOWNLOADING: (Status.DOWNLOADING,),
    State.SEEDING: (Status.SEEDING,),
    State.STOPPED: (Status.STOPPED,),
    State.QUEUED: (Status.DOWNLOAD_QUEUED, Status.SEED_QUEUED, Status.CHECK_QUEUED),
    State.CHECKING: (Status.CHECKING,),
}

_KEYS: Final[dict[Sort, Callable[[TorrentRow], Any]]] = {
    Sort.ID: lambda row: row.id,
    Sort.NAME: lambda row: row.name.lower(),
    Sort.SIZE: lambda row: -row.total_size,
    Sort.DONE: lambda row: -row.percent_done,
    Sort.DOWN: lambda row: -row.rate_download,
    Sort.UP: lambda row: -row.rate_upload,
    Sort.ETA: lambda row: row.eta if row.eta >= 0 else float("inf"),
    Sort.RATIO: lambda row: -row.upload_ratio,
    Sort.ADDED: lambda row: -row.added_date,
    Sort.QUEUE: lambda row: row.queue_position,
}


Order = Annotated[Sort, typer.Option("--sort", help="The order; biggest, fastest or newest first.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog=_EXAMPLES)(list_command)


@takes_daemon_options
def list_command(
    names: Names = None,
    *,
    state: Annotated[State | None, typer.Option("--state", help="Only those; active ones move something.")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Only those with this label.")] = None,
    sort: Order = Sort.ID,
    daemon: Daemon,
) -> int:
    """List the torrents of a daemon, or some of them."""

    async def verb(client: Client) -> None:
        rows = list(await client.torrents())
        if names:
            rows = chosen(rows, names)
        shown = ordered([row for row in rows if _is_wanted(row, state, label)], sort)
        if daemon.as_json:
            say_json([json_of(row) for row in shown])
            return
        if not shown:
            note("no torrents" if not rows else "no torrents like that")
            return
        say_rows(COLUMNS, [cells_of(row) for row in shown])
        say_errors(shown)
        say(summary(shown))

    daemon.run(verb)
    return 0


def ordered(rows: Sequence[TorrentRow], sort: Sort) -> list[TorrentRow]:
    """In that order; those that are alike by id."""
    return sorted(rows, key=lambda row: (_KEYS[sort](row), row.id))


def cells_of(row: TorrentRow) -> list[Cell | str]:
    """A torrent as a row of COLUMNS."""
    return [
        str(row.id),
        row.name,
        done_of(row),
        format_size(row.total_size) if row.total_size else "",
        state_cell(row),
        rate_of(row.rate_download),
        rate_of(row.rate_upload),
        eta_of(row),
        ratio_of(row.upload_ratio),
        str(row.peers_connected) if row.peers_connected else "",
        ", ".join(row.labels),
        date_of(row.added_date),
    ]


def say_errors(rows: Sequence[TorrentRow]) -> None:
    """What is wrong with them, a line each, to stderr."""
    for row in rows:
        if row.error is not ErrorKind.NONE and row.error_string:
            note(f"{row.id} {row.name}: {row.error_string}")


def summary(rows: Sequence[TorrentRow]) -> str:
    """What they come to."""
    total = format_size(sum(row.total_size for row in rows))
    down, up = sum(row.rate_download for row in rows), sum(row.rate_upload for row in rows)
    return f"{count(len(rows), 'torrent')}, {total}, down {format_rate(down)}, up {format_rate(up)}"


def _is_wanted(row: TorrentRow, state: State | None, label: str | None) -> bool:
    if label is not None and label not in row.labels:
        return False
    match state:
        case None:
            return True
        case State.ERROR:
            return state_of(row) == "error" or row.error is not ErrorKind.NONE
        case State.ACTIVE:
            return bool(row.rate_download or row.rate_upload)
        case _:
            return row.status in _STATES[state]
