"""What a person has set down, at work: views, columns, order, keys, theme, and the server that is looked at.

The rule: what is wrong with the file is told once, and nothing else of it is lost.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError
from tui.columns import COLUMNS
from tui.config import Config, NamedServer, columns_of, read
from tui.feed import Access
from tui.form import Field, Form
from tui.looking import Looking
from tui.query import parse
from tui.safe_text import safe
from tui.screens.torrents import TorrentsScreen
from tui.verbs import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOST_TROUBLES: Final = 5
"""That are told at once: with the rest, they fit on 24 lines."""

MOST_SECRET: Final = 4_096
"""Bytes of a password's file that are read."""


class Preferring(Looking):
    """`config` is the text of `tui.toml`, empty where there is none."""

    def __init__(self, find: Callable[[], Awaitable[Access]], clock: Callable[[], float], config: str) -> None:
        super().__init__(self._where, clock)
        self._first = find
        self._server: NamedServer | None = None
        """None for the one that the interface was started for."""
        self._now = clock
        self._list = TorrentsScreen(self.rows, clock)
        self._config = read(config, verbs=BY_NAME, themes=self.available_themes) if config else Config()

    def take_config(self) -> None:
        """Once the first screen is there."""
        config = self._config
        self.set_keymap(config.keys)
        if config.theme:
            self.theme = config.theme
        self.rows.sort(config.sort, self._now())
        self._list.columns = config.columns
        for trouble in config.troubles[:MOST_TROUBLES]:
            self.notify(trouble, title="skipped", severity="warning", timeout=10, markup=False)

    def view(self, key: str) -> None:
        self._list.moved(self.rows.filter(parse(self._config.views[key]), self._now()))

    def choose_columns(self, words: str) -> None:
        if words:
            self._show_columns(words)
            return
        now = " ".join(self._list.columns)
        form = Form(
            "Columns, in their order",
            (Field("columns", "Names, with blanks between", now, check=_columns),),
            f"There are {', '.join(COLUMNS)}. Where there is no room for all, some are left out.",
        )
        self.ask_form(form, lambda answers: self._show_columns(answers["columns"]))

    def _show_columns(self, words: str) -> None:
        try:
            self._list.columns = _columns(words)
        except ConfigError as error:
            self.say(str(error), warn=True)

    # -- servers

    def go_to_server(self, name: str) -> None:
        """The one after that which is looked at, without a name; after the last one the first one of all."""
        servers = self._config.servers
        if not servers:
            self.say("tui.toml names no server", warn=True)
            return
        if name:
            found = next((each for each in servers if each.name == name), None)
            if found is None:
                self.say(
                    f"no server {safe(name)!r}; there are {', '.join(safe(each.name) for each in servers)}", warn=True
                )
                return
            self._server = found
        else:
            ring = (None, *servers)
            self._server = ring[(ring.index(self._server) + 1) % len(ring)]
        self._list.moved(self.rows.replace((), self._now()))
        self.rows.unmark()
        self.begin()
        self.say("the first server" if self._server is None else f"server {safe(self._server.name)}")

    def begin(self) -> None:
        """Follow the server that is looked at, and no other one any more."""
        self.run_worker(self.feed.follow(), name="list", group="list", exclusive=True)

    async def _where(self) -> Access:
        """Raises StarlingError."""
        if self._server is None:
            return await self._first()
        file = self._server.password_file
        password = await asyncio.to_thread(_secret, file) if file else None
        return Access(self._server.server, password)


def _columns(text: str) -> tuple[str, ...]:
    """Raises ConfigError."""
    troubles: list[str] = []
    found = columns_of(text.replace(",", " ").split(), troubles)
    if troubles or not found:
        raise ConfigError(troubles[0] if troubles else "one column at least")
    return found


def _secret(path: str) -> str:
    """The first line of a file. Blocking. Raises ConfigError."""
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MOST_SECRET).decode().partition("\n")[0].rstrip("\r")
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"the password's file {safe(path)}: {safe(str(error))}") from error
