"""A screen over the list: what it shows it asks for by a message, again whenever it is seen again, until it is left."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.css.query import NoMatches
from textual.message import Message
from textual.screen import Screen

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from textual.binding import BindingType

    from tui.facts import Seen, SessionArrived
    from tui.sights import Sight


class OverScreen(Screen[None]):
    """`hash_string` is the torrent that it is about, None for the session. It asks no daemon."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,left,h", "leave", "Back")]

    class Looked(Message):
        """These are looked at now, and nothing else."""

        def __init__(self, hash_string: str | None, *sights: Sight) -> None:
            super().__init__()
            self.hash_string = hash_string
            self.sights = sights

    def __init__(self, hash_string: str | None) -> None:
        super().__init__()
        self.hash_string = hash_string
        self._sights: tuple[Sight, ...] = ()

    def look(self, *sights: Sight) -> None:
        """Ask for these from now on."""
        self._sights = sights
        self.post_message(self.Looked(self.hash_string, *sights))

    def on_screen_resume(self) -> None:
        self.post_message(self.Looked(self.hash_string, *self._sights))

    def action_leave(self) -> None:
        self.post_message(self.Looked(None))
        self.dismiss(None)

    def drawing(self) -> AbstractContextManager[None]:
        """Around what draws for a fact: the parts of a screen come after it and go before it."""
        return suppress(NoMatches)

    def see(self, seen: Seen) -> None:
        """What was looked at has arrived."""

    def session(self, fact: SessionArrived) -> None:
        """The session's figures have arrived."""
