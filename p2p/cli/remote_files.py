"""`starling files`: the files of a torrent of a daemon, which of them are wanted, and which first."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import NoTorrentError, OneName, named_one
from p2p.cli.remote_tables import Cell, Column, right, say_rows
from p2p.cli.remote_words import fields_of
from p2p.daemon.client_values import Part, Priority, TorrentChanges
from p2p.disk.refusals import printable
from p2p.quantities import format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import FileFacts

_EXAMPLES: Final = """\b
Examples:
  starling files debian
  starling files album --skip '*.txt' --first '*/01*'
  starling files album --want '*' --json

Patterns are compared with the whole path and with the file's own name; a number
is the file's. What is skipped stays on disk as far as it is there.
"""

_COLUMNS: Final = (
    right("#"),
    Column("File", flexible=True),
    right("Done", 8),
    right("Size", 7),
    Column("Wanted", 6),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("files", epilog=_EXAMPLES)(files_command)


Patterns = list[str] | None


@takes_daemon_options
def files_command(
    name: OneName,
    *,
    want: Annotated[Patterns, typer.Option("--want", metavar="PATTERN", help="Download these.")] = None,
    skip: Annotated[Patterns, typer.Option("--skip", metavar="PATTERN", help="Do not download these.")] = None,
    first: Annotated[Patterns, typer.Option("--first", metavar="PATTERN", help="These before others.")] = None,
    normal: Annotated[Patterns, typer.Option("--normal", metavar="PATTERN", help="These as usual.")] = None,
    last: Annotated[Patterns, typer.Option("--last", metavar="PATTERN", help="These after others.")] = None,
    daemon: Daemon,
) -> int:
    """List the files of a torrent, and say which are wanted. Each option may be given again."""

    async def verb(client: Client) -> None:
        row = await named_one(client, name)
        files = await _files(client, row.hash_string)
        changes = TorrentChanges(
            files_wanted=_matching(files, want),
            files_unwanted=_matching(files, skip),
            priority_high=_matching(files, first),
            priority_normal=_matching(files, normal),
            priority_low=_matching(files, last),
        )
        if changes != TorrentChanges():
            if not files:
                raise NoTorrentError(f"{printable(row.name)}: its files are not known yet")
            await client.change([row.hash_string], changes)
            files = await _files(client, row.hash_string)
        if daemon.as_json:
            say_json([{"index": index, **fields_of(file)} for index, file in enumerate(files)])
        elif not files:
            say(f"{printable(row.name)}: its files are not known yet")
        else:
            say_rows(_COLUMNS, [_cells(index, file) for index, file in enumerate(files)])

    daemon.run(verb)
    return 0


async def _files(client: Client, info_hash: str) -> Sequence[FileFacts]:
    details = await client.details(info_hash, Part.FILES)
    return () if details is None else details.files


def _matching(files: Sequence[FileFacts], patterns: Sequence[str] | None) -> tuple[int, ...]:
    """Indices of the files that patterns name. Raises NoTorrentError for a pattern that names none."""
    found: set[int] = set()
    for pattern in patterns or ():
        lower = pattern.lower()
        number = int(pattern[:9]) if pattern.isascii() and pattern.isdigit() else -1
        fitting = [index for index, file in enumerate(files) if index == number or _fits(file.name.lower(), lower)]
        if not fitting and files:
            raise NoTorrentError(f"no file is like {printable(pattern)}")
        found.update(fitting)
    return tuple(sorted(found))


def _fits(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)


def _cells(index: int, file: FileFacts) -> list[Cell | str]:
    done = int(100 * file.bytes_completed / file.length) if file.length else 100
    return [str(index), file.name, f"{done}%", format_size(file.length), _wanted(file)]


def _wanted(file: FileFacts) -> Cell:
    if not file.wanted:
        return Cell("no", "dim")
    return {
        Priority.HIGH: Cell("first", "bold"),
        Priority.LOW: Cell("last"),
    }.get(Priority(max(-1, min(1, file.priority))), Cell("yes"))
