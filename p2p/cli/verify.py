"""`starling verify`: whether content on disk is what a torrent says, found out here or by a daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from p2p.cli.console import byte_progress, complain, say, say_json
from p2p.cli.remote import Daemon, takes_daemon_options
from p2p.cli.remote_names import Everything, complete_names, named
from p2p.cli.sources import read_torrent
from p2p.disk.refusals import printable
from p2p.quantities import count, format_ranges, format_size
from p2p.session.verify import FileState, verify

if TYPE_CHECKING:
    from p2p.cli.console import Json
    from p2p.daemon.client import Client
    from p2p.metainfo.metainfo import Metainfo
    from p2p.session.verify import FileReport, VerifyReport

_EXAMPLES: Final = """\b
Examples:
  starling verify debian.torrent ~/Downloads
  starling verify debian.torrent ~/Downloads/debian.iso --json
  starling verify debian
  starling verify --all --connect nas:9091
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", epilog=_EXAMPLES)(verify_command)


@takes_daemon_options
def verify_command(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TORRENT DIR | TORRENT...",
            help="A .torrent file and its content, or the folder that holds it; or torrents of a daemon.",
            show_default=False,
            autocompletion=complete_names,
        ),
    ] = None,
    *,
    everything: Everything = False,
    daemon: Daemon,
) -> int:
    """Check content on disk against its torrent, here or at a daemon.

    Given a .torrent file and a place, it names the files and pieces that do not match, and exits with status 1 if there
    are any; nothing is written. Given torrents of a daemon (ids, names, patterns), it lets the daemon check them.
    """
    words = what or []
    if len(words) == 2 and (words[0].endswith(".torrent") or Path(words[0]).is_file() or Path(words[1]).exists()):
        return _verify_here(Path(words[0]), Path(words[1]), as_json=daemon.as_json)
    if len(words) == 1 and words[0].endswith(".torrent") and Path(words[0]).is_file():
        raise typer.BadParameter(f"name the content of {words[0]} too, or the folder that holds it")

    async def verb(client: Client) -> None:
        from p2p.cli.remote_words import say_done  # noqa: PLC0415 - it knows what the client tells

        rows = await named(client, words, everything=everything)
        await client.verify([row.hash_string for row in rows])
        say_done("checking", rows, as_json=daemon.as_json)

    daemon.run(verb)
    return 0


def _verify_here(torrent: Path, path: Path, *, as_json: bool) -> int:
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
