"""How the interface is drawn on the terminal that is there: its themes, colours as far as there are any, and stillness.

The rule: nothing is written to the terminal but what became otherwise. Nothing blinks, slides or spins unless it is
wished for (`motion = true` in `tui.toml`): over a slow line each step of it would be waited for. With NO_COLOR in the
environment no colour is written at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.filter import Monochrome, NoColor
from textual.widgets import Input

from tui.themes import OWN, usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.filter import LineFilter


class Appearance(App[None]):
    """The base of the application. Screens of 40 lines or more are `-tall` in the style sheet."""

    VERTICAL_BREAKPOINTS = [(0, "-low"), (40, "-tall")]  # noqa: RUF012 - Textual's word and form

    def __init__(self) -> None:
        super().__init__()
        for theme in OWN:
            self.register_theme(theme)
        self.theme = usual(None if self.no_color else self.console.color_system)
        self._colourless = NoColor()
        self.move(wished=False)

    def move(self, *, wished: bool) -> None:
        """Whether anything may move by itself."""
        self._motion = wished
        self.animation_level = "full" if wished else "none"

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's for NO_COLOR writes shades of grey, which are colours."""
        return [self._colourless if isinstance(each, Monochrome) else each for each in super().get_line_filters()]

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = self._motion
