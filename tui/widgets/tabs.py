"""The line of a screen's tabs: each with the key that opens it, the open one in brackets: no colour is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual import events


class TabLine(Widget):
    """Keys are numbers from 1 on. Where there is no room for all, it begins so that the open one is seen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tabs--key", "tabs--title", "tabs--open"}

    class Chosen(Message):
        """By a click; from 0."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, titles: Sequence[str], *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._titles = titles
        self._open = 0

    def open(self, number: int) -> None:
        self._open = number
        self.refresh()

    def _placed(self) -> Iterator[tuple[int, int]]:
        """Number of each tab that is seen, and the cell it begins at."""
        widths = [len(title) + 4 for title in self._titles]  # key, a blank or bracket on either side, a blank between
        first = 0
        while first < self._open and sum(widths[first : self._open + 1]) > self.size.width:
            first += 1
        at = 0
        for number in range(first, len(widths)):
            yield number, at
            at += widths[number]

    def render_line(self, y: int) -> Strip:
        if y > 0:
            return Strip.blank(self.size.width, self.rich_style)
        key, title, shown = (self.get_component_rich_style(f"tabs--{name}") for name in ("key", "title", "open"))
        parts = []
        for number, _ in self._placed():
            text = self._titles[number]
            if number == self._open:
                parts += [Segment(f" {number + 1}", key), Segment(f"[{text}]", shown)]
            else:
                parts += [Segment(f" {number + 1} ", key), Segment(f"{text} ", title)]
        return Strip(parts).adjust_cell_length(self.size.width, title)

    def on_click(self, event: events.Click) -> None:
        for number, at in self._placed():
            if at <= event.x < at + len(self._titles[number]) + 4:
                self.post_message(self.Chosen(number))
