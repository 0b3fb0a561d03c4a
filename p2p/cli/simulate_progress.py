"""How far a simulation is, on stderr: a bar on a terminal, a line now and then elsewhere, nothing where `quiet`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rich.progress import TaskID

LINE_INTERVAL: Final = 2.0
"""Real seconds between plain lines: a log stays short, and nobody takes the program for dead."""


class SimulationProgress:
    """Shown while entered. `first` are the words before anything is known; `clock` is real seconds."""

    def __init__(self, first: str, *, quiet: bool, clock: Callable[[], float]) -> None:
        self._first = first
        self._quiet = quiet
        self._clock = clock
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._due = 0.0

    def __enter__(self) -> Self:
        console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._due = self._clock() + LINE_INTERVAL
        if console.is_terminal and not self._quiet:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
                expand=True,
            )
            self._task = self._progress.add_task(self._first, total=None)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def tell(self, words: str, done: float, total: float, *, line: str | None = None) -> None:
        """`done` of `total` is behind us; `line` is what is said in place of `words` where there is no bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, description=words)
        elif not self._quiet and self._clock() >= self._due:
            self._due = self._clock() + LINE_INTERVAL
            Console(stderr=True, markup=False, highlight=False, emoji=False).out(line or words)
