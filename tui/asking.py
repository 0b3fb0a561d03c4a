"""What is asked before a verb is done: dialogs, and what their answers do. The half of the deck that needs a daemon.

The rule: the feed alone awaits it; here its answers are handed on, and where a daemon cannot answer the feed says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual.widgets import Static

from tui.adding import add, add_to_choose, choose
from tui.creating import creation_form, make
from tui.feed import Access, Feed
from tui.figures import room_of
from tui.form import Field, Form
from tui.safe_text import safe
from tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentDetails
    from tui.adding import Wanted
    from tui.screens.add import AddDialog

T = TypeVar("T")


class Asking(TypeAhead):
    """`folder` is where downloads go, `room` what is free there, in words."""

    def __init__(self, find: Callable[[], Awaitable[Access]]) -> None:
        super().__init__()
        self._find = find
        self._passwords: dict[str, str] = {}
        """By the root of the server's URL, as typed here."""
        self._trouble = ""
        self.feed = Feed(self._access, self.post_message)
        self.folder = ""
        self.room = ""

    async def _access(self) -> Access:
        """Where the daemon is, with the password that was typed last for it. Raises StarlingError."""
        access = await self._find()
        typed = self._passwords.get(access.server.root)
        return access if typed is None else Access(access.server, typed)

    def ask_password(self, place: str) -> None:
        """For the daemon there, and try it then."""

        def then(answers: Mapping[str, str]) -> None:
            for scheme in ("http", "https"):
                self.remember_password(f"{scheme}://{place}", answers["password"])
            self.feed.try_now()

        field = Field("password", "Password", secret=True)
        self.ask_form(Form(f"{safe(place)} asks for a password", (field,)), then)

    def remember_password(self, root: str, password: str) -> None:
        """Until this ends, for the server at that root of an URL."""
        self._passwords[root] = password

    def forget_password(self, root: str) -> None:
        self._passwords.pop(root, None)

    def tell_trouble(self, trouble: str) -> None:
        """Why there is no connection, or nothing: seen on whatever screen is open."""
        self._trouble = trouble
        self.show_trouble()

    def show_trouble(self) -> None:
        for screen in self.screen_stack[2:]:  # below them the list, which has a line of its own for it
            shown = screen.query("#lost").results(Static)
            line = next(shown, None)
            if line is not None:
                line.update(self._trouble)
                line.display = bool(self._trouble)
            elif self._trouble and screen.is_attached:
                screen.mount(Static(self._trouble, id="lost", markup=False))

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

    def ask_source(self, source: str) -> None:
        from tui.screens.add import AddDialog  # noqa: PLC0415 - as above

        def answered(wanted: Wanted | None) -> None:
            if wanted is None:
                return
            words = f"add {safe(wanted.source)[:60]}"
            if wanted.choose:
                self.learn(
                    words, lambda client: add_to_choose(client, wanted), lambda found: self._choose(wanted, found)
                )
            else:
                self.do(words, lambda client: add(client, wanted))

        self.push_screen(AddDialog(source, self.folder, self.room), answered)

    def on_add_dialog_folder_typed(self, event: AddDialog.FolderTyped) -> None:
        async def look() -> None:
            space = await self.feed.room(event.folder or self.folder)
            event.dialog.tell_room(room_of(space) or "not known how much is free")

        self.run_worker(look(), group="room", exclusive=True)

    def _choose(self, wanted: Wanted, found: TorrentDetails) -> None:
        """Of what was added and stands still."""
        from tui.screens.choose import ChooseDialog  # noqa: PLC0415 - as above

        name = safe(found.name)
        if not found.files:
            self.say(f"the files of {name} are not known before its metadata is here; it stands still", warn=True)
            return

        def answered(skipped: tuple[int, ...] | None) -> None:
            if skipped is None:
                self.say(f"{name} was added, and stands still", warn=True)
                return
            begin = not wanted.paused
            self.do(f"add {name}", lambda client: choose(client, found.id, skipped, begin=begin))

        self.push_screen(ChooseDialog(found.name, found.files), answered)

    def ask_creation(self, path: str) -> None:
        from tui.screens.creation import CreationDialog  # noqa: PLC0415 - as above

        def answered(answers: Mapping[str, str]) -> None:
            dialog = CreationDialog(answers["path"])
            self.push_screen(dialog)
            shown = safe(answers["path"])
            self.do(f"make a torrent of {shown}", lambda client: make(client, answers, dialog))

        self.ask_form(creation_form(path), answered)
