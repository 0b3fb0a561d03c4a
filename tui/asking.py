"""What is asked before a verb is done: dialogs, and what their answers do. The half of the deck that needs a daemon.

The rule: the feed alone awaits it; here its answers are handed on, and where a daemon cannot answer the feed says why.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from textual.app import App

from p2p.errors import StarlingError
from tui.feed import Feed
from tui.safe_text import safe
from tui.sources import link_of, read_torrent
from tui.verb import ids_of, which

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow
    from tui.feed import Access
    from tui.form import Form
    from tui.screens.add import Wanted

T = TypeVar("T")


class Asking(App[None]):
    """`folder` is where downloads go, `room` what is free there, in words."""

    def __init__(self, find: Callable[[], Awaitable[Access]]) -> None:
        super().__init__()
        self.feed = Feed(find, self.post_message)
        self.folder = ""
        self.room = ""

    def unmark(self) -> None:
        """Marks are done with."""

    def do(self, words: str, act: Callable[[Client], Awaitable[object]]) -> None:
        self.run_worker(self.feed.do(words, act), group="verbs")

    def learn(self, words: str, question: Callable[[Client], Awaitable[T]], then: Callable[[T], None]) -> None:
        async def asked() -> None:
            for answer in await self.feed.ask(words, question):
                then(answer)

        self.run_worker(asked(), group="verbs")

    def say(self, text: str, *, warn: bool = False) -> None:
        self.notify(text, severity="warning" if warn else "information", timeout=5, markup=False)

    def copy(self, text: str) -> None:
        self.copy_to_clipboard(text)

    def ask_form(self, form: Form, then: Callable[[Mapping[str, str]], None]) -> None:
        from tui.screens.form import FormDialog  # noqa: PLC0415 - drawn on demand, and not before the first screen

        def answered(answers: Mapping[str, str] | None) -> None:
            if answers is not None:
                then(answers)

        self.push_screen(FormDialog(form), answered)

    def ask_removal(self, rows: Sequence[TorrentRow], *, delete: bool) -> None:
        from tui.screens.remove import RemoveDialog  # noqa: PLC0415 - as above

        ids = ids_of(rows)
        words = f"remove {which(rows)}" + (" with its content" if delete else "")

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - how Textual tells a result
            if yes:
                self.unmark()
                self.do(words, lambda client: client.remove(ids, delete=delete))

        self.push_screen(RemoveDialog(rows, delete=delete), answered)

    def ask_source(self, source: str) -> None:
        from tui.screens.add import AddDialog  # noqa: PLC0415 - as above

        def answered(wanted: Wanted | None) -> None:
            if wanted is not None:
                self.do(f"add {safe(wanted.source)[:60]}", lambda client: _add(client, wanted))

        self.push_screen(AddDialog(source, self.folder, self.room), answered)


async def _add(client: Client, wanted: Wanted) -> None:
    """Raises StarlingError."""
    link = link_of(wanted.source)
    source: str | bytes = link if link is not None else await asyncio.to_thread(read_torrent, wanted.source)
    added = await client.add(source, download_dir=wanted.folder or None, paused=True if wanted.paused else None)
    if added.duplicate:
        raise StarlingError(f"{safe(added.name)} is there already")
