"""Help: the keys that are bound where it was asked for, as they are now, and the language of filters."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.containers import Container, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.terms import KEYS, STATES
from tui.verb import ActsOn
from tui.verbs import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.screen import Screen

_FILTERS = """\
FILTERS
  size>1G & seeding & tracker:debian       words alone are looked for in the name
  (error | isolated) & !private            & | ! and parentheses; a space is &
  added<2d   completed>=2026-01-31   up>100K   ratio<1   "quoted words"
"""


_SYSTEMS: Final = ("app.focus_", "screen.copy_text", "help_quit")
"""Textual's own keys, which nobody looks for here."""

WIDTH: Final = 74
"""Cells of a line: what is left of 80."""

Sections = Sequence[tuple[str, Sequence[tuple[str, str]]]]
"""What keys are for, and (keys, what they do)."""


def sections_of(screen: Screen[object], shown: Callable[[Binding], str]) -> Sections:
    """The keys that are bound on a screen now, as `shown` writes them, by what they act on."""
    found: dict[str, dict[str, list[str]]] = {title: {} for title in (*_TITLES.values(), _MOVING)}
    for bound in screen.active_bindings.values():
        binding = bound.binding
        if not bound.enabled or binding.system or binding.action.startswith(_SYSTEMS):
            continue
        verb = BY_NAME.get(binding.id or "")
        title = _MOVING if verb is None else _TITLES[verb.acts_on]
        found[title].setdefault(binding.tooltip or binding.description, []).append(shown(binding))
    return [(title, [(" ".join(keys), about) for about, keys in lines.items()]) for title, lines in found.items()]


_MOVING: Final = "Here"
_TITLES: Final[Mapping[ActsOn, str]] = {
    ActsOn.FILES: "The file under the cursor",
    ActsOn.TORRENTS: "Torrents: those that are marked, or the one here",
    ActsOn.LINES: "Marks",
    ActsOn.LIST: "The list",
    ActsOn.INTERFACE: "Everywhere",
}


class HelpScreen(ModalScreen[None]):
    """`sections` are what their keys are for, and (keys, what they do)."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (170, "-wide")]  # noqa: RUF012 - Textual's word and form
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,left", "leave", "Back"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
    ]

    def __init__(self, sections: Sections) -> None:
        super().__init__()
        self._sections = [section for section in sections if section[1]]

    def compose(self) -> ComposeResult:
        width = max((len(keys) for _, lines in self._sections for keys, _ in lines), default=0)
        with VerticalScroll(classes="page", can_focus=False) as page, Container(classes="columns"):
            page.border_title = "KEYS"
            page.border_subtitle = "escape: back"
            for title, lines in self._sections:
                yield Static(
                    "\n".join([title.upper(), *(_line(keys, width, about) for keys, about in lines), ""]),
                    classes="section",
                    markup=False,
                )
            yield Static(
                _FILTERS + _listed("asked for", KEYS) + _listed("states", STATES), classes="section", markup=False
            )

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        page = self.query_one(VerticalScroll)
        page.scroll_relative(y=pages * max(1, page.size.height - 1), animate=False)


def _line(keys: str, width: int, about: str) -> str:
    """With what has no room below itself."""
    return textwrap.fill(about, WIDTH, initial_indent=f"  {keys:<{width}}  ", subsequent_indent=" " * (width + 4))


def _listed(title: str, words: Iterable[str]) -> str:
    """In lines that fit into half of a wide screen."""
    lines = textwrap.wrap(", ".join(words), WIDTH, initial_indent=f"  {title}: ", subsequent_indent=" " * 4)
    return "\n".join(lines) + "\n"
