"""Line charts as SVG: panels below each other, on a light ground, with axes, ticks and a legend a panel.

The rule: text in, text out. Coordinates are rounded to a tenth of a pixel, so equal values draw equal files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLOURS: Final = ("#0b6e99", "#d1602b", "#3f8f4f", "#8a4fa3", "#b8860b", "#c2355f", "#4a5a6a", "#2aa198")
"""For lines in their order: dark enough on white, and told apart by those who see red and green alike."""

GREY: Final = "#767676"

WIDTH: Final = 860
PANEL_HEIGHT: Final = 250
_LEFT: Final = 76
_RIGHT: Final = 24
_HEAD: Final = 64
_PANEL_HEAD: Final = 52
_PANEL_FOOT: Final = 50
_LETTER: Final = 6.6
"""Pixels that a letter of a legend takes, about."""

_FONT: Final = "font-family='DejaVu Sans, Verdana, Helvetica, Arial, sans-serif'"
_LEAST: Final = 1e-9
"""What is less counts as nothing."""

MOST_POINTS: Final = 1_200
"""Of a line: more than there are pixels for only make the file larger."""


class Scale(Enum):
    """How values become places on an axis."""

    LINEAR = "linear"
    LOG = "log"
    """Powers of ten evenly; values above 0."""


@dataclass(frozen=True, slots=True)
class Line:
    """Points (x, y) by rising x. `dashed` is for what is no measurement."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    dashed: bool = False
    dots: bool = False
    """A dot at each point, for few points."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An upright line at `x`, with a word on it."""

    x: float
    name: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    y_most: float | None = None
    """Where the y axis ends; None for where the values do."""

    x_scale: Scale = Scale.LINEAR
    y_scale: Scale = Scale.LINEAR


def draw(title: str, subtitle: str, panels: Sequence[Panel]) -> str:
    """An SVG document."""
    height = _HEAD + len(panels) * PANEL_HEIGHT + 12
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}'>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(_LEFT, 28, title, size=17, weight="bold"),
        _text(_LEFT, 48, subtitle, size=12, colour=GREY),
    ]
    for index, panel in enumerate(panels):
        parts += _panel(panel, _HEAD + index * PANEL_HEIGHT)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, top: float) -> list[str]:
    left, right = _LEFT, WIDTH - _RIGHT
    upper, lower = top + _PANEL_HEAD, top + PANEL_HEIGHT - _PANEL_FOOT
    xs = [x for line in panel.lines for x, _ in line.points] + [mark.x for mark in panel.marks]
    ys = [y for line in panel.lines for _, y in line.points]
    if panel.y_most is not None:
        ys.append(panel.y_most)
    x_axis, y_axis = _Axis(xs, panel.x_scale, left, right), _Axis(ys, panel.y_scale, lower, upper)
    parts = [_text(left, top + 16, panel.title, size=13, weight="bold")]
    for tick in y_axis.ticks:
        y = y_axis.place(tick)
        parts.append(f"<line x1='{left}' x2='{right}' y1='{y:.1f}' y2='{y:.1f}' stroke='#e4e4e4'/>")
        parts.append(_text(left - 8, y + 4, _number(tick), size=11, colour="#444444", anchor="end"))
    for tick in x_axis.ticks:
        x = x_axis.place(tick)
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{lower}' y2='{lower + 5}' stroke='#444444'/>")
        parts.append(_text(x, lower + 18, _number(tick), size=11, colour="#444444", anchor="middle"))
    parts.append(f"<line x1='{left}' x2='{right}' y1='{lower}' y2='{lower}' stroke='#444444'/>")
    parts.append(_text((left + right) / 2, lower + 35, panel.x_label, size=11, colour="#444444", anchor="middle"))
    middle = (upper + lower) / 2
    parts.append(
        f"<text x='18' y='{middle:.1f}' transform='rotate(-90 18 {middle:.1f})' text-anchor='middle' "
        f"font-size='11' fill='#444444' {_FONT}>{escape(panel.y_label)}</text>"
    )
    for mark in panel.marks:
        x = x_axis.place(mark.x)
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{upper}' y2='{lower}' stroke='{GREY}' stroke-dasharray='2 3'/>"
        )
        fits = x + 4 + _LETTER * len(mark.name) < right
        anchor, at = ("start", x + 4) if fits else ("end", x - 4)
        parts.append(_text(at, upper + 10, mark.name, size=10, colour=GREY, anchor=anchor))
    for line in panel.lines:
        parts += _drawn(line, x_axis.place, y_axis.place)
    return parts + _legend(panel.lines, left, top + 34)


def _drawn(line: Line, x_of: Callable[[float], float], y_of: Callable[[float], float]) -> list[str]:
    if not line.points:
        return []
    step = max(1, math.ceil(len(line.points) / MOST_POINTS))
    points = [*line.points[:-1:step], line.points[-1]]
    path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
    dashes = " stroke-dasharray='5 4'" if line.dashed else ""
    width = 1.4 if line.dashed else 2
    stroke = f"stroke='{line.colour}' stroke-width='{width}' stroke-linejoin='round'{dashes}"
    parts = [f"<polyline points='{path}' fill='none' {stroke}/>"]
    if line.dots:
        parts += [f"<circle cx='{x_of(x):.1f}' cy='{y_of(y):.1f}' r='3.2' fill='{line.colour}'/>" for x, y in points]
    return parts


def _legend(lines: Sequence[Line], left: float, y: float) -> list[str]:
    parts = []
    x = left
    for line in lines:
        dashes = " stroke-dasharray='5 4'" if line.dashed else ""
        parts.append(
            f"<line x1='{x:.1f}' x2='{x + 20:.1f}' y1='{y - 4}' y2='{y - 4}' stroke='{line.colour}' "
            f"stroke-width='3'{dashes}/>"
        )
        parts.append(_text(x + 26, y, line.name, size=11, colour="#222222"))
        x += 26 + _LETTER * len(line.name) + 18
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int,
    colour: str = "#111111",
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' text-anchor='{anchor}' "
        f"font-weight='{weight}' {_FONT}>{escape(text)}</text>"
    )


class _Axis:
    """Places of values between two pixels; from 0 on where linear."""

    def __init__(self, values: Sequence[float], scale: Scale, begin: float, end: float) -> None:
        self._begin = begin
        self._end = end
        self._scale = scale
        most = max((value for value in values if value > _LEAST), default=1.0)
        if scale is Scale.LOG:
            least = min((value for value in values if value > _LEAST), default=0.1)
            low = math.floor(math.log10(least))
            high = max(math.ceil(math.log10(max(most, least))), low + 1)
            self._low, self._high = float(low), float(high)
            self.ticks = [10.0**power for power in range(low, high + 1)]
            return
        step = _step(most)
        count = max(1, math.ceil(most / step - 1e-9))
        self._low, self._high = 0.0, count * step
        self.ticks = [step * index for index in range(count + 1)]

    def place(self, value: float) -> float:
        if self._scale is Scale.LOG:
            value = math.log10(max(value, 10.0**self._low))
        share = (value - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)


def _step(most: float) -> float:
    """The distance of ticks from 0 to `most`: 1, 2 or 5 times a power of ten, for five to ten of them."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0) if most / (power * factor) <= 10.0)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.6g}"
