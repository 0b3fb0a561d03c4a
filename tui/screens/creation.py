"""How far a torrent is that is being made, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import ProgressBar, Static

from p2p.quantities import format_size
from tui.safe_text import safe

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from p2p.daemon.client import Creation


class CreationDialog(ModalScreen[None]):
    """Escape gives it up while it is under way, and leaves it when it is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Give up"),
        Binding("enter", "close", "Close", show=False),
        Binding("c", "copy", "Copy the magnet link", show=False),
    ]

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._creation: Creation | None = None
        self.given_up = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(f"Making a torrent of {safe(self._path)}", id="question", markup=False)
            yield ProgressBar(total=None, show_eta=False, id="progress")
            yield Static("", id="made", markup=False)
            yield Static("escape: give up", classes="keys", markup=False)

    def on_mount(self) -> None:
        if self._creation is not None:
            self.take(self._creation)

    def take(self, creation: Creation) -> None:
        """How far it is now."""
        self._creation = creation
        if not self.query(ProgressBar):
            return
        self.query_one(ProgressBar).update(total=max(1, creation.bytes_total), progress=creation.bytes_done)
        lines = [f"{format_size(creation.bytes_done)} of {format_size(creation.bytes_total)} hashed"]
        if self._is_done:
            self.query_one(ProgressBar).update(total=1, progress=1)
            lines += ["", safe(creation.torrent_file), safe(creation.magnet_link)]
            lines += [safe(notice) for notice in creation.notices[:5]]
            lines += ["", "It is seeded." if creation.torrent is not None else "It is not seeded."]
            self.query_one(".keys", Static).update("c: copy the magnet link    enter: close")
        self.query_one("#made", Static).update("\n".join(lines))

    @property
    def _is_done(self) -> bool:
        return self._creation is not None and self._creation.state.value == "done"

    def close_by(self) -> None:
        if self.is_attached and self.is_current:
            self.dismiss(None)

    def action_leave(self) -> None:
        if self._is_done:
            self.dismiss(None)
        self.given_up = True

    def action_close(self) -> None:
        if self._is_done:
            self.dismiss(None)

    def action_copy(self) -> None:
        if self._creation is not None and self._is_done:
            self.app.copy_to_clipboard(self._creation.magnet_link)
            self.notify("copied 1 magnet link", markup=False)
