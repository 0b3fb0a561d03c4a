"""`starling verify`: whether content on disk is what a torrent says."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import byte_progress, complain, count, format_ranges, format_size, say, say_json
from p2p.cli.sources import read_torrent
from p2p.disk.refusals import printable
from p2p.session.verify import FileState, verify

if TYPE_CHECKING:
    from p2p.cli.console import Json
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.verify import FileReport, VerifyReport

_EXAMPLES: Final = """\b
Examples:
  starling verify debian.torrent ~/Downloads
  starling verify debian.torrent ~/Downloads/debian.iso --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", epilog=_EXAMPLES)(verify_command)


def verify_command(
    torrent: Annotated[Path, typer.Argument(metavar="TORRENT", help="The .torrent file.", show_default=False)],
    path: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The content, or the folder that holds it.", show_default=False),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Check content on disk against its torrent.

    Names the files and pieces that do not match, and exits with status 1 if there are any. Nothing is written.
    """
    metainfo = read_torrent(torrent)
    report = asyncio.run(_verify(metainfo, path, quiet=as_json))
    if as_json:
        say_json(_report_json(metainfo, report))
    else:
        _say_report(metainfo, report)
    if report.whole:
        return 0
    wrong = sum(file.state is not FileState.GOOD for file in report.files)
    complain(f"{wrong:,} of {count(len(report.files), 'file')} not as the torrent says")
    return 1


async def _verify(metainfo: Metainfo, path: Path, *, quiet: bool) -> VerifyReport:
    with byte_progress("checking", quiet=quiet) as show:
        return await verify(metainfo, path, progress=show)


def _say_report(metainfo: Metainfo, report: VerifyReport) -> None:
    for file in report.files:
        if file.state is not FileState.GOOD:
            say(f"{file.state.value:<9}  {printable(_below(report, file))}{_reason(file)}")
    size = format_size(metainfo.total_size)
    say(f"{report.good_count:,} of {count(report.piece_count, 'piece')} good ({printable(metainfo.name)}, {size})")


def _below(report: VerifyReport, file: FileReport) -> str:
    return str(file.path.relative_to(report.target))


def _reason(file: FileReport) -> str:
    if file.state is FileState.MISSING:
        return ""
    parts = []
    if file.size is not None and file.size != file.length:
        parts.append(f"{file.size:,} bytes instead of {file.length:,}")
    if file.bad:
        parts.append(f"{'piece' if len(file.bad) == 1 else 'pieces'} {format_ranges(file.bad)}")
    if file.state is FileState.UNCHECKED:
        parts.append("shares pieces with a file that is not whole")
    return ": " + "; ".join(parts)


def _report_json(metainfo: Metainfo, report: VerifyReport) -> dict[str, Json]:
    return {
        "name": metainfo.name,
        "whole": report.whole,
        "piece_count": report.piece_count,
        "good_count": report.good_count,
        "bad_pieces": list(report.bad),
        "missing_pieces": list(report.missing),
        "files": [
            {
                "path": _below(report, file),
                "length": file.length,
                "size": file.size,
                "state": file.state.value,
                "bad_pieces": list(file.bad),
            }
            for file in report.files
        ],
    }
