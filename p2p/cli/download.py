"""`starling download`: fetches the content of torrents, and seeds it as long as asked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from p2p.cli import event_loop
from p2p.cli.options import AsJson, NetworkOptions, Recheck, SeedRatio, SeedTime, resolve_peers, takes_network_options
from p2p.cli.reporters import make_reporter
from p2p.cli.sources import read_source
from p2p.cli.stop_signals import StoppedError, StopSignals
from p2p.cli.transfers import Job, Outcome, Until, run_transfers
from p2p.metainfo.metainfo import Metainfo
from p2p.session.settings import TorrentOptions

_EXAMPLES: Final = """\b
Examples:
  starling download debian.torrent -o ~/Downloads
  starling download show.torrent --select '*.mkv' --seed-ratio 1.5
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("download", epilog=_EXAMPLES)(download_command)


@takes_network_options
def download_command(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Torrent files or magnet links.", show_default=False)
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The content goes to DIR/NAME.")
    ] = Path(),
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Fetch the files that match only, like '*.mkv'; may be given again."),
    ] = None,
    sequential: Annotated[bool, typer.Option("--sequential", help="Fetch pieces in order.")] = False,
    seed: Annotated[bool, typer.Option("--seed", help="Go on seeding until stopped.")] = False,
    seed_ratio: SeedRatio = None,
    seed_time: SeedTime = None,
    network: NetworkOptions,
    recheck: Recheck = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over files of the same names that hold other content.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Download torrents, and seed them as long as asked.

    What is there already is kept: a download that was stopped goes on where it was. Ctrl-C stops in good order.
    """
    seeding = seed or seed_ratio is not None or seed_time is not None

    async def transfer() -> Outcome:
        with StopSignals() as signals:
            try:
                async with signals.interrupting():
                    options = TorrentOptions(
                        select=tuple(select or ()),
                        sequential=sequential,
                        peers=await resolve_peers(network.peers, network.network()),
                        seed_ratio=seed_ratio,
                        seed_time=None if seed_time is None else 60 * seed_time,
                        recheck=recheck,
                        overwrite=overwrite,
                    )
                    jobs = [
                        Job(source, options, Path(text) if isinstance(source, Metainfo) else None)
                        for text, source in torrents
                    ]
            except StoppedError:
                return Outcome(failed=False, complete=False, stopped_by=signals.received)
            until = Until.STOPPED if seeding else Until.COMPLETE
            reporter = make_reporter(as_json=as_json, wall=time.time)  # noqa: TID251 - an entry point
            return await run_transfers(network.settings(download_dir=output), jobs, until, reporter, signals)

    torrents = [(text, read_source(text)) for text in sources]
    return event_loop.run(transfer()).status(long_running=False)
