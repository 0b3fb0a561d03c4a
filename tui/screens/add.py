"""The dialog to add torrents: what, where to, with which labels, and whether files are chosen first.

The rule: what is typed or pasted is named while it is typed, with the size that it will have beside what is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from p2p.errors import ConfigError
from p2p.quantities import format_size
from tui import form
from tui.adding import Wanted
from tui.offers import FolderOffer, LabelOffer, next_folder
from tui.sources import MOST_PASTED, MOST_SOURCES, link_of, on_one_line, path_of, sources_of
from tui.widgets.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.sources import Look


class SourceInput(Input):
    """Lines that are pasted become one, with a sign between them."""

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(on_one_line(event.text))


class AddDialog(ModalScreen[Wanted | None]):
    """Its result is what to add, None for nothing. `folder` is the usual one, `room` what is free there, in words.

    `folders` and `labels` are those that are offered.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "add(True)", "Add stopped", priority=True),
        Binding("enter", "add(False)", "Add", priority=True),
        Binding("ctrl+o", "browse", "Files of this machine", priority=True),
        Binding("ctrl+v", "clipboard", "Clipboard", priority=True),
        Binding("ctrl+n", "folder", "Next folder", priority=True),
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Before", show=False),
    ]

    class Asked(Message):
        """Something is wanted that is to be told to `dialog`."""

        def __init__(self, dialog: AddDialog) -> None:
            super().__init__()
            self.dialog = dialog

    class FolderTyped(Asked):
        """How much is free there, by `tell_room`."""

        def __init__(self, dialog: AddDialog, folder: str) -> None:
            super().__init__(dialog)
            self.folder = folder

    class SourceTyped(Asked):
        """What that is, by `tell_source`."""

        def __init__(self, dialog: AddDialog, text: str) -> None:
            super().__init__(dialog)
            self.text = text

    class ClipboardAsked(Asked):
        """What is in it, by `put`."""

    class FilesAsked(Asked):
        """Paths, by `put`; to be looked for in `folder` of this machine, or anywhere."""

        def __init__(self, dialog: AddDialog, folder: str) -> None:
            super().__init__(dialog)
            self.folder = folder

    def __init__(
        self, source: str, folder: str, room: str, *, folders: Sequence[str] = (), labels: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._source = on_one_line(source)
        self._folder = folder
        self._room = room
        self._free: int | None = None
        self._wanted_size: int | None = None
        self._folders = folders
        self._labels = labels

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Magnet link, URL, info-hash, or path of a torrent file", classes="label", markup=False)
            yield SourceInput(self._source, id="source", max_length=MOST_PASTED, compact=True)
            yield Static("", id="kind", markup=False)
            yield Static("", id="room", classes="label", markup=False)
            yield Input(
                "",
                placeholder=self._folder,
                id="folder",
                max_length=form.MOST_LETTERS,
                suggester=FolderOffer(self._folders),
                compact=True,
            )
            yield Static("Labels, with commas between", classes="label", markup=False)
            yield Input(
                "",
                placeholder="none",
                id="labels",
                max_length=form.MOST_LETTERS,
                suggester=LabelOffer(self._labels),
                compact=True,
            )
            yield Tick("Choose files before it starts", value=False, id="choose")
            yield Tick("Leave it stopped", value=False, id="paused")
            yield Static("", id="trouble", markup=False)
            yield Static(
                "enter: add   ctrl+s: add stopped   ctrl+o: files   ctrl+v: clipboard\n"
                "tab: next   →: take what is offered   ctrl+n: next folder   escape: back",
                classes="keys",
                markup=False,
            )

    def on_mount(self) -> None:
        self.tell_room(self._room, None)
        self.post_message(self.FolderTyped(self, ""))

    # -- what is told

    def tell_room(self, room: str, free: int | None) -> None:
        """What is free in the folder that is written, in words and, where that is known, in bytes."""
        self._room, self._free = room, free
        self._show_room()

    def tell_source(self, look: Look) -> None:
        """What is written there."""
        self._wanted_size = look.size
        for line in self.query("#kind").results(Static):
            line.update(look.words)
            line.set_class(look.is_wrong, "short")
        self._show_room()

    def tell_trouble(self, trouble: str) -> None:
        for line in self.query("#trouble").results(Static):
            line.update(trouble)

    def put(self, text: str) -> None:
        """In place of what is written as source."""
        for line in self.query("#source").results(Input):
            line.value = on_one_line(text)
            line.focus()
        self.tell_trouble("")

    def _show_room(self) -> None:
        told = [self._room] if self._room else []
        if self._wanted_size is not None:
            told.append(f"{format_size(self._wanted_size)} wanted")
        for label in self.query("#room").results(Static):
            label.update("Folder on the daemon's machine" + (f" ({', '.join(told)})" if told else ""))
            label.set_class(
                self._free is not None and self._wanted_size is not None and self._wanted_size > self._free, "short"
            )

    # -- what is typed

    @on(Input.Changed, "#folder")
    def _folder_typed(self, event: Input.Changed) -> None:
        self.post_message(self.FolderTyped(self, event.value.strip()))

    @on(Input.Changed, "#source")
    def _source_typed(self, event: Input.Changed) -> None:
        self.post_message(self.SourceTyped(self, event.value))

    def action_browse(self) -> None:
        source = self._text("source")
        is_path = source and len(sources_of(source)) == 1 and link_of(source) is None
        self.post_message(self.FilesAsked(self, path_of(source).rpartition("/")[0] if is_path else ""))

    def action_clipboard(self) -> None:
        self.post_message(self.ClipboardAsked(self))

    def action_folder(self) -> None:
        line = self.query_one("#folder", Input)
        line.value = next_folder(line.value, self._folders)
        line.focus()

    def action_add(self, paused: bool) -> None:  # noqa: FBT001 - how Textual calls actions
        """Where the focus is, so that what was typed before is there first: a paste and Enter come in one go."""
        (self.focused or self).call_later(self._add, paused)

    def _add(self, paused: bool) -> None:  # noqa: FBT001 - as the action
        if not self.is_current:
            return
        sources = sources_of(self._text("source"))
        if not sources:
            self.query_one("#source", Input).focus()
            return
        if len(sources) > MOST_SOURCES:
            self.tell_trouble(f"at most {MOST_SOURCES} at once")
            return
        try:
            labels = form.labels(self._text("labels"))
        except ConfigError as error:
            self.tell_trouble(str(error))
            self.query_one("#labels", Input).focus()
            return
        paused = paused or self.query_one("#paused", Tick).value
        self.dismiss(Wanted(sources, self._text("folder"), labels, paused, self.query_one("#choose", Tick).value))

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def action_leave(self) -> None:
        self.dismiss(None)
