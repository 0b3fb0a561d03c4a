"""A screen of the interface as an SVG picture: the same screen gives the same text, and nothing is fetched to show it.

Colours are written as they are, runs of cells one element each, blocks of graphs as rectangles, so that no font decides
how they join. The text is in whatever monospace font the viewer has, stretched to the cells.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from itertools import groupby

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style
from rich.terminal_theme import TerminalTheme

CELL, LINE, FONT = 9, 18, 15
BASELINE = 13.5

PALETTE = TerminalTheme(
    (12, 12, 12),
    (204, 204, 204),
    [(0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)],
    [
        (85, 85, 85),
        (255, 85, 85),
        (85, 255, 85),
        (255, 255, 85),
        (85, 85, 255),
        (255, 85, 255),
        (85, 255, 255),
        (255, 255, 255),
    ],
)
"""The sixteen colours of a Linux console, for what names one of them."""

_FONT = (
    f"text{{font:{FONT}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}}"
    "rect{shape-rendering:crispEdges}"
)
_EIGHTHS = "▁▂▃▄▅▆▇█"
_WORDS = re.compile(r"\S+(?: \S+)*")
"""What stands between two blanks or more."""


def lines_of(app):
    """The screen, with what is seen of screens below it: each line as (text, style) runs."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    return [
        [(segment.text, segment.style or Style()) for strip in line for segment in strip if not segment.control]
        for line in update.strips
    ]


def text_of(app):
    """The screen as a person reads it."""
    return "\n".join("".join(text for text, _ in line) for line in lines_of(app))


def picture(lines, width, title="", colours=ColorSystem.TRUECOLOR):
    """`lines` as `lines_of` tells them, in the colours that a terminal of that system has."""
    classes = {}
    ground, marks, words = [], [], []
    for y, line in enumerate(lines):
        x = 0
        seen = [each for each in line if each[0]]
        for (front, back, decoration), run in groupby(seen, lambda each, system=colours: look_of(each[1], system)):
            text = "".join(text for text, _ in run)
            cells = cell_len(text)
            if back != PALETTE.background_color.hex:
                ground.append(
                    f'<rect x="{x * CELL}" y="{y * LINE}" width="{cells * CELL}" height="{LINE}" fill="{back}"/>'
                )
            _draw(text, x, y, classes.setdefault((front, decoration), f"c{len(classes)}"), marks, words)
            x += cells
    styles = "".join(f".{name}{{fill:{front}{decoration}}}" for (front, decoration), name in classes.items())
    outer = f'width="{width * CELL + 16}" height="{len(lines) * LINE + 16}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {width * CELL + 16} {len(lines) * LINE + 16}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_FONT}{styles}</style>",
            f'<rect x="-8" y="-8" {outer} rx="6" fill="{PALETTE.background_color.hex}"/>',
            *ground,
            *marks,
            *words,
            "</svg>",
            "",
        ]
    )


def _cells(line):
    """Characters one by one, with what stands on the one before them."""
    for text, style in line:
        cluster = ""
        for character in text:
            if cluster and cell_len(character) > 0:
                yield cluster, style
                cluster = ""
            cluster += character
        if cluster:
            yield cluster, style


@lru_cache(maxsize=4_096)
def look_of(style, system):
    """Colours in hex, and the rest of the style as CSS."""
    front, back = style.color, style.bgcolor
    if front is not None and not front.is_default:
        front = front.downgrade(system)
    if back is not None and not back.is_default:
        back = back.downgrade(system)
    ink = PALETTE.foreground_color if front is None else front.get_truecolor(PALETTE, foreground=True)
    paper = PALETTE.background_color if back is None else back.get_truecolor(PALETTE, foreground=False)
    if style.reverse:
        ink, paper = paper, ink
    decoration = ";font-weight:bold" if style.bold else ""
    decoration += ";font-style:italic" if style.italic else ""
    decoration += ";text-decoration:underline" if style.underline else ""
    decoration += ";opacity:.6" if style.dim else ""
    return ink.hex, paper.hex, decoration


def _draw(text, x, y, name, marks, words):
    """Blocks as rectangles, blanks not at all, and words; a wide character by itself, so that it stays in its cells."""
    if text.isascii():
        words += [_word(found.group(), x + found.start(), y, name) for found in _WORDS.finditer(text)]
        return
    for kind, run in groupby(_placed(text, x), lambda each: _kind(each[0])):
        placed = list(run)
        if kind == "word":
            start, shown = placed[0][1], "".join(each for each, _, _ in placed)
            for found in _WORDS.finditer(shown):
                at = start + cell_len(shown[: found.start()])
                words.append(_word(found.group(), at, y, name))
        elif kind == "wide":
            words += [_word(character, at, y, name) for character, at, _ in placed]
        else:
            height = LINE * (_EIGHTHS.index(kind) + 1) / 8
            marks.append(
                f'<rect class="{name}" x="{placed[0][1] * CELL}" y="{(y + 1) * LINE - height:g}" '
                f'width="{len(placed) * CELL}" height="{height:g}"/>'
            )


def _word(text, x, y, name):
    return (
        f'<text class="{name}" x="{x * CELL}" y="{y * LINE + BASELINE:g}" textLength="{cell_len(text) * CELL}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text, quote=False)}</text>'
    )


def _placed(text, x):
    for character, _ in _cells([(text, None)]):
        width = cell_len(character)
        yield character, x, width
        x += width


def _kind(character):
    if character in _EIGHTHS:
        return character
    return "wide" if cell_len(character) > 1 else "word"
