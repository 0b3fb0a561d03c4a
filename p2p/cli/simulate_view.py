"""How a simulated swarm is shown: a bar on stderr while it runs, and tables on stdout at its end.

The rule: lines are for logs, bars for terminals, and nobody who asked for JSON gets either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from p2p.cli.simulate_progress import SimulationProgress
from p2p.quantities import format_rate, format_size
from p2p.simulation.swarm import SEEDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.simulation.plan import SwarmPlan
    from p2p.simulation.report import Completion, SwarmReport
    from p2p.simulation.sampling import Sample

PLAIN_WIDTH: Final = 140
"""Columns of a table that no terminal limits."""


class SwarmProgress(SimulationProgress):
    """Shows each sample that it is given."""

    def __init__(self, plan: SwarmPlan, *, quiet: bool, clock: Callable[[], float]) -> None:
        super().__init__("0 s of virtual time", quiet=quiet, clock=clock)
        self._plan = plan
        self._total = -(-plan.size // plan.piece_length) * plan.leechers

    def show(self, sample: Sample) -> None:
        """Take the latest look at the swarm."""
        words = f"{sample.time:,.0f} s of virtual time, {sample.done:,} of {self._plan.leechers:,} done"
        line = f"{words}, {100 * sample.pieces // self._total}% of all pieces"
        self.tell(words, sample.pieces, self._total, line=line)


def show_report(report: SwarmReport, seconds: float) -> None:
    """The tables of a run that took `seconds` of real time."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=PLAIN_WIDTH)
    plan = report.plan
    title = (
        f"{plan.seeders:,} seeding, {plan.leechers:,} leeching {format_size(plan.size)} "
        f"in pieces of {format_size(plan.piece_length)}, seed {plan.seed}"
    )
    console.print(Text(title, style="bold"))
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(report, seconds):
        facts.add_row(Text(name, style="dim"), Text(value))
    console.print(facts)
    console.print()
    console.print(_classes(report))


def _facts(report: SwarmReport, seconds: float) -> list[tuple[str, str]]:
    ratio = "-" if report.bound_ratio is None else f"{report.bound_ratio:.3f} times"
    first = report.seed_copies_first
    rows = [
        ("done", f"{report.completion.done:,} of {report.leechers:,}: {_completion(report.completion)}"),
        ("fluid bound", f"{report.bound:.1f} s; the last took {ratio} as long"),
        ("seed sent", f"{report.seed_copies:.2f} copies, {first:.2f} of them before the first leecher was done"),
        ("fairness", f"Jain's index {_figure(report.jain)}; upload and download ranks {_figure(report.spearman)}"),
        ("uplinks used", f"{_share(report.uplink_use)} until the first was done"),
        ("wasted", f"{format_size(report.wasted)} received twice, {format_size(report.corrupt)} bad"),
    ]
    if not report.correct:
        rows.append(("content", "NOT EQUAL to what was seeded"))
    rows.append(
        ("computed", f"{report.ended_at:,.1f} s in {seconds:,.1f} s, {report.events / seconds:,.0f} events a second")
    )
    return rows


def _classes(report: SwarmReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("leechers", overflow="fold", min_width=16)
    for name in ("peers", "done", "median", "p95", "last", "rate", "sent", "received", "of seeders", "back"):
        table.add_column(name, justify="right", no_wrap=True)
    for found in report.classes:
        done = found.completion
        table.add_row(
            found.name,
            f"{found.peers:,}",
            f"{done.done:,}",
            *(_seconds(value) for value in (done.median, done.p95, done.last)),
            "-" if found.rate is None else format_rate(found.rate),
            format_size(found.sent),
            format_size(found.received),
            format_size(found.received_from.get(SEEDERS, 0)),
            _figure(found.reciprocation),
        )
    return table


def _completion(completion: Completion) -> str:
    return f"median {_seconds(completion.median)}, p95 {_seconds(completion.p95)}, last {_seconds(completion.last)}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f}%"
