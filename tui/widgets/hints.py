"""The last line of a screen: keys that are bound now, as many as there is room for.

The rule: a hint is there in whole or not at all. Where there is no room for all, those before the last two, which tell
where help is and the way out, are left out from the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.screen import Screen

ALWAYS: Final = 2
"""Hints at the end that stay for as long as there is room for anything."""

_GAP: Final = 2

Hint = tuple[str, str, str]
"""The key as it is written, what it does, and what Textual calls it."""


def fitting(hints: Sequence[Hint], width: int) -> list[Hint]:
    """Those for which `width` cells suffice, with a blank before and after them."""
    kept = list(hints)
    while kept and sum(map(_cells, kept)) + _GAP * (len(kept) - 1) + 2 > width:
        kept.pop(max(0, len(kept) - 1 - ALWAYS))
    return kept


def _cells(hint: Hint) -> int:
    return cell_len(hint[0]) + 1 + cell_len(hint[1])


class Hints(Widget):
    """A click on a hint is its key."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"hints--key", "hints--word"}

    def __init__(self) -> None:
        super().__init__()
        self._hints: Sequence[Hint] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bound)

    def _bound(self, screen: Screen[object]) -> None:
        if not self.is_attached or screen is not self.screen:
            return
        types = isinstance(screen.focused, Input)
        found: dict[str, Hint] = {}
        for active in screen.active_bindings.values():
            binding, key = active.binding, self.app.get_key_display(active.binding)
            if binding.show and active.enabled and not (types and len(key) == 1):
                found.setdefault(binding.action, (key, binding.description.lower(), binding.key))
        hints = list(found.values())
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def render_line(self, y: int) -> Strip:
        if y > 0:
            return Strip.blank(self.size.width, self.rich_style)
        key, word = self.get_component_rich_style("hints--key"), self.get_component_rich_style("hints--word")
        parts = [Segment(" ", word)]
        for number, (name, text, _) in enumerate(fitting(self._hints, self.size.width)):
            parts += [Segment(" " * _GAP if number else "", word), Segment(name, key), Segment(f" {text}", word)]
        return Strip(parts).adjust_cell_length(self.size.width, word)

    def on_click(self, event: events.Click) -> None:
        at = 1
        for hint in fitting(self._hints, self.size.width):
            if at <= event.x < at + _cells(hint):
                self.app.simulate_key(hint[2])
                return
            at += _cells(hint) + _GAP
