"""`starling daemon`: a peer without a face, steered by whatever speaks Transmission's RPC.

The rule: the RPC is on loopback unless a password protects it, and the daemon stops in good order, whoever tells it to.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Final

import platformdirs
import typer

from p2p.cli import event_loop
from p2p.cli.console import say, say_json
from p2p.cli.options import NetworkOptions, takes_network_options
from p2p.cli.stop_signals import StopSignals
from p2p.daemon.access import Login, hash_password
from p2p.daemon.dispatch import Dispatcher
from p2p.daemon.http_server import DEFAULT_PORT, RPC_PATH, HttpServer, HttpSettings, token_of
from p2p.daemon.library import SessionLibrary
from p2p.disk.refusals import refusal
from p2p.errors import ConfigError
from p2p.session.environment import real_environment
from p2p.session.scope import Scope
from p2p.session.session import Session
from p2p.version import VERSION

_EXAMPLES: Final = """\b
Examples:
  starling daemon --download-dir ~/Downloads
  starling daemon --rpc-host :: --rpc-password-file pass --allow 10.0.0.0/8
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("daemon", epilog=_EXAMPLES)(daemon_command)


@takes_network_options
def daemon_command(
    *,
    rpc_host: Annotated[
        str, typer.Option("--rpc-host", metavar="ADDRESS", help="Where the RPC listens.")
    ] = "127.0.0.1",
    rpc_port: Annotated[
        int, typer.Option("--rpc-port", metavar="N", min=0, max=65_535, help="Its port; 0 takes any free one.")
    ] = DEFAULT_PORT,
    rpc_user: Annotated[str, typer.Option("--rpc-user", metavar="NAME", help="Who logs in.")] = "starling",
    rpc_password_file: Annotated[
        Path | None,
        typer.Option("--rpc-password-file", metavar="FILE", help="Ask for the password that this file's line is."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NETWORK", help="Who may call beside this machine; may be given again."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name this is reached by; may be given again."),
    ] = None,
    download_dir: Annotated[
        Path, typer.Option("--download-dir", metavar="DIR", help="Where content goes.", show_default=False)
    ] = Path(),
    network: NetworkOptions,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Run a peer that transmission-remote and its kin steer, until stopped.

    Torrents are kept as long as it runs. Ctrl-C stops in good order.
    """
    login = (
        None if rpc_password_file is None else Login(rpc_user, hash_password(_line(rpc_password_file), token_bytes(16)))
    )
    http = HttpSettings(
        host=rpc_host,
        port=rpc_port,
        login=login,
        addresses=(*HttpSettings().addresses, *(allow or ())),
        hosts=tuple(allow_host or ()),
    )
    return event_loop.run(_serve(http, network, download_dir, as_json=as_json))


def _line(path: Path) -> str:
    try:
        line = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise refusal(error, path) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text") from error
    if not line or "\n" in line:
        raise ConfigError(f"{path} must have the password as its only line")
    return line


async def _serve(http: HttpSettings, network: NetworkOptions, download_dir: Path, *, as_json: bool) -> int:
    settings = network.settings(download_dir=download_dir)
    environment = real_environment(hash_workers=settings.hash_workers, open_files=settings.open_files)
    stopped = asyncio.Event()
    token = token_of(token_bytes(32))
    try:
        with StopSignals() as signals:
            signals.on_stop(stopped.set)
            async with Session(settings, environment=environment) as session, Scope() as scope:
                library = SessionLibrary(
                    session,
                    environment,
                    config_dir=platformdirs.user_config_dir("starling", appauthor=False),
                    first=int(time.time() * 1000),  # noqa: TID251 - an entry point
                    close=stopped.set,
                )
                scope.start(library.run(), name="library")
                dispatcher = Dispatcher(library, session_id=token, version=VERSION)
                async with HttpServer(http, dispatcher.dispatch, token=token, secret=token_bytes(32)) as server:
                    host = f"[{http.host}]" if ":" in http.host else http.host
                    url = f"http://{host}:{server.port}{RPC_PATH}"
                    if as_json:
                        say_json({"event": "listening", "rpc": url, "port": session.port})
                    else:
                        say(f"RPC at {url}, peers at port {session.port}")
                    await stopped.wait()
            return 130 if signals.received is not None and signals.received.name == "SIGINT" else 0
    finally:
        await environment.http.close()
        await environment.hasher.close()
