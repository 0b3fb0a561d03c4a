"""A table that formats only the lines that are seen, so that ten thousand cost what a screenful costs.

The rule: it holds no rows. What it shows is asked of a subclass, line by line, whenever a line is drawn; the heading is
its first line and stays when it scrolls.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.safe_text import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

Part = tuple[str, str]
"""Text that is as wide as it is to be, and the class of its style, empty for the line's own."""


class LineTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Subclasses say what is in it: `count`, `cursor_line`, `go`, `heading`, `parts` and `line_class`."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--heading",
        "table--line",
        "table--cursor",
        "table--marked",
        "table--faint",
        "table--good",
        "table--busy",
        "table--bad",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("enter,right,l", "open", "Open", show=False),
    ]

    class Opened(Message):
        """The cursor's line is to be opened."""

    class HeadingClicked(Message):
        """At a cell of the heading, from 0."""

        def __init__(self, cell: int) -> None:
            super().__init__()
            self.cell = cell

    nothing = ""
    """What is said where there is no line: safe, in lines of its own."""

    # -- what a subclass says

    def count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def cursor_line(self) -> int:
        raise NotImplementedError

    def go(self, line: int) -> None:
        """Put the cursor on a line, or the nearest there is."""
        raise NotImplementedError

    def heading(self, width: int) -> str:
        raise NotImplementedError

    def parts(self, line: int, width: int) -> Sequence[Part]:
        """One line, `width` cells in all."""
        raise NotImplementedError

    def line_class(self, line: int) -> str:
        """The class of a line's style, but for the cursor's."""
        raise NotImplementedError

    # -- drawing

    @property
    def width(self) -> int:
        """Cells of a line, beside the scrollbar."""
        return self.scrollable_content_region.width

    @property
    def _visible(self) -> range:
        top = round(self.scroll_y)
        return range(top, min(self.count(), top + max(0, self.size.height - 1)))

    def render_line(self, y: int) -> Strip:
        width = self.width
        if y == 0:
            style = self.get_component_rich_style("table--heading")
            return Strip([Segment(self.heading(width), style)], width)
        line = round(self.scroll_y) + y - 1
        if line >= self.count():
            return self._blank(y, width)
        has_cursor = line == self.cursor_line()
        base = self.get_component_rich_style("table--cursor" if has_cursor else self.line_class(line))
        styles = {"": base}
        segments: list[Segment] = []
        for name, run in groupby(self.parts(line, width), lambda part: "" if has_cursor else part[1]):
            if name not in styles:
                styles[name] = base + self.get_component_rich_style(name, partial=True)
            segments.append(Segment("".join(text for text, _ in run), styles[name]))
        return Strip(segments, width)

    def _blank(self, y: int, width: int) -> Strip:
        said = self.nothing.split("\n") if not self.count() else []
        if 2 <= y < 2 + len(said):
            return Strip(
                [Segment(fit(f"  {said[y - 2]}", width), self.get_component_rich_style("table--faint"))], width
            )
        return Strip.blank(width, self.rich_style)

    def fit_lines(self) -> None:
        """Follow a number of lines that has changed."""
        size = Size(self.width, self.count() + 1)
        if size != self.virtual_size:
            self.virtual_size = size

    def redraw(self, lines: Sequence[int]) -> None:
        """Draw single lines anew, as far as they are seen."""
        visible = self._visible
        for line in lines:
            if line in visible:
                self.refresh(Region(0, line - visible.start + 1, self.size.width, 1))

    @property
    def seen(self) -> tuple[int, int]:
        """The first line that is seen, and the one after the last."""
        visible = self._visible
        return visible.start, visible.stop

    def show_cursor(self) -> None:
        """Scroll as little as needed for the cursor to be seen."""
        line, visible = self.cursor_line(), self._visible
        room = max(1, self.size.height - 1)
        if line < visible.start:
            self.scroll_to(y=line, animate=False, immediate=True)
        elif line >= visible.start + room:
            self.scroll_to(y=line - room + 1, animate=False, immediate=True)

    def on_resize(self, _: events.Resize) -> None:
        self.fit_lines()
        self.show_cursor()

    # -- moving

    def _go(self, line: int) -> None:
        before = self.cursor_line()
        self.go(line)
        self.redraw([before, self.cursor_line()])
        self.show_cursor()

    def action_move(self, lines: int) -> None:
        self._go(self.cursor_line() + lines)

    def action_page(self, pages: int) -> None:
        self._go(self.cursor_line() + pages * max(1, self.size.height - 2))

    def action_first(self) -> None:
        self._go(0)

    def action_last(self) -> None:
        self._go(self.count() - 1)

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self.post_message(self.HeadingClicked(offset.x))
            return
        line = round(self.scroll_y) + offset.y - 1
        if line < self.count():
            self._go(line)
            if event.chain == 2:
                self.action_open()
