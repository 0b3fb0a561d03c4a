"""How what a daemon tells is shown: tables that fit the terminal, and whole lines where there is none.

The rule: a table is never wider than the terminal. What does not fit is left out by column, the least needed first, and
names are cut at their end; in a pipe nothing is left out or cut. Names come from strangers: they are escaped, and never
read as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from p2p.cli.console import say
from p2p.disk.refusals import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP: Final = 2
"""Blanks between columns."""

NEEDED: Final = 9
"""The highest need of a column."""

LEAST: Final = 20
"""Signs that the flexible column keeps at least, before another is left out for it."""


@dataclass(frozen=True, slots=True)
class Column:
    """`need` decides who goes first where there is no room: the lowest does. The `flexible` one takes what is left.

    A column whose need is not the highest is left out where no row has anything in it.
    """

    heading: str
    need: int = NEEDED
    justify: Literal["left", "right"] = "left"
    flexible: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text and the style it has on a terminal."""

    text: str
    style: str = ""


def right(heading: str, need: int = NEEDED) -> Column:
    """A column of numbers."""
    return Column(heading, need, "right")


def say_rows(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> None:
    """A table to stdout."""
    console = Console(markup=False, highlight=False, emoji=False)
    if console.is_terminal:
        console.print(fitted(columns, rows, console.width))
        return
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = [_width(column, [row[at] for row in cells]) for at, column in enumerate(columns)]
    heading = [Cell(column.heading) for column in columns]
    for row in (heading, *cells):
        parts = [_padded(cell.text, width, column) for cell, width, column in zip(row, widths, columns, strict=True)]
        say((" " * GAP).join(parts).rstrip())


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], width: int) -> Table:
    """A table for `width` signs."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = [_width(column, [row[at] for row in cells]) for at, column in enumerate(columns)]
    told = [at for at, column in enumerate(columns) if column.need == NEEDED or any(row[at].text for row in cells)]
    shown = _shown(columns, widths, told, width)
    flexible = [at for at in shown if columns[at].flexible]
    room = width - GAP * (len(shown) - 1) - sum(widths[at] for at in shown if at not in flexible)
    for at in flexible:
        widths[at] = max(1, min(widths[at], room // len(flexible)))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for at in shown:
        column = columns[at]
        table.add_column(column.heading, justify=column.justify, no_wrap=True, overflow="ellipsis", width=widths[at])
    for row in cells:
        table.add_row(*(Text(row[at].text, style=row[at].style) for at in shown))
    return table


def _shown(columns: Sequence[Column], widths: Sequence[int], told: Sequence[int], width: int) -> list[int]:
    """Of the columns that tell something, those that fit."""
    shown = list(told)

    def needed() -> int:
        least = sum(min(widths[at], LEAST) if columns[at].flexible else widths[at] for at in shown)
        return least + GAP * (len(shown) - 1)

    def dispensable() -> list[int]:
        return [at for at in shown if not columns[at].flexible]

    while needed() > width and len(dispensable()) > 1:
        shown.remove(min(dispensable(), key=lambda at: (columns[at].need, -at)))
    return shown


def _cell(cell: Cell | str) -> Cell:
    return Cell(printable(cell)) if isinstance(cell, str) else Cell(printable(cell.text), cell.style)


def _width(column: Column, cells: Sequence[Cell]) -> int:
    return max((_signs(text) for text in (column.heading, *(cell.text for cell in cells))), default=0)


def _signs(text: str) -> int:
    return Text(text).cell_len


def _padded(text: str, width: int, column: Column) -> str:
    blanks = " " * (width - _signs(text))
    return blanks + text if column.justify == "right" else text + blanks
