"""`starling tui`: the terminal interface, before a daemon that runs or an engine of its own.

The rule: it is drawn first, and what it needs is sought then. Without `--connect` it takes the daemon of this machine's
user; where none listens, it begins one in this process, which ends with it.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import platformdirs
import typer

from p2p.cli import event_loop
from p2p.cli.console import note
from p2p.cli.remote import Daemon, wall
from p2p.cli.stop_signals import INTERRUPTED
from p2p.errors import ConfigError

if TYPE_CHECKING:
    from p2p.cli.own_engine import OwnEngine
    from p2p.daemon.client_address import Server

_EXAMPLES: Final = """\b
Examples:
  starling tui
  starling tui --connect nas:9091 --ask-password
  starling tui --web

Where no daemon runs, it is one itself for as long as it is open. With --web
it is for a browser, and prints what to open there.
"""

MOST_CONFIG: Final = 1024 * 1024
"""Bytes that are read of `tui.toml`, which says itself how many it may have."""

QUICK: Final = 1.0
"""Seconds for a daemon of this machine to take a connection."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tui", epilog=_EXAMPLES)(tui_command)


def tui_command(
    *,
    connect: Annotated[
        str | None,
        typer.Option(
            "--connect",
            metavar="URL",
            envvar="STARLING_CONNECT",
            help="The daemon: HOST, HOST:PORT or http://USER@HOST:PORT (default: this machine's, or one of its own).",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="Its password is this file's line."),
    ] = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for its password.")] = False,
    web: Annotated[bool, typer.Option("--web", help="Serve it to browsers, after a login, until stopped.")] = False,
    web_bind: Annotated[
        str | None,
        typer.Option("--web-bind", metavar="ADDRESS", help="Where it is served (default: 127.0.0.1)."),
    ] = None,
    web_port: Annotated[
        int | None,
        typer.Option("--web-port", metavar="N", min=0, max=65_535, help="Its port (default: 9180); 0 is any free one."),
    ] = None,
    web_host: Annotated[
        list[str] | None,
        typer.Option("--web-host", metavar="NAME", help="A name browsers reach it by; may be given again."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --web, tell in JSON what to open.")] = False,
) -> int:
    """Look at seeders and leechers at work, and tell them what to do."""
    daemon = Daemon(connect, password_file, ask_password)
    if web:
        from p2p.cli.web import WebPlace, serve_web  # noqa: PLC0415 - an HTTP server, for this option alone

        return serve_web(daemon, WebPlace(web_bind, web_port, tuple(web_host or ())), as_json=as_json)
    if as_json or web_bind is not None or web_port is not None or web_host:
        raise ConfigError("--web-bind, --web-port, --web-host and --json go with --web")
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # it is drawn on the last
        raise ConfigError("this needs a terminal; `starling list` and `starling watch` do not")
    server, password = daemon.access()
    return event_loop.run_with_own_log(show(server, password, elsewhere=connect is not None))


async def show(server: Server, password: str | None, *, elsewhere: bool) -> int:
    """Until it is left; with an engine of its own where nobody listens, unless the server is `elsewhere`."""
    from p2p.cli.own_engine import OwnEngine  # noqa: PLC0415 - after the options are known to be right
    from p2p.daemon.event_log import LOGGER  # noqa: PLC0415 - as above
    from p2p.operation.log_lines import lines_to  # noqa: PLC0415 - as above
    from p2p.session.scope import Scope  # noqa: PLC0415 - as above
    from tui.app import StarlingApp  # noqa: PLC0415 - as above
    from tui.feed import Access  # noqa: PLC0415 - as above
    from tui.memory import Memory  # noqa: PLC0415 - as above
    from tui.remembered import NAME  # noqa: PLC0415 - as above

    # The screen is no place for a log; the daemon's own is read over the RPC.
    with _Nowhere() as nowhere, lines_to(nowhere, LOGGER) as log:
        async with Scope() as scope:
            engine = OwnEngine(scope, log)
            chosen = Choice(server, password, None if elsewhere else engine)

            async def find() -> Access:
                return Access(*await chosen.access())

            app = StarlingApp(find, wall, _config(), Memory(_state_folder() / NAME))
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, lambda: app.exit(return_code=INTERRUPTED))
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, app.exit)
            try:
                await app.run_async()
                if chosen.has_engine:
                    with suppress(OSError):  # of a terminal that is closed
                        note("telling trackers and peers that we go")
            finally:
                await engine.stop()
    return app.return_code or 0


def _config() -> str:
    """What is set down for the interface, empty where nothing is, or nobody can read it."""
    folder = os.environ.get("STARLING_CONFIG_DIR") or platformdirs.user_config_dir("starling", appauthor=False)
    with suppress(OSError), (Path(folder) / "tui.toml").open("rb") as file:
        return file.read(MOST_CONFIG).decode(errors="replace")
    return ""


def _state_folder() -> Path:
    """Where the interface remembers what is changed in it."""
    folder = os.environ.get("STARLING_STATE_DIR")
    return Path(folder) if folder else platformdirs.user_state_path("starling", appauthor=False)


class _Nowhere(io.StringIO):
    """Keeps nothing of what is written."""

    def write(self, text: str) -> int:
        return len(text)


class Choice:
    """The daemon that is there, or an engine of our own from the first time on that nobody listens."""

    def __init__(self, server: Server, password: str | None, engine: OwnEngine | None) -> None:
        self._server = server
        self._password = password
        self._engine = engine
        self.has_engine = False

    async def access(self) -> tuple[Server, str | None]:
        """Raises StarlingError."""
        if self._engine is None or (not self.has_engine and await _listens(self._server)):
            return self._server, self._password
        self.has_engine = True
        return await self._engine.access()


async def _listens(server: Server) -> bool:
    """Whether somebody takes connections there; known sooner than the HTTP library is loaded."""
    parts = urlsplit(server.root)
    with suppress(OSError, TimeoutError):
        _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, parts.port), QUICK)
        writer.close()
        return True
    return False
