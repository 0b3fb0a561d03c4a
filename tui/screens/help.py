"""Help: the keys that are bound where it was asked for, as they are now, and the language of filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.terms import KEYS, STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

_FILTERS = """\
FILTERS
  size>1G & seeding & tracker:debian       words alone are looked for in the name
  (error | isolated) & !private            & | ! and parentheses; a space is &
  added<2d   completed>=2026-01-31   up>100K   ratio<1   "quoted words"
"""


class HelpScreen(ModalScreen[None]):
    """`keys` are (keys, what they do)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,left", "leave", "Back"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        width = max((len(keys) for keys, _ in self._keys), default=0)
        lines = ["KEYS", *(f"  {keys:<{width}}  {about}" for keys, about in self._keys), ""]
        asked = f"  asked for: {', '.join(KEYS)}\n  states: {', '.join(STATES)}"
        with VerticalScroll(classes="page"):
            yield Static("\n".join(lines) + "\n" + _FILTERS + asked, markup=False)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
