"""The line after `:` at the foot of whatever is seen: verbs by name, completed by Tab, earlier ones by the arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.query import MOST_CHARACTERS
from tui.safe_text import fit, safe
from tui.said import LineError, Said, offered, understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.said import Here, Offer

SIGN: Final = ":"


class CommandLine(ModalScreen[tuple[str, Said] | None]):
    """Its result is the line and what it means, None for nothing. `before` are earlier lines, the oldest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("tab", "complete(1)", "complete", priority=True),
        Binding("shift+tab", "complete(-1)", "complete", show=False, priority=True),
        Binding("up", "recall(-1)", "earlier"),
        Binding("down", "recall(1)", "later", show=False),
    ]

    def __init__(self, here: Here, before: Sequence[str]) -> None:
        super().__init__()
        self._here = here
        self._before = before
        self._at = len(before)
        self._typed = ""
        """What was written before an earlier line was put in its place."""
        self._offer: Offer | None = None
        """What is gone through by Tab."""
        self._picked = 0
        self._put = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="foot"):
            yield Static("", id="offers", markup=False)
            yield Static("", id="place", markup=False)
            yield Input(
                placeholder="a verb, such as: sort size", id="command", max_length=MOST_CHARACTERS, compact=True
            )

    def on_mount(self) -> None:
        self._show_offers("")

    @property
    def _line(self) -> Input:
        return self.query_one("#command", Input)

    def _write(self, text: str) -> None:
        self._put = text
        self._line.value = text
        self._line.cursor_position = len(text)

    @on(Input.Changed, "#command")
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell("", 0)
        if event.value != self._put:
            self._offer = None
            self._show_offers(event.value)

    def _show_offers(self, text: str) -> None:
        offer = self._offer or offered(text, self._here)
        names = [safe(each.rstrip()) for each in offer.texts]
        if self._offer is not None and names:
            first = max(0, self._picked - 3)
            names = [f"[{each}]" if at == self._picked else each for at, each in enumerate(names)][first:]
        self.query_one("#offers", Static).update(fit("  ".join(names), max(1, self.app.size.width - 2)))

    def action_complete(self, step: int) -> None:
        """As far as all that is offered is alike; from then on one after another."""
        line = self._line.value
        if self._offer is None:
            offer = offered(line, self._here)
            if not offer.texts:
                return
            alike = line[: offer.start] + offer.alike
            if len(offer.texts) == 1 or len(alike) > len(line):
                self._write(alike)
                self._show_offers(alike)
                return
            self._offer, self._picked = offer, -1 if step > 0 else 0
            self._typed = line
        self._picked = (self._picked + step) % len(self._offer.texts)
        self._write(self._typed[: self._offer.start] + self._offer.texts[self._picked])
        self._show_offers("")

    def action_recall(self, step: int) -> None:
        if self._at == len(self._before):
            self._typed = self._line.value
        self._at = max(0, min(self._at + step, len(self._before)))
        self._offer = None
        self._write(self._typed if self._at == len(self._before) else self._before[self._at])
        self._show_offers(self._line.value)

    @on(Input.Submitted, "#command")
    def _said(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            self.dismiss(None)
            return
        try:
            said = understood(event.value, self._here)
        except LineError as error:
            self._tell(str(error), error.position)
            return
        self.dismiss((event.value.strip(), said))

    def _tell(self, trouble: str, position: int) -> None:
        """Below the place, as far as there is room for it."""
        place = self.query_one("#place", Static)
        room = max(0, self.app.size.width - len(trouble) - 6)
        place.update(f"{' ' * min(position, room)}▼ {trouble}" if trouble else "")
        place.set_class(bool(trouble), "told")

    def action_leave(self) -> None:
        self.dismiss(None)
