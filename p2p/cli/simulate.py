"""`starling simulate`: swarms and DHTs in virtual time, by the production code.

The rule: what is printed follows from the options, `--seed` included, but for how long the computer took. Numbers that
a shell may use come with `--json`; a table is for people.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from p2p.cli.console import complain, say_json
from p2p.cli.event_loop import GC_THRESHOLD
from p2p.cli.quantities import parse_rate, parse_size
from p2p.cli.simulate_dht import EXAMPLES as DHT_EXAMPLES
from p2p.cli.simulate_dht import dht_command
from p2p.cli.simulate_plot import parse_plot, write_plot
from p2p.cli.simulate_view import SwarmProgress, show_report
from p2p.simulation.behaviours import BEHAVIOURS
from p2p.simulation.errors import SimulationError
from p2p.simulation.plan import MOST_PEERS, Arrivals, BehaviourMix, RateMix, RoundTrips, SwarmPlan
from p2p.simulation.report import report_on
from p2p.simulation.swarm import run_swarm
from p2p.simulation.swarm_plot import plot_swarm
from p2p.simulation.virtual_loop import run
from p2p.swarm.choking import DEFAULT, POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.cli.console import Json

T = TypeVar("T")

_EXAMPLES: Final = """\b
Examples:
  starling simulate swarm --leechers 30 --size 16MiB
  starling simulate dht --nodes 1000
"""
_SWARM_EXAMPLES: Final = """\b
Examples:
  starling simulate swarm --leechers 30 --size 16MiB --seed 1
  starling simulate swarm --up 10%:10MiB/s,90%:512KiB/s --plot swarm.svg
  starling simulate swarm --leechers 100 --arrivals poisson:2 --json
  starling simulate swarm --behaviours 30%:free-rider --choker proportional
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Run a whole swarm or DHT in virtual time on this computer.", epilog=_EXAMPLES, rich_markup_mode=None
    )
    group.callback()(_group)
    group.command("swarm", epilog=_SWARM_EXAMPLES)(swarm_command)
    group.command("dht", epilog=DHT_EXAMPLES)(dht_command)
    app.add_typer(group, name="simulate")


def _group() -> None:
    """Run a whole swarm or DHT in virtual time on this computer."""


def _by(parse: Callable[[str], T]) -> Callable[[str], T]:
    """The parser with its complaint as a usage error."""

    def parse_option(text: str) -> T:
        try:
            return parse(text)
        except SimulationError as error:
            raise typer.BadParameter(str(error)) from error

    return parse_option


Count = Annotated[int, typer.Option("--leechers", metavar="N", min=1, max=MOST_PEERS, help="Peers that download.")]
Seeders = Annotated[int, typer.Option("--seeders", metavar="N", min=1, max=MOST_PEERS, help="Peers that have it all.")]
Up = Annotated[
    RateMix | None,
    typer.Option(
        "--up",
        metavar="RATE|MIX",
        parser=_by(RateMix.parse),
        help="Uplink of each leecher, or shares of them as 10%:10MiB/s,90%:1MiB/s (default: 1MiB/s).",
    ),
]
Down = Annotated[
    RateMix | None,
    typer.Option("--down", metavar="RATE|MIX", parser=_by(RateMix.parse), help="Downlinks (default: 10MiB/s)."),
]
SeedUp = Annotated[
    int | None,
    typer.Option("--seed-up", metavar="RATE", parser=parse_rate, help="Uplink of a seeder (default: 1MiB/s)."),
]
Size = Annotated[
    int | None, typer.Option("--size", metavar="SIZE", parser=parse_size, help="Content (default: 16MiB).")
]
PieceLength = Annotated[
    int | None, typer.Option("--piece-length", metavar="SIZE", parser=parse_size, help="Pieces (default: 256KiB).")
]
Rtt = Annotated[
    RoundTrips | None,
    typer.Option(
        "--rtt", metavar="MS[-MS]", parser=_by(RoundTrips.parse), help="Round trips between peers (default: 20-80)."
    ),
]
Come = Annotated[
    Arrivals | None,
    typer.Option(
        "--arrivals",
        metavar="HOW",
        parser=_by(Arrivals.parse),
        help="flash, over:SECONDS or poisson:LEECHERS_A_SECOND (default: flash).",
    ),
]
Behaviours = Annotated[
    BehaviourMix | None,
    typer.Option(
        "--behaviours",
        metavar="MIX",
        parser=_by(BehaviourMix.parse),
        help=f"Shares of leechers that misbehave, as 30%:NAME; names: {', '.join(BEHAVIOURS)}.",
    ),
]
Policy = Annotated[
    str,
    typer.Option("--choker", metavar="NAME", help=f"Choking policy of all others: {', '.join(POLICIES)}."),
]
SeedLeaves = Annotated[
    float | None, typer.Option("--seed-leaves-after", metavar="SECONDS", min=0, help="Let the seeders go.")
]
Leave = Annotated[
    float | None, typer.Option("--leave-after", metavar="SECONDS", min=0, help="Let leechers go so long after the end.")
]
Within = Annotated[float, typer.Option("--within", metavar="SECONDS", min=1, help="Virtual time at the most.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Where all chance comes from.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", parser=parse_plot, help="Draw what happened, as .svg or .png."),
]


def swarm_command(
    *,
    seeders: Seeders = 1,
    leechers: Count = 30,
    up: Up = None,
    down: Down = None,
    seed_up: SeedUp = None,
    size: Size = None,
    piece_length: PieceLength = None,
    rtt: Rtt = None,
    arrivals: Come = None,
    behaviours: Behaviours = None,
    choker: Policy = DEFAULT,
    seed_leaves_after: SeedLeaves = None,
    leave_after: Leave = None,
    within: Within = 3_600.0,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Let a swarm share in virtual time: how soon all are done, who gave what to whom, and how near that is to the
    best that their links allow.

    The same seed and options give the same swarm on any computer. Status 1 if a leecher is not done in the end.
    """
    plan = SwarmPlan(
        seed=seed,
        seeders=seeders,
        leechers=leechers,
        size=size if size is not None else 16 << 20,
        piece_length=piece_length or 256 << 10,
        up=up or RateMix.of(1 << 20),
        down=down or RateMix.of(10 << 20),
        seed_up=seed_up or 1 << 20,
        rtt=rtt or RoundTrips(0.020, 0.080),
        arrivals=arrivals or Arrivals(),
        behaviours=behaviours or BehaviourMix(),
        choker=choker,
        seed_leaves_after=seed_leaves_after,
        leave_after=leave_after,
        give_up_after=within,
    )
    begun = time.perf_counter()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    with SwarmProgress(plan, quiet=as_json, clock=time.perf_counter) as progress:
        report = report_on(run(run_swarm(plan, on_sample=progress.show)))
    seconds = time.perf_counter() - begun
    if plot is not None:
        write_plot(plot, plot_swarm(report))
    if as_json:
        real: Json = {
            "seconds": seconds,
            "events_per_second": report.events / seconds,
            "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1_024),
        }
        say_json({**report.to_json(), "real": real})
    else:
        show_report(report, seconds)
    left = report.leechers - report.completion.done
    if left:
        complain(f"{left:,} of {report.leechers:,} leechers are not done after {report.ended_at:,.0f} s")
    return 1 if left else 0
