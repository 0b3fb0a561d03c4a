"""The picture of a simulated swarm: who is done when, how the uplinks are used, how many copies there are."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from p2p.quantities import format_size
from p2p.simulation.plot import COLOURS, GREY, Line, Mark, Panel, draw
from p2p.simulation.swarm import SEEDERS

if TYPE_CHECKING:
    from p2p.simulation.report import SwarmReport

MIB = 1 << 20


def plot_swarm(report: SwarmReport) -> str:
    """An SVG document."""
    plan = report.plan
    seeders = "1 seeder" if plan.seeders == 1 else f"{plan.seeders:,} seeders"
    title = f"{seeders}, {plan.leechers:,} leechers, {format_size(plan.size)}"
    ratio = "not all done" if report.bound_ratio is None else f"last {report.bound_ratio:.2f} times the fluid bound"
    subtitle = f"{ratio}; {report.seed_copies:.2f} copies sent by the seeders; seed {plan.seed}"
    return draw(title, subtitle, [_completion(report), _rates(report), _availability(report)])


def _completion(report: SwarmReport) -> Panel:
    end = report.ended_at
    lines = []
    for colour, found in zip(COLOURS * len(report.classes), report.classes, strict=False):
        times = sorted(found.done_at)
        points = [(0.0, 0.0)]
        for time in times:
            share = 100 * bisect_right(times, time) / found.peers
            points += [(time, points[-1][1]), (time, share)]
        points.append((end, points[-1][1]))
        lines.append(Line(f"{found.name} ({found.peers:,})", points, colour))
    mark = Mark(report.bound, "fluid bound")
    return Panel("Leechers that are done", "seconds", "per cent", lines, (mark,), y_most=100.0)


def _rates(report: SwarmReport) -> Panel:
    lines = []
    peers = {found.name: found.peers for found in report.classes} | {SEEDERS: report.plan.seeders}
    for colour, name in zip((*COLOURS[: len(report.classes)], GREY), peers, strict=False):
        points = [(sample.time, sample.up.get(name, 0.0) / peers[name] / MIB) for sample in report.samples[1:]]
        lines.append(Line(name, points, colour, dashed=name == SEEDERS))
    return Panel("Upload of a peer, mean of its class", "seconds", "MiB/s", lines)


def _availability(report: SwarmReport) -> Panel:
    least = [(sample.time, sample.copies) for sample in report.samples]
    mean = [(sample.time, sample.mean_copies) for sample in report.samples]
    lines = [Line("mean of all pieces", mean, COLOURS[0]), Line("rarest piece", least, COLOURS[1])]
    return Panel("Copies among the leechers", "seconds", "copies", lines)
