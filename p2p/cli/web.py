"""`starling tui --web`: the interface for browsers, before the daemon that runs or one engine for all pages.

The rule: the daemon's password opens it, and is asked for before anything is served; without one it is for this machine
alone, by a key of this run. Every page has a process of its own, which is told address and password by its environment.
Ctrl-C and SIGTERM end the pages first, and then the engine if it is ours.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from p2p.cli import event_loop, web_session
from p2p.cli.console import note, say, say_json
from p2p.cli.own_engine import OwnEngine
from p2p.cli.remote import wall
from p2p.cli.stop_signals import INTERRUPTED, StopSignals, hangups
from p2p.cli.tui import Choice
from p2p.daemon.access import is_loopback
from p2p.daemon.client import Client
from p2p.daemon.client_errors import LoginRefusedError, UnreachableError
from p2p.daemon.event_log import LOGGER
from p2p.operation.log_lines import PlainLines, lines_to
from p2p.session.scope import Scope
from tui.web.server import WebInterface, WebSettings
from tui.web.terminal import Command

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from p2p.cli.remote import Daemon
    from p2p.daemon.client_address import Server

TOKEN: Final = 32
"""Random bytes of a key and of a session's token."""

_SECRET: Final = "STARLING_RPC_PASSWORD"  # noqa: S105 - a variable's name


@dataclass(frozen=True, slots=True)
class WebPlace:
    """As the options say it."""

    bind: str | None
    port: int | None
    names: tuple[str, ...]

    def settings(self, password: str | None) -> WebSettings:
        """Raises ConfigError for what would be open to others."""
        usual = WebSettings()
        return WebSettings(
            host=usual.host if self.bind is None else self.bind,
            port=usual.port if self.port is None else self.port,
            names=self.names,
            password=password,
        )


def serve_web(daemon: Daemon, place: WebPlace, *, as_json: bool) -> int:
    """Until stopped; the exit status. Raises ConfigError, NetworkError, ClientError."""
    server, password = _admitted(daemon)
    return event_loop.run_with_own_log(
        _serve(server, password, place.settings(password), elsewhere=daemon.connect is not None, as_json=as_json)
    )


def _admitted(daemon: Daemon) -> tuple[Server, str | None]:
    """Where the daemon is, and a password that it takes, where there is a daemon; asked for if need be."""
    server, password = daemon.access()
    try:
        asyncio.run(_greet(server, password))
    except UnreachableError:
        if daemon.connect is not None:
            raise
    except LoginRefusedError:
        if password is not None or not sys.stdin.isatty():
            raise
        server, password = replace(daemon, ask_password=True).access()
        asyncio.run(_greet(server, password))
    return server, password


async def _greet(server: Server, password: str | None) -> None:
    async with Client(server, password=password) as client:
        await client.info()


async def _serve(server: Server, password: str | None, settings: WebSettings, *, elsewhere: bool, as_json: bool) -> int:
    told = asyncio.Event()
    # A terminal that goes away ends this, unless whoever started it (nohup) said otherwise.
    heeds = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    going = hangups(told.set) if heeds else nullcontext()
    with StopSignals() as signals, going, lines_to(sys.stderr, LOGGER) as log:
        log.set_form(PlainLines())
        signals.on_stop(told.set)
        async with Scope() as scope:
            engine = OwnEngine(scope, log)
            chosen = Choice(server, password, None if elsewhere else engine)
            try:
                command = _page_command(*await chosen.access())
                async with WebInterface(settings, command, partial(secrets.token_urlsafe, TOKEN)) as interface:
                    _tell(interface, settings, as_json=as_json)
                    await _first(told.wait(), *([engine.ended()] if chosen.has_engine else []))
            finally:
                await engine.stop()
    return INTERRUPTED if signals.received is signal.SIGINT else 0


def _page_command(server: Server, password: str | None) -> Command:
    # -P: what is in the current folder is not for this program.
    argv = (sys.executable, "-P", "-m", web_session.__name__)
    inherited = {name: text for name, text in os.environ.items() if name != _SECRET}
    environment = inherited | web_session.environment_of(server, password)
    return Command(argv, environment, complains=bool(os.environ.get("STARLING_TRACEBACK")))


def _tell(interface: WebInterface, settings: WebSettings, *, as_json: bool) -> None:
    if as_json:
        say_json({"event": "listening", "time": wall(), "url": interface.link})
    else:
        say(interface.link)
    sys.stdout.flush()
    if settings.password is not None:
        note("the daemon's password opens it")
    if not is_loopback(settings.host):
        note("without an HTTPS proxy before it, others on the way can read the password")


async def _first(*waits: Coroutine[None, None, object]) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
