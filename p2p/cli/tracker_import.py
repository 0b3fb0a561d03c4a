"""`starling tracker import`: members of another tracker, with the passkeys and totals they have."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Final

import typer

from p2p.cli.console import note, say, say_json
from p2p.cli.tracker_register import AsJson, ConfigFile, DatabaseFile, Place, secrets, wall
from p2p.disk.refusals import refusal
from p2p.errors import StorageError
from p2p.quantities import count, format_size
from tracker.private import imports
from tracker.private.imports import ImportFormat, ImportRefusedError

EXAMPLES: Final = """\b
Examples:
  starling tracker import members.csv
  starling tracker import members.jsonl --database /srv/tracker.db --json

A CSV file begins with its fields: name,passkey,uploaded,downloaded and, where
they are known, actual_uploaded,actual_downloaded,joined. A JSON line is an
object of them.
"""

_SHOWN: Final = 10
"""Problems that are listed besides the first."""


def import_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines.", show_default=False)],
    *,
    form: Annotated[ImportFormat | None, typer.Option("--format", help="What it is (default: by its name).")] = None,
    path: DatabaseFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take in members from a file, all of them or none. Their passkeys and torrents go on working."""
    form = form or imports.format_of(source.name)
    try:
        with source.open(encoding="utf-8", newline="") as lines, Place.of(path, config).opened_or_made() as connection:
            report = imports.import_members(connection, lines, form, now=wall(), secrets=secrets)
    except ImportRefusedError as error:
        for problem in error.problems[1 : 1 + _SHOWN]:
            note(str(problem))
        raise
    except UnicodeDecodeError as error:
        raise StorageError(f"{source}: not in UTF-8, at byte {error.start}") from error
    except OSError as error:
        raise refusal(error, source) from error
    if as_json:
        say_json({"members": report.members, "uploaded": report.uploaded, "downloaded": report.downloaded})
        return
    credited = f"{format_size(report.uploaded)} uploaded, {format_size(report.downloaded)} downloaded"
    say(f"{count(report.members, 'member')} imported: {credited}")
