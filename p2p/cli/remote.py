"""What the verbs against a daemon share: where it is, the password, and what a failure says.

The rule: without `--connect` it is the daemon of this machine's user, wherever its own configuration puts it. A
password comes from a file, the environment, or a prompt, and never from the command line, which others can read.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from urllib.parse import urlsplit

import platformdirs
import typer

from p2p.cli.option_groups import in_place_of
from p2p.daemon.access import is_loopback
from p2p.daemon.client_address import Server
from p2p.daemon.client_errors import LoginRefusedError, UnreachableError
from p2p.disk.refusals import printable
from p2p.errors import ConfigError, StarlingError
from p2p.operation.config_layers import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from p2p.daemon.client import Client

T = TypeVar("T")

QUICK: Final = 1.0
"""Seconds for an answer that a shell waits for while somebody types."""

MAX_OFFERED: Final = 200
"""Names that a shell is offered: more than anybody looks through."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a comparison


@dataclass(frozen=True, slots=True)
class Daemon:
    """The daemon that a verb is for, as the options name it."""

    connect: str | None = None
    password_file: Path | None = None
    ask_password: bool = False
    as_json: bool = False

    def run(self, verb: Callable[[Client], Coroutine[None, None, T]]) -> T:
        """Carry a verb out. Raises a ClientError, ConfigError."""
        server, password = self.place()
        if self.ask_password:
            password = _prompt(server)
        try:
            return asyncio.run(_with_client(server, password, verb))
        except LoginRefusedError:
            if password is not None or not sys.stdin.isatty():
                raise
        return asyncio.run(_with_client(server, _prompt(server), verb))

    def folder(self, text: str) -> str:
        """A folder of the daemon's machine: of this one where it is here, and else it must be an absolute path."""
        if text.startswith("/"):
            return text
        server, _ = self.place()
        if not is_loopback(urlsplit(server.root).hostname or ""):
            raise ConfigError(f"{printable(text)}: a folder of another machine must be an absolute path")
        return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - links stay as people made them

    def names(self, beginning: str) -> list[str]:
        """Names of torrents that begin so, if the daemon answers at once; none otherwise."""
        lower = beginning.lower()

        async def ask(client: Client) -> list[str]:
            rows = await client.torrents(only=("name",))
            return [row.name for row in rows if row.name.lower().startswith(lower)][:MAX_OFFERED]

        try:
            server, password = self.place()
            return asyncio.run(_with_client(server, password, ask, patience=QUICK))
        except StarlingError:
            return []

    def access(self) -> tuple[Server, str | None]:
        """The same as `place`, after asking for the password where that is wished for."""
        server, password = self.place()
        return server, _prompt(server) if self.ask_password else password

    def place(self) -> tuple[Server, str | None]:
        """Where it is, and its password where one is known."""
        from p2p.daemon.config import FILE, ConfigSource  # noqa: PLC0415 - as in `_with_client`

        variables = {name: text for name, text in os.environ.items() if name.startswith("STARLING_RPC_")}
        config_dir = os.environ.get("STARLING_CONFIG_DIR") or platformdirs.user_config_dir("starling", appauthor=False)
        file = Path(config_dir) / FILE
        elsewhere = self.connect is not None or not os.access(file, os.R_OK)
        # What another's file says is not for a daemon elsewhere; what the environment says was said for this command.
        source = ConfigSource(file.with_name("none") if elsewhere else file, variables, {})
        rpc = source.read().config().rpc
        if self.connect is None:
            host = _EVERYWHERE.get(rpc.host, rpc.host)
            server = Server.parse(f"http://[{host}]:{rpc.port}" if ":" in host else f"http://{host}:{rpc.port}")
        else:
            server = Server.parse(self.connect)
        password = read_secret(self.password_file) if self.password_file is not None else rpc.password or None
        if password is not None and server.user is None:
            server = replace(server, user=rpc.user)
        return server, password


async def _with_client(
    server: Server,
    password: str | None,
    verb: Callable[[Client], Coroutine[None, None, T]],
    *,
    patience: float | None = None,
) -> T:
    # Imported here: `verify` has these options too, and on this machine needs no client.
    from p2p.daemon.client import Client  # noqa: PLC0415
    from p2p.daemon.client_transport import TIMEOUT  # noqa: PLC0415

    async with Client(server, password=password, timeout=patience or TIMEOUT) as client:
        try:
            return await verb(client)
        except UnreachableError as error:
            raise UnreachableError(f"{error} (is there a daemon? `starling daemon` starts one)") from error


def wall() -> float:
    """Now, in seconds since the epoch."""
    return time.time()  # noqa: TID251 - an entry point


def _prompt(server: Server) -> str:
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask for the password on; give --password-file")
    return str(typer.prompt(f"password for {server.root}", hide_input=True, err=True))


def _daemon_options(
    *,
    connect: Annotated[
        str | None,
        typer.Option(
            "--connect",
            metavar="URL",
            envvar="STARLING_CONNECT",
            help="The daemon: HOST, HOST:PORT or http://USER@HOST:PORT (default: this machine's).",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="Its password is this file's line."),
    ] = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for its password.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> Daemon:
    """The options that every verb has."""
    return Daemon(connect, password_file, ask_password, as_json)


def takes_daemon_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a verb the options of its daemon in the place of its parameter `daemon: Daemon`."""
    return in_place_of("daemon", command, _daemon_options)
