"""What is asked before torrents are added, and what comes of it. The part of the deck that adds.

The rule: a path is of this machine and what is in the file is sent; a folder is of the daemon's machine.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from p2p.errors import ConfigError
from p2p.quantities import count
from tui.adding import ThereAlreadyError, add_each, add_to_choose, choose
from tui.figures import room_of
from tui.history import History, Kind
from tui.looking import Looking
from tui.safe_text import safe
from tui.sources import look_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import Space, TorrentDetails, TorrentRow
    from tui.adding import Choice, Wanted
    from tui.feed import Access
    from tui.screens.add import AddDialog

MOST_KNOWN = 200
"""Folders and labels that are offered."""


class Intake(Looking):
    """`clock` tells seconds since the epoch."""

    def __init__(self, find: Callable[[], Awaitable[Access]], clock: Callable[[], float]) -> None:
        super().__init__(find, clock)
        self.history = History()
        self._browsed = ""
        """The folder of this machine that was looked through last."""

    def on_mount(self) -> None:
        self.run_worker(asyncio.to_thread(self.history.read), group="history")

    def go_to(self, hash_string: str) -> None:
        """Put the list's cursor on a torrent."""

    def remember(self, kind: Kind, line: str) -> None:
        """For the next time, in this run and in later ones."""
        self.history.add(kind, line)

        async def keep() -> None:
            try:
                await asyncio.to_thread(self.history.keep, kind, line)
            except OSError as error:
                self.say(f"what is typed cannot be kept: {error.strerror}", warn=True)

        self.run_worker(keep(), group="history")

    def _rows_seen(self) -> Iterator[TorrentRow]:
        return (self.rows.at(line) for line in range(len(self.rows)))

    def known_folders(self) -> tuple[str, ...]:
        """Of the daemon's machine: those used last first, and those that torrents lie in."""
        used = reversed(self.history.lines(Kind.FOLDERS))
        known = dict.fromkeys((*used, self.folder, *(row.download_dir for row in self._rows_seen())))
        return tuple(each for each in known if each)[:MOST_KNOWN]

    def known_labels(self) -> tuple[str, ...]:
        return tuple(sorted({label for row in self._rows_seen() for label in row.labels}))[:MOST_KNOWN]

    def ask_source(self, source: str) -> None:
        from tui.screens.add import AddDialog  # noqa: PLC0415 - drawn on demand, and not before the first screen

        def answered(wanted: Wanted | None) -> None:
            if wanted is None:
                return
            if wanted.folder:
                self.remember(Kind.FOLDERS, wanted.folder)
            if wanted.choose:
                for each in wanted.sources:
                    self._add_to_choose(each, wanted)
            else:
                self.do(f"add {_words(wanted)}", lambda client: self._add(client, wanted))

        dialog = AddDialog(source, self.folder, self.room, folders=self.known_folders(), labels=self.known_labels())
        self.push_screen(dialog, answered)

    async def _add(self, client: Client, wanted: Wanted) -> None:
        """Raises StarlingError."""
        try:
            await add_each(client, wanted)
        except ThereAlreadyError as error:
            self.go_to(error.hash_string)
            raise

    def _add_to_choose(self, source: str, wanted: Wanted) -> None:
        async def added(client: Client) -> tuple[TorrentDetails, Space | None]:
            try:
                found = await add_to_choose(client, source, wanted)
            except ThereAlreadyError as error:
                self.go_to(error.hash_string)
                raise
            return found, await self.feed.room(wanted.folder or self.folder)

        self.learn(f"add {safe(source)[:60]}", added, lambda told: self._choose(wanted, *told))

    def _choose(self, wanted: Wanted, found: TorrentDetails, space: Space | None) -> None:
        """Of what was added and stands still."""
        from tui.screens.choose import ChooseDialog  # noqa: PLC0415 - as above

        name = safe(found.name)
        if not found.files:
            self.say(f"the files of {name} are not known before its metadata is here; it stands still", warn=True)
            return

        def answered(choice: Choice | None) -> None:
            if choice is None:
                self.say(f"{name} was added, and stands still", warn=True)
                return
            begin = not wanted.paused
            self.do(f"add {name}", lambda client: choose(client, found.hash_string, choice, begin=begin))

        self.push_screen(ChooseDialog(found.name, found.files, None if space is None else space.free), answered)

    # -- what the dialog asks for

    def on_add_dialog_folder_typed(self, event: AddDialog.FolderTyped) -> None:
        async def look() -> None:
            space = await self.feed.room(event.folder or self.folder)
            event.dialog.tell_room(
                room_of(space) or "not known how much is free", None if space is None else space.free
            )

        self.run_worker(look(), group="room", exclusive=True)

    def on_add_dialog_source_typed(self, event: AddDialog.SourceTyped) -> None:
        async def look() -> None:
            event.dialog.tell_source(await asyncio.to_thread(look_at, event.text))

        self.run_worker(look(), group="source", exclusive=True)

    def on_add_dialog_clipboard_asked(self, event: AddDialog.ClipboardAsked) -> None:
        from tui.clipboard import read_clipboard  # noqa: PLC0415 - as above

        async def read() -> None:
            try:
                event.dialog.put(await read_clipboard(os.environ))
            except ConfigError as error:
                if self.clipboard.strip():  # what was copied here
                    event.dialog.put(self.clipboard)
                else:
                    event.dialog.tell_trouble(str(error))

        self.run_worker(read(), group="clipboard", exclusive=True)

    def on_add_dialog_files_asked(self, event: AddDialog.FilesAsked) -> None:
        from tui.screens.browse import BrowseDialog  # noqa: PLC0415 - as above

        def answered(paths: tuple[str, ...] | None) -> None:
            self._browsed = browser.folder
            if paths:
                event.dialog.put("\n".join(paths))

        browser = BrowseDialog(event.folder or self._browsed or "~")
        self.push_screen(browser, answered)


def _words(wanted: Wanted) -> str:
    return safe(wanted.sources[0])[:60] if len(wanted.sources) == 1 else count(len(wanted.sources), "torrent")
