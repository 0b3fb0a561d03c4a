"""How this program speaks on a terminal and in a pipe.

The rule: results go to stdout, everything said on the way to stderr. Text from outside is data: it is escaped, and
never read as markup. A bar is drawn only on a terminal; elsewhere long work says a plain line now and then.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from p2p.disk.refusals import printable
from p2p.quantities import format_duration, format_rate, format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.progress import Task

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"

_PLAIN_INTERVAL: Final = 5.0
"""Seconds between plain progress lines: a log stays short, and nobody takes the program for dead."""


def say(line: str) -> None:
    """One line of a result, to stdout, exactly as it is; what came from outside in it must have passed `printable`."""
    sys.stdout.write(line + "\n")


def say_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Names and values in two columns. A value may be of several lines, which are indented alike."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        lines = value.split("\n") if value else [""]
        for number, line in enumerate(lines):
            say(f"{name if not number else '':<{width}}  {line}".rstrip())


def say_json(value: Json) -> None:
    """One JSON document on one line of stdout."""
    say(json.dumps(value, ensure_ascii=True))


def note(line: str) -> None:
    """Something worth knowing, to stderr."""
    _complain("note", line)


def complain(line: str) -> None:
    """The one line that says why the program fails, to stderr."""
    _complain("error", line)


def _complain(kind: str, line: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"{kind}: {printable(' '.join(line.split()))}\n")
    sys.stderr.flush()


@contextmanager
def byte_progress(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """While inside, a function to tell (bytes done, bytes in all), from the event loop.

    `quiet` leaves out the plain lines where there is no terminal, for machine-readable runs.
    """
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        yield _ignore if quiet else _PlainProgress(label).show
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        _Amount(table_column=Column(no_wrap=True)),
        console=console,
        transient=True,
        expand=True,
    ) as progress:
        task = progress.add_task(label, total=None)
        yield _Bar(progress, task).show


def _ignore(done: int, total: int) -> None:
    """Progress that nobody wants to see."""


class _Amount(ProgressColumn):
    """`1.2 of 3.4 GiB  900 MiB/s  3s left`."""

    def render(self, task: Task) -> Text:
        parts = [f"{format_size(task.completed)} of {format_size(task.total or 0)}"]
        if task.speed:
            parts.append(format_rate(task.speed))
        if task.time_remaining is not None:
            parts.append(f"{format_duration(task.time_remaining)} left")
        return Text("  ".join(parts))


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)


class _PlainProgress:
    """A line every few seconds; none for what is over before the first is due."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._begun: float | None = None
        self._due = 0.0

    def show(self, done: int, total: int) -> None:
        now = asyncio.get_running_loop().time()
        if self._begun is None:
            self._begun = now
            self._due = now + _PLAIN_INTERVAL
        if now < self._due or done >= total:
            return
        self._due = now + _PLAIN_INTERVAL
        rate = done / (now - self._begun)
        left = format_duration((total - done) / rate) if rate else "-"
        share = f"{100 * done // total}% of {format_size(total)}"
        sys.stderr.write(f"{self._label}: {share}, {format_rate(rate)}, {left} left\n")
        sys.stderr.flush()
