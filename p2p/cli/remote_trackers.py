"""`starling trackers`: what a torrent's trackers say, and which it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import note, say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options, wall
from p2p.cli.remote_names import NoTorrentError, OneName, named_one
from p2p.cli.remote_tables import Cell, Column, right, say_rows
from p2p.cli.remote_words import date_of, json_of
from p2p.daemon.client_values import Part, TorrentChanges
from p2p.disk.refusals import printable
from p2p.quantities import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TrackerFacts

_EXAMPLES: Final = """\b
Examples:
  starling trackers debian
  starling trackers debian --announce
  starling trackers 3 --add udp://tracker.example:6969/announce
  starling trackers 3 --drop tracker.example
"""

_COLUMNS: Final = (
    right("Tier", 6),
    Column("Tracker", flexible=True),
    Column("Last answer", 8),
    Column("At", 3),
    right("Next", 5),
    right("Seeders", 7),
    right("Leechers", 4),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trackers", epilog=_EXAMPLES)(trackers_command)


@takes_daemon_options
def trackers_command(
    name: OneName,
    *,
    add: Annotated[
        list[str] | None, typer.Option("--add", metavar="URL", help="Announce to this one too; may be given again.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="URL|HOST", help="Announce to this one no more; may be given again."),
    ] = None,
    announce: Annotated[bool, typer.Option("--announce", help="Ask them for peers now.")] = False,
    daemon: Daemon,
) -> int:
    """List the trackers of a torrent and what they last said."""

    async def verb(client: Client) -> None:
        row = await named_one(client, name)
        trackers = await _trackers(client, row.hash_string)
        if add or drop:
            change = TorrentChanges(tracker_add=tuple(add or ()), tracker_remove=_dropped(trackers, drop or ()))
            await client.change([row.hash_string], change)
            trackers = await _trackers(client, row.hash_string)
        if announce:
            await client.reannounce([row.hash_string])
        if daemon.as_json:
            say_json([json_of(tracker) for tracker in trackers])
            return
        if not trackers:
            note(f"{printable(row.name)} has no trackers")
            return
        now = wall()
        say_rows(_COLUMNS, [_cells(tracker, now) for tracker in trackers])
        if announce:
            say("they are asked for peers")

    daemon.run(verb)
    return 0


async def _trackers(client: Client, info_hash: str) -> Sequence[TrackerFacts]:
    details = await client.details(info_hash, Part.TRACKERS)
    return () if details is None else details.tracker_stats


def _dropped(trackers: Sequence[TrackerFacts], words: Sequence[str]) -> tuple[int, ...]:
    """Ids of the trackers that are named. Raises NoTorrentError for a word that names none."""
    found: list[int] = []
    for word in words:
        ids = [
            each.id for each in trackers if word in (each.announce, each.host, each.sitename) or word in each.announce
        ]
        if not ids:
            raise NoTorrentError(f"no tracker is {printable(word)}")
        found += ids
    return tuple(dict.fromkeys(found))


def _cells(tracker: TrackerFacts, now: float) -> list[Cell | str]:
    wait = tracker.next_announce_time - now
    return [
        str(tracker.tier + 1),
        tracker.announce,
        _answer(tracker),
        date_of(tracker.last_announce_time),
        format_duration(max(0.0, wait)) if tracker.next_announce_time else "",
        _count(tracker.seeder_count),
        _count(tracker.leecher_count),
    ]


def _answer(tracker: TrackerFacts) -> Cell:
    if not tracker.has_announced:
        return Cell("not asked yet" if not tracker.is_backup else "in reserve", "dim")
    if tracker.last_announce_succeeded:
        return Cell(f"{tracker.last_announce_peer_count} peers", "green")
    return Cell(tracker.last_announce_result or "no answer", "red")


def _count(number: int) -> str:
    return str(number) if number >= 0 else ""
