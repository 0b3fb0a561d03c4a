"""Which daemon is looked at: servers that are named, switched, added, changed and removed.

The rule: a password is kept where the person says and nowhere else: in a file of theirs, or in this process until it
ends. Each server has its place: cursor and marks are found again by who comes back to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual import on

from p2p.daemon.client_address import Server
from p2p.errors import ConfigError
from tui.config import MOST_SERVERS, NamedServer
from tui.facts import SessionArrived
from tui.feed import Access
from tui.figures import Standing, port_of, room_figures, room_of, session_figures
from tui.form import Field, Form
from tui.preferring import Preferring
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from p2p.daemon.client_values import ServerInfo
    from tui.memory import Memory
    from tui.rows import Place
    from tui.screens.servers import ServerWish

MOST_SECRET: Final = 4_096
"""Bytes of a password's file that are read."""

MOST_NAME: Final = 60
FIRST: Final = "the first server"
"""What that is called for which the interface was started."""


class Serving(Preferring):
    """`find` says where the daemon is for which the interface was started."""

    def __init__(
        self,
        find: Callable[[], Awaitable[Access]],
        clock: Callable[[], float],
        config: str,
        memory: Memory | None,
    ) -> None:
        super().__init__(self._where, clock, config, memory)
        self._first = find
        self._server: NamedServer | None = None
        """None for the one that the interface was started for."""
        self._places: dict[str, Place] = {}
        self._address = ""
        self._is_ours = False
        self._ports: dict[tuple[str, int], bool] = {}
        """Whether a server's port is open, as far as it was tested."""

    @property
    def server_name(self) -> str:
        """Of the server that is looked at, empty for the first one."""
        return "" if self._server is None else self._server.name

    def _named(self, name: str) -> NamedServer | None:
        return next((each for each in self._config.servers if each.name == name), None)

    def note_connection(self, info: ServerInfo, address: str) -> None:
        """There is one, to what is there."""
        self._is_ours, self._address = info.ours, address

    @on(SessionArrived)
    def _session_arrived(self, fact: SessionArrived) -> None:
        folder = fact.settings.get("download_dir")
        self.folder = safe(folder) if isinstance(folder, str) else ""
        self.room = room_of(fact.around.space)
        port = (self._address, port_of(fact.settings))
        standing = Standing(
            self.server_name or self._address,
            fact.statistics,
            fact.settings,
            fact.around,
            self.rows.errors,
            self._ports.get(port),
            *self.lately(fact.statistics),
        )
        figures = session_figures(standing)
        self._list.tell_figures(figures, room_figures(fact.around))
        self.note_session(fact, figures)

    def test_port(self) -> None:
        """Whether peers reach the daemon: it asks somebody outside."""
        settings = {} if self._session is None else self._session.settings
        port = (self._address, port_of(settings))

        def then(is_open: bool) -> None:  # noqa: FBT001 - an answer
            self._ports[port] = is_open
            self.say(f"port {port[1]} is {'open' if is_open else 'closed'}", warn=not is_open)

        self.learn("test the port", lambda client: client.test_port(), then)

    # -- which one

    def go_to_server(self, name: str) -> None:
        """The one after that which is looked at, without a name; after the last one the first one of all."""
        servers = self._config.servers
        if not servers:
            self.say("there is no other server; S adds one", warn=True)
            return
        if name:
            found = self._named(name)
            if found is None:
                known = ", ".join(safe(each.name) for each in servers)
                self.say(f"no server {safe(name)!r}; there are {known}", warn=True)
                return
            self._go_to(found)
        else:
            ring = [None, *(each.name for each in servers)]
            at = ring.index(self.server_name or None) if self.server_name in ring else 0
            after = ring[(at + 1) % len(ring)]
            self._go_to(None if after is None else self._named(after))

    def _go_to(self, server: NamedServer | None) -> None:
        self._places[self.server_name] = self.rows.place()
        self._server = server
        self.feed.turn_away()
        self._list.moved(self.rows.replace((), self._clock()))
        self.rows.unmark()
        self.rows.go_back(self._places.get(self.server_name))
        self.forget_session()
        self.begin()
        self.say(FIRST if server is None else f"server {safe(server.name)}")

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

    # -- which ones there are

    def choose_server(self, _: str) -> None:
        from tui.screens.servers import ServersDialog  # noqa: PLC0415 - drawn on demand, and not before the first screen

        self.push_screen(ServersDialog(self._config.servers, self.server_name), self._wished)

    def _wished(self, wish: ServerWish | None) -> None:
        from tui.screens.servers import Wish  # noqa: PLC0415 - as above

        if wish is None:
            return
        named = self._named(wish.name)
        match wish.wish:
            case Wish.GO:
                self._go_to(named)
            case Wish.ADD:
                self._ask_server(None)
            case Wish.CHANGE if named is not None:
                self._ask_server(named)
            case Wish.REMOVE if named is not None:
                self._ask_forget(named)
            case _:
                self.say(f"{FIRST} is the one that this was started for", warn=True)

    def _ask_server(self, known: NamedServer | None) -> None:
        def name(text: str) -> None:
            given = text.strip()
            if not given or len(given) > MOST_NAME:
                raise ConfigError(f"a name of at most {MOST_NAME} letters")
            if self._named(given) not in (None, known):
                raise ConfigError(f"{safe(given)} is another server's name")

        form = Form(
            "Another server" if known is None else f"Server {safe(known.name)}",
            (
                Field("name", "Name", "" if known is None else known.name, "nas", name),
                Field("url", "Address", "" if known is None else known.url, "http://me@nas:9091", Server.parse),
                Field("password", "Password", "", "as it is, or none", secret=True),
                Field(
                    "password_file",
                    "File to keep the password in",
                    "" if known is None else known.password_file,
                    "none: it is kept until this ends, and asked for again",
                    _secret_path,
                ),
            ),
            "A password that is given is written into that file, for you alone to read.",
        )
        if known is None and len(self._config.servers) >= MOST_SERVERS:
            self.say(f"there are {MOST_SERVERS} servers already", warn=True)
            return
        self.ask_form(form, lambda answers: self._take_server(known, answers))

    def _take_server(self, known: NamedServer | None, answers: Mapping[str, str]) -> None:
        url, file, password = answers["url"].strip(), answers["password_file"].strip(), answers["password"]
        fresh = NamedServer(answers["name"].strip(), Server.parse(url), file, url)
        if known is not None and known.name != fresh.name:
            self._forget(known)
        others = tuple(each for each in self._config.servers if each not in (known, self._named(fresh.name)))
        self._config = replace(self._config, servers=(*others, fresh))
        value = {"name": fresh.name, "url": url}
        self.keep(f"servers.{fresh.name}", {**value, "password_file": file} if file else value)
        if password and not file:
            self.remember_password(fresh.server.root, password)
        self.run_worker(self._use(fresh, password if file else ""), group="servers")

    async def _use(self, server: NamedServer, password: str) -> None:
        """Look at it, once its password is where it belongs."""
        if password:
            self.forget_password(server.server.root)
            try:
                await asyncio.to_thread(_write_secret, server.password_file, password)
            except ConfigError as error:
                self.say(str(error), warn=True)
                self.remember_password(server.server.root, password)
        self._go_to(server)

    def _ask_forget(self, server: NamedServer) -> None:
        form = Form(
            f"Forget the server {safe(server.name)}?",
            (Field("name", "Its name, to be sure", placeholder=server.name, check=_exactly(server.name)),),
            "Its torrents stay as they are, and so does the file with its password.",
        )

        def then(_: Mapping[str, str]) -> None:
            self._forget(server)
            if self.server_name == server.name:
                self._go_to(None)

        self.ask_form(form, then)

    def _forget(self, server: NamedServer) -> None:
        self._config = replace(
            self._config, servers=tuple(each for each in self._config.servers if each.name != server.name)
        )
        self.forget_password(server.server.root)
        self._places.pop(server.name, None)
        self.keep(f"servers.{server.name}", None)


def _exactly(name: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if text.strip() != name:
            raise ConfigError(f"{safe(name)}, to be sure")

    return check


def _secret_path(text: str) -> None:
    """Raises ConfigError."""
    given = text.strip()
    if given and ("\0" in given or not given.startswith(("/", "~"))):
        raise ConfigError("a path from / or ~ on, on this machine")


def _secret(path: str) -> str:
    """The first line of a file. Blocking. Raises ConfigError."""
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MOST_SECRET).decode().partition("\n")[0].rstrip("\r")
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"the password's file {safe(path)}: {safe(str(error))}") from error


def _write_secret(path: str, password: str) -> None:
    """Blocking. Raises ConfigError."""
    from tui.memory import write_private  # noqa: PLC0415 - as above

    try:
        write_private(Path(path).expanduser(), password.encode() + b"\n")
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"the password's file {safe(path)}: {safe(str(error))}") from error
