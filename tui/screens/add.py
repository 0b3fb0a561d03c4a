"""The dialog to add a torrent: what, where to, with which labels, and whether its files are chosen first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from p2p.errors import ConfigError
from tui import form
from tui.adding import Wanted
from tui.sources import MOST_LETTERS
from tui.widgets.tick import Tick

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class AddDialog(ModalScreen[Wanted | None]):
    """Its result is what to add, None for nothing. `folder` is the usual one, `room` what is free there."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "add(True)", "Add stopped", priority=True),
        Binding("enter", "add(False)", "Add", priority=True),
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Before", show=False),
    ]

    class FolderTyped(Message):
        """How much is free there is to be told, by `tell_room`."""

        def __init__(self, dialog: AddDialog, folder: str) -> None:
            super().__init__()
            self.dialog = dialog
            self.folder = folder

    def __init__(self, source: str, folder: str, room: str) -> None:
        super().__init__()
        self._source = source
        self._folder = folder
        self._room = room

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Magnet link, URL, info-hash, or path of a torrent file", markup=False)
            yield Input(self._source, id="source", max_length=MOST_LETTERS, compact=True)
            yield Static("", id="room", markup=False)
            yield Input("", placeholder=self._folder, id="folder", max_length=form.MOST_LETTERS, compact=True)
            yield Static("Labels, with commas between", markup=False)
            yield Input("", placeholder="none", id="labels", max_length=form.MOST_LETTERS, compact=True)
            yield Tick("Choose files before it starts", value=False, id="choose")
            yield Tick("Leave it stopped", value=False, id="paused")
            yield Static("", id="trouble", markup=False)
            yield Static("enter: add    ctrl+s: add stopped    tab: next    escape: back", classes="keys", markup=False)

    def on_mount(self) -> None:
        self.tell_room(self._room)

    def tell_room(self, room: str) -> None:
        """What is free in the folder that is written, in words."""
        for label in self.query("#room").results(Static):
            label.update(f"Folder on the daemon's machine ({room})" if room else "Folder on the daemon's machine")

    @on(Input.Changed, "#folder")
    def _folder_typed(self, event: Input.Changed) -> None:
        self.post_message(self.FolderTyped(self, event.value.strip()))

    def action_add(self, paused: bool) -> None:  # noqa: FBT001 - how Textual calls actions
        """Where the focus is, so that what was typed before is there first: a paste and Enter come in one go."""
        (self.focused or self).call_later(self._add, paused)

    def _add(self, paused: bool) -> None:  # noqa: FBT001 - as the action
        if not self.is_current:
            return
        source = self._text("source")
        if not source:
            self.query_one("#source", Input).focus()
            return
        try:
            labels = form.labels(self._text("labels"))
        except ConfigError as error:
            self.query_one("#trouble", Static).update(str(error))
            self.query_one("#labels", Input).focus()
            return
        paused = paused or self.query_one("#paused", Tick).value
        self.dismiss(Wanted(source, self._text("folder"), labels, paused, self.query_one("#choose", Tick).value))

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def action_leave(self) -> None:
        self.dismiss(None)
