"""`starling simulate dht`: thousands of production DHT nodes in virtual time.

The rule: what is printed follows from the options, `--seed` included, but for how long the computer took and how much
memory.
"""

from __future__ import annotations

import gc
import re
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from p2p.cli.console import complain, say_json
from p2p.cli.event_loop import GC_THRESHOLD
from p2p.cli.simulate_dht_view import DhtProgress, show_dht_report
from p2p.cli.simulate_plot import parse_plot, write_plot
from p2p.disk.refusals import printable
from p2p.simulation.dht_plan import MOST_NODES, MOST_SEARCHES, DhtPlan, Origin, Refusal
from p2p.simulation.dht_plot import plot_dht
from p2p.simulation.dht_scenario import DhtScenario

EXAMPLES: Final = """\b
Examples:
  starling simulate dht --nodes 1000
  starling simulate dht --nodes 10000 --dead 20% --nat 30% --at-rest
  starling simulate dht --nodes 300 --searches 1000 --plot dht.svg
  starling simulate dht --nodes 500 --lifetime 60m --over 2h --json
  starling simulate dht --nodes 300 --joined --attackers 8
"""

_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%")
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(ms|s|m|h)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}


def parse_share(text: str) -> float:
    """0 to 1 out of `20%`. A usage error for anything else."""
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:
        raise typer.BadParameter(f"{printable(text)!r} is no share: write it like 20%")
    return float(found[1]) / 100


def parse_time(text: str) -> float:
    """Seconds out of `90ms`, `90s`, `60m` or `2h`. A usage error for anything else."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{printable(text)!r} is no time: write it like 90ms, 90s, 60m or 2h")
    return float(found[1]) * _UNITS[found[2] or "s"]


Nodes = Annotated[int, typer.Option("--nodes", metavar="N", min=2, max=MOST_NODES, help="Nodes that are there.")]
Torrents = Annotated[
    int, typer.Option("--torrents", metavar="N", min=1, max=MOST_SEARCHES, help="Torrents that are announced.")
]
Announcers = Annotated[int, typer.Option("--announcers", metavar="N", min=1, help="Nodes that announce each.")]
Searches = Annotated[
    int, typer.Option("--searches", metavar="N", min=0, max=MOST_SEARCHES, help="Searches for peers, by chance.")
]
Over = Annotated[str, typer.Option("--over", metavar="TIME", help="How long searches go on, as 90s or 6h.")]
Rtt = Annotated[str, typer.Option("--rtt", metavar="TIME", help="The median round trip of two nodes.")]
Spread = Annotated[
    float, typer.Option("--rtt-spread", metavar="S", min=0, max=2, help="Deviation of its natural logarithm.")
]
Loss = Annotated[str, typer.Option("--loss", metavar="SHARE", help="Datagrams that are lost.")]
Dead = Annotated[str, typer.Option("--dead", metavar="SHARE", help="Entries of built tables whose node has gone.")]
Nat = Annotated[str, typer.Option("--nat", metavar="SHARE", help="Nodes that strangers cannot reach.")]
Lifetime = Annotated[
    str | None,
    typer.Option(
        "--lifetime",
        metavar="TIME",
        help="The median after which a node goes and another comes, as 60m (default: all stay).",
    ),
]
Attackers = Annotated[
    int,
    typer.Option("--attackers", metavar="N", min=0, max=1_000, help="Hostile nodes beside each torrent's key."),
]
Attack = Annotated[Refusal, typer.Option("--attack", help="What they answer who looks for it.")]
Joined = Annotated[
    bool, typer.Option("--joined", help="Let node after node join, instead of building the tables of a grown network.")
]
AtRest = Annotated[
    bool, typer.Option("--at-rest", help="Let nodes only answer, not look after their tables: for very large networks.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Where all chance comes from.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", parser=parse_plot, help="Draw the searches, as .svg or .png."),
]


def dht_command(
    *,
    nodes: Nodes = 1_000,
    torrents: Torrents = 100,
    announcers: Announcers = 1,
    searches: Searches = 200,
    over: Over = "60s",
    rtt: Rtt = "90ms",
    rtt_spread: Spread = 0.6,
    loss: Loss = "1%",
    dead: Dead = "0%",
    nat: Nat = "0%",
    lifetime: Lifetime = None,
    attackers: Attackers = 0,
    attack: Attack = Refusal.FALSE_NODES,
    joined: Joined = False,
    at_rest: AtRest = False,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> int:
    """Search for peers in a DHT of many nodes in virtual time: how soon they are found, how often, and what it costs.

    The same seed and options give the same searches on any computer. Status 1 if none found peers.
    """
    plan = DhtPlan(
        seed=seed,
        nodes=nodes,
        origin=Origin.JOINED if joined else Origin.BUILT,
        rtt=parse_time(rtt),
        rtt_spread=rtt_spread,
        loss=parse_share(loss),
        dead_share=parse_share(dead),
        nat_share=parse_share(nat),
        lifetime=None if lifetime is None else parse_time(lifetime),
        attackers=attackers,
        attack=attack,
        torrents=torrents,
        announcers=announcers,
        searches=searches,
        over=parse_time(over),
        upkeep=not at_rest,
    )
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    with DhtProgress(quiet=as_json, clock=time.perf_counter) as progress:
        report = DhtScenario(plan, time.perf_counter).run(progress.show)
    if plot is not None:
        write_plot(plot, plot_dht(report))
    if as_json:
        say_json(report.to_json())
    else:
        show_dht_report(report)
    if report.searches and not report.found:
        complain(f"none of {report.searches:,} searches has found a peer")
        return 1
    return 0
