"""The dialog to add a torrent: what, where to, and whether it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.sources import MOST_LETTERS

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added. `folder` is the daemon's, empty for its usual one."""

    source: str
    folder: str
    paused: bool


class AddDialog(ModalScreen[Wanted | None]):
    """Its result is what to add, None for nothing. `folder` is the usual one, `room` what is free there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "add(True)", "Add stopped"),
    ]

    def __init__(self, source: str, folder: str, room: str) -> None:
        super().__init__()
        self._source = source
        self._folder = folder
        self._room = room

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Magnet link, URL, info-hash, or path of a torrent file", markup=False)
            yield Input(self._source, id="source", max_length=MOST_LETTERS)
            yield Static(f"Folder ({self._room})" if self._room else "Folder", markup=False)
            yield Input("", placeholder=self._folder, id="folder", max_length=MOST_LETTERS)
            yield Static("enter: add    ctrl+s: add stopped    tab: next    escape: back", classes="keys", markup=False)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.action_add(False)

    def action_add(self, paused: bool) -> None:  # noqa: FBT001 - how Textual calls actions
        source = self.query_one("#source", Input).value.strip()
        if not source:
            self.query_one("#source", Input).focus()
            return
        folder = self.query_one("#folder", Input).value.strip()
        self.dismiss(Wanted(source, folder, paused))

    def action_leave(self) -> None:
        self.dismiss(None)
