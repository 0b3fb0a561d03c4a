"""Plots of simulated DHTs: how soon searches find peers, over all and over time, and how costs grow with size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.simulation.plot import COLOURS, Line, Panel, Scale, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from p2p.simulation.dht_plan import DhtPlan
    from p2p.simulation.dht_report import DhtReport, Outcome, Spread

SPANS: Final = 20
"""Points of a line over time."""
SHOWN: Final = 0.99
"""Share of searches that a distribution's axis has room for: the last few take many times longer."""


def plot_dht(report: DhtReport) -> str:
    """One run, as SVG: the shares of searches by time and by queries, and what was found over time."""
    outcomes = report.outcomes
    first = sorted(1_000 * each.first for each in outcomes if each.first is not None)
    whole = sorted(1_000 * each.took for each in outcomes if each.took is not None)
    queries = sorted(float(each.asked) for each in outcomes)
    panels = [
        Panel(
            "How soon searches get there",
            "milliseconds of virtual time",
            "% of searches",
            [
                Line("first peers", _shares(first, len(outcomes)), COLOURS[0]),
                Line("search over", _shares(whole, len(outcomes)), COLOURS[1]),
            ],
            y_most=100,
        ),
        Panel(
            "What they cost",
            "queries sent",
            "% of searches",
            [Line("queries", _shares(queries, len(outcomes)), COLOURS[2])],
            y_most=100,
        ),
        Panel(
            "Peers found over time",
            "seconds of virtual time",
            "% of searches",
            [Line("found", _over_time(outcomes), COLOURS[3], dots=True)],
            y_most=100,
        ),
    ]
    return draw("Searches in a simulated DHT", subtitle(report.plan), panels)


def plot_sizes(reports: Sequence[DhtReport]) -> str:
    """Runs of networks of several sizes, as SVG: times, hops and messages, memory and wall time by number of nodes."""

    def line(name: str, value: Callable[[DhtReport], float | None], colour: int, factor: float = 1.0) -> Line:
        told = [(float(report.plan.nodes), value(report)) for report in reports]
        points = [(nodes, factor * found) for nodes, found in told if found is not None]
        return Line(name, points, COLOURS[colour], dots=True)

    def panel(title: str, y_label: str, lines: Sequence[Line]) -> Panel:
        return Panel(title, "nodes", y_label, lines, x_scale=Scale.LOG)

    panels = [
        panel(
            "Time to the first peers",
            "milliseconds",
            [
                line("median", lambda each: None if each.first_peers is None else each.first_peers.median, 0, 1_000),
                line("p95", lambda each: None if each.first_peers is None else each.first_peers.p95, 1, 1_000),
            ],
        ),
        panel("Hops to the first peers", "hops", [line("mean", lambda each: _mean(each.hops), 2)]),
        panel(
            "Messages of a search",
            "datagrams",
            [
                line("queries", lambda each: _mean(each.queries), 3),
                line("queries and answers", lambda each: _mean(each.messages), 4),
            ],
        ),
        panel("Memory of a node", "KiB", [line("each node made", lambda each: each.memory, 5, 1 / 1_024)]),
        panel("Wall time", "seconds", [line("building and running", lambda each: each.build_time + each.wall_time, 6)]),
    ]
    return draw("A simulated DHT by its size", subtitle(reports[0].plan, size=False), panels)


def subtitle(plan: DhtPlan, *, size: bool = True) -> str:
    """What a plan is about, in a line."""
    parts = [f"{plan.nodes:,} nodes"] if size else []
    parts.append(f"median round trip {1_000 * plan.rtt:g} ms")
    if plan.dead_share:
        parts.append(f"{100 * plan.dead_share:g}% of entries dead")
    if plan.nat_share:
        parts.append(f"{100 * plan.nat_share:g}% behind NAT")
    if plan.lifetime is not None:
        parts.append(f"median lifetime {plan.lifetime / 60:g} min")
    if plan.attackers:
        parts.append(f"{plan.attackers} attackers a key")
    return ", ".join([*parts, f"seed {plan.seed}"])


def _mean(spread: Spread | None) -> float | None:
    return None if spread is None else spread.mean


def _shares(ordered: Sequence[float], of: int) -> list[tuple[float, float]]:
    """How much of all `of` lie at a value or below, in per cent."""
    points = [(value, 100 * (index + 1) / of) for index, value in enumerate(ordered)]
    return [(0.0, 0.0), *points[: max(round(SHOWN * len(points)), 1)]]


def _over_time(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """The share of searches that found peers, in so many spans of time."""
    if not outcomes:
        return []
    first, last = outcomes[0].began, outcomes[-1].began
    span = max(last - first, 1e-9) / SPANS
    points = []
    for index in range(SPANS):
        begin = first + index * span
        within = [each for each in outcomes if begin <= each.began <= begin + span]
        if within:
            share = sum(each.first is not None for each in within) / len(within)
            points.append((begin + span / 2, 100 * share))
    return points
