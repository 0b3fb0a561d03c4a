"""How the interface is drawn on the terminal that is there: its themes, colours as far as there are any, and stillness.

The rule: nothing is written to the terminal but what became otherwise. Nothing blinks, slides or spins unless it is
wished for (`motion = true` in `tui.toml`): over a slow line each step of it would be waited for. With NO_COLOR in the
environment no colour is written at all. What acts on a terminal is never written to it as text, also where it stands in
a line that is being edited, such as the name that a torrent is to have instead of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor
from textual.widgets import Input

from tui.themes import OWN, usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.color import Color
    from textual.driver import Driver


class Inert(LineFilter):
    """Blanks, in as many cells, for control characters and what turns the direction of text."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [Segment(_inert(text), style, control) for text, style, control in segments]


def _inert(text: str) -> str:
    return "".join(each if each.isprintable() else " " * cell_len(each) for each in text)


class Appearance(App[None]):
    """The base of the application. Screens of 40 lines or more are `-tall` in the style sheet."""

    VERTICAL_BREAKPOINTS = [(0, "-low"), (40, "-tall")]  # noqa: RUF012 - Textual's word and form

    def __init__(self) -> None:
        super().__init__()
        for theme in OWN:
            self.register_theme(theme)
        self.theme = usual(None if self.no_color else self.console.color_system)
        self._colourless, self._inert = NoColor(), Inert()
        self.move(wished=False)

    def get_driver_class(self) -> type[Driver]:
        """Ours in place of Textual's own for a terminal."""
        from textual.drivers.linux_driver import LinuxDriver  # noqa: PLC0415 - Textual has it only where it works

        from tui.terminal import TerminalDriver  # noqa: PLC0415 - as above

        chosen = super().get_driver_class()
        return TerminalDriver if chosen is LinuxDriver else chosen

    def move(self, *, wished: bool) -> None:
        """Whether anything may move by itself."""
        self._motion = wished
        self.animation_level = "full" if wished else "none"

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's for NO_COLOR writes shades of grey, which are colours."""
        theirs = super().get_line_filters()
        return [self._inert, *(self._colourless if isinstance(each, Monochrome) else each for each in theirs)]

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = self._motion
