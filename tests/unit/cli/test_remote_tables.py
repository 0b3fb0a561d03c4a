"""Tables that fit: columns go where there is no room, names are cut, and in a pipe everything stays."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from p2p.cli.remote_tables import Cell, Column, fitted, right, say_rows

COLUMNS = (right("ID"), Column("Name", flexible=True), right("Size", 4), Column("State", 8), Column("Labels", 1))
ROWS = [
    ["1", "a name that is rather long, as those of films are", "1.5 GiB", Cell("seeding", "green"), "one"],
    ["12", "[b]short[/b]", "3 KiB", "stopped", ""],
]


def drawn(columns, rows, width):
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(fitted(columns, rows, width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, drawn(COLUMNS, ROWS, width))) <= width


def test_the_least_needed_columns_go_first():
    headings = {width: drawn(COLUMNS, ROWS, width)[0].split() for width in (100, 48, 38, 30)}
    assert headings == {
        100: ["ID", "Name", "Size", "State", "Labels"],
        48: ["ID", "Name", "Size", "State"],
        38: ["ID", "Name", "State"],
        30: ["ID", "Name"],
    }


def test_names_are_cut_at_their_end_and_never_read_as_markup():
    lines = drawn(COLUMNS, ROWS, 60)
    assert "a name that is rather long, a…" in lines[1]
    assert "[b]short[/b]" in lines[2]


def test_a_column_that_says_nothing_is_left_out():
    assert drawn(COLUMNS, [[*row[:4], ""] for row in ROWS], 200)[0].split() == ["ID", "Name", "Size", "State"]


def test_in_a_pipe_nothing_is_left_out_or_cut(capsys):
    say_rows(COLUMNS, [*ROWS, ["3", "bad\x1b[31m\nname\u202e", "", "", ""]])
    assert capsys.readouterr().out.splitlines() == [
        "ID  Name                                                  Size  State    Labels",
        " 1  a name that is rather long, as those of films are  1.5 GiB  seeding  one",
        "12  [b]short[/b]                                         3 KiB  stopped",
        r" 3  bad\x1b[31m\nname\u202e",
    ]


@given(st.lists(st.lists(st.text(max_size=60), min_size=5, max_size=5), max_size=4), st.integers(10, 120))
def test_any_row_fits(rows, width):
    """As far as the columns that may not go leave room."""
    fixed = max([2, *(len(repr(row[0])) for row in rows)]) * 4
    for line in drawn(COLUMNS, [[row[0][:2], *row[1:]] for row in rows], width + fixed):
        assert len(line) <= width + fixed
