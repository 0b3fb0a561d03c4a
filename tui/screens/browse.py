"""The files of this machine, looked through for torrent files. A thread reads folders: a slow disk stops nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from p2p.quantities import count
from tui.folder_view import FolderView, read_folder, tail
from tui.safe_text import safe
from tui.widgets.folder_table import FolderTable

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tui.widgets.line_table import LineTable


class BrowseDialog(ModalScreen[tuple[str, ...] | None]):
    """Its result is paths of files, None for none. It begins in `folder`, which may begin with `~`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self._view = FolderView()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(tail(self.folder), id="question", markup=False)
            yield FolderTable(self._view, id="folder-table")
            yield Static("", id="browsed", markup=False)
            yield Static("", id="trouble", markup=False)
            yield Static(
                "enter: take or open   ←: above   letters: filter   shift+↓: mark\nctrl+t: hidden   escape: back",
                classes="keys",
                markup=False,
            )

    def on_mount(self) -> None:
        self.query_one(FolderTable).focus()
        self._look_into(self.folder, "")

    def _look_into(self, folder: str, at: str) -> None:
        """One folder after another: the last one that was asked for is seen."""
        self.query_one("#browsed", Static).update("reading")

        async def look() -> None:
            listing = await asyncio.to_thread(read_folder, folder)
            self.query_one("#trouble", Static).update(listing.trouble)
            if not listing.trouble or listing.items:
                self.folder = listing.path
                self._view.show(listing, at)
                self.query_one("#question", Static).update(tail(listing.path))
            elif not self._view.listing.path:  # there is nothing else to be seen
                self._view.show(listing)
            self.query_one(FolderTable).moved()

        self.run_worker(look(), group="folder", exclusive=True)

    @on(FolderTable.Changed)
    def _changed(self, event: FolderTable.Changed) -> None:
        event.stop()
        parts = [f"{len(self._view) - 1:,} here"]
        if self._view.filter_text:
            parts.append(f"with {safe(self._view.filter_text)}")
        if self._view.marked:
            parts.append(f"{count(self._view.marked, 'file')} marked")
        self.query_one("#browsed", Static).update("  ·  ".join(parts))

    @on(FolderTable.UpAsked)
    def _up(self, event: FolderTable.UpAsked) -> None:
        event.stop()
        self._look_into(*self._view.up())

    @on(FolderTable.IntoAsked)
    def _into(self, event: FolderTable.IntoAsked) -> None:
        event.stop()
        folder, at = self._view.into()
        if folder:
            self._look_into(folder, at)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        event.stop()
        folder, at = self._view.into()
        if self._view.marked or not folder:
            self.dismiss(self._view.chosen())
        else:
            self._look_into(folder, at)

    def action_leave(self) -> None:
        self.dismiss(None)
