"""What is asked before a verb is done: dialogs, and what their answers do. The half of the deck that needs a daemon.

The rule: the feed alone awaits it; here its answers are handed on, and where a daemon cannot answer the feed says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual.widgets import Static

from tui.creating import creation_form, make
from tui.feed import Access, Feed
from tui.form import Field, Form
from tui.safe_text import safe
from tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from p2p.daemon.client import Client

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

    def ask_creation(self, path: str) -> None:
        from tui.screens.creation import CreationDialog  # noqa: PLC0415 - as above

        def answered(answers: Mapping[str, str]) -> None:
            dialog = CreationDialog(answers["path"])
            self.push_screen(dialog)
            shown = safe(answers["path"])
            self.do(f"make a torrent of {shown}", lambda client: make(client, answers, dialog))

        self.ask_form(creation_form(path), answered)
