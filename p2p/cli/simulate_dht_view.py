"""How a simulated DHT is shown: a bar on stderr while it runs, and tables on stdout at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from p2p.cli.simulate_progress import SimulationProgress
from p2p.quantities import count, format_duration, format_rate, format_size
from p2p.simulation.dht_plan import Origin
from p2p.simulation.dht_plot import subtitle

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.simulation.dht_report import DhtReport, Spread

PLAIN_WIDTH: Final = 120
"""Columns of a table that no terminal limits."""

_MILLISECONDS: Final = 1_000


class DhtProgress(SimulationProgress):
    """Shows how much of the virtual time has passed."""

    def __init__(self, *, quiet: bool, clock: Callable[[], float]) -> None:
        super().__init__("building tables", quiet=quiet, clock=clock)

    def show(self, now: float, end: float) -> None:
        """`now` of `end` virtual seconds have passed."""
        self.tell(f"{format_duration(now)} of {format_duration(end)} of virtual time", now, end)


def show_dht_report(report: DhtReport) -> None:
    """The tables of a run."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=PLAIN_WIDTH)
    console.print(Text(subtitle(report.plan), style="bold"))
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(report):
        facts.add_row(Text(name, style="dim"), Text(value))
    console.print(facts)
    console.print()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("a search", no_wrap=True)
    for name in ("median", "mean", "p95", "most"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, spread, shown in (
        ("first peers after", report.first_peers, _time),
        ("over after", report.whole, _time),
        ("hops to first peers", report.hops, _number),
        ("queries", report.queries, _number),
        ("queries and answers", report.messages, _number),
    ):
        table.add_row(name, *_cells(spread, shown))
    console.print(table)


def _facts(report: DhtReport) -> list[tuple[str, str]]:
    plan = report.plan
    success = "-" if report.success is None else f"{100 * report.success:.1f}%"
    joined = "joined one after the other" if plan.origin is Origin.JOINED else "built as it has grown"
    rows = [
        ("found", f"{report.found:,} of {report.searches:,} searches found peers: {success}"),
        ("announced", f"{count(report.announces, 'time')}, to {report.announced_to:.1f} nodes each"),
        ("network", f"{joined}; {count(report.departed, 'node')} went, {report.joined:,} came"),
        ("tables", f"{report.contacts:.0f} contacts, {100 * report.unreachable:.0f}% of them cannot be reached"),
    ]
    if plan.upkeep:
        most = format_rate(report.bytes_most)
        rows.append(("traffic", f"{format_rate(report.bytes_per_second)} a node, both ways; {most} the busiest"))
    if report.memory is not None:
        size = format_size(report.memory)
        rows.append(("memory", f"{size} for each of {count(report.made, 'node')} that took part"))
    seconds = report.build_time + report.wall_time
    speed = f"{report.events_per_second:,.0f} events a second"
    rows.append(("computed", f"{format_duration(report.virtual_time)} in {seconds:,.1f} s, {speed}"))
    return rows


def _cells(spread: Spread | None, shown: Callable[[float], str]) -> list[str]:
    if spread is None:
        return ["-"] * 4
    return [shown(value) for value in (spread.median, spread.mean, spread.p95, spread.most)]


def _time(seconds: float) -> str:
    return f"{_MILLISECONDS * seconds:,.0f} ms"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
