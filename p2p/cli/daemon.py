"""`starling daemon`: a peer without a face, steered by whatever speaks Transmission's RPC.

The rule: its log is all it says, on stdout, but for a few words at its first start; SIGHUP reads the configuration
again; SIGTERM and Ctrl-C stop it in good order and within a bound, and a second one ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import platformdirs
import typer

from p2p.cli import event_loop
from p2p.cli.console import note, say
from p2p.cli.options import NetworkOptions, takes_network_options
from p2p.cli.stop_signals import INTERRUPTED, StopSignals, hangups
from p2p.daemon import event_log
from p2p.daemon.client_address import DEFAULT_PORT
from p2p.daemon.config import FILE, PEER_PORT, SESSION, ConfigSource, LogFormat
from p2p.daemon.event_log import tell
from p2p.daemon.first_start import first_words
from p2p.daemon.service import STATE, STOP_BOUND, DaemonService, Places
from p2p.daemon.session_values import KILO
from p2p.operation.config_layers import Given, KeyName, read_secret
from p2p.operation.log_lines import LogLevel, lines_to
from p2p.operation.supervisor import Supervisor
from p2p.session.encryption import Encryption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.config import Loaded
    from p2p.metainfo.urls import Endpoint

_EXAMPLES: Final = """\b
Examples:
  starling daemon
  starling daemon --download-dir /srv/torrents --limit-up 2MiB/s
  starling daemon --rpc-host :: --rpc-password-file pass --allow 10.0.0.0/8
  STARLING_RPC_PORT=9092 starling daemon --print-config

Options go before variables of the environment (STARLING_RPC_PORT,
STARLING_DOWNLOAD_DIR, STARLING_RPC_PASSWORD_FILE, ...), these before
daemon.toml in --config-dir, and that before what clients have set.
SIGHUP reads the file again.
"""

_NAME: Final = "starling"
_TYPED: Final = "COMMANDLINE"
"""What typer calls the source of an option that was given."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("daemon", epilog=_EXAMPLES)(daemon_command)


@partial(takes_network_options, port=PEER_PORT)
def daemon_command(
    *,
    context: typer.Context,
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
        Path | None,
        typer.Option("--download-dir", metavar="DIR", help="Where content goes (default: the user's downloads)."),
    ] = None,
    watch_dir: Annotated[
        list[Path] | None,
        typer.Option("--watch-dir", metavar="DIR", help="Add what is put into this folder; may be given again."),
    ] = None,
    config_dir: Annotated[
        Path | None,
        typer.Option(
            "--config-dir",
            metavar="DIR",
            envvar="STARLING_CONFIG_DIR",
            help="Where daemon.toml may be, and below it all that is kept (default: the user's folders).",
        ),
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir", metavar="DIR", envvar="STARLING_STATE_DIR", help="Where all that is kept is instead."
        ),
    ] = None,
    network: NetworkOptions,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="How the log is written.")] = LogFormat.TEXT,
    log_level: Annotated[LogLevel, typer.Option("--log-level", help="The least that is told.")] = LogLevel.INFO,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the effective settings, each with its source, and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --log-format json.")] = False,  # noqa: ARG001
) -> int:
    """Run a peer that transmission-remote and its kin steer, until stopped.

    Ctrl-C stops in good order.
    """
    places = places_of(config_dir, state_dir)
    candidates: dict[str, list[tuple[KeyName, object]]] = {
        "rpc_host": [(("rpc", "host"), rpc_host)],
        "rpc_port": [(("rpc", "port"), rpc_port)],
        "rpc_user": [(("rpc", "user"), rpc_user)],
        "rpc_password_file": [(("rpc", "password"), rpc_password_file and read_secret(rpc_password_file))],
        "allow": [(("rpc", "allow"), allow)],
        "allow_host": [(("rpc", "allow_host"), allow_host)],
        "download_dir": [((SESSION, "download_dir"), download_dir and str(_absolute(download_dir)))],
        "watch_dir": [(("watch", "folders"), [str(_absolute(each)) for each in watch_dir or ()])],
        "log_format": [(("log", "format"), log_format.value)],
        "log_level": [(("log", "level"), log_level.value)],
        "as_json": [(("log", "format"), "json")],
        **_network(network),
    }
    source = ConfigSource(places.config_dir / FILE, dict(os.environ), _options(context, candidates))
    loaded = source.load()
    if print_config:
        for stranger in _strangers(source):
            note(stranger)
        say(loaded.to_toml(places.kept(), places.defaults()).rstrip("\n"))
        return 0
    return event_loop.run_with_own_log(_serve(source, loaded, places))


def _options(context: typer.Context, meant: Mapping[str, list[tuple[KeyName, object]]]) -> dict[KeyName, Given]:
    """What the options that were typed say; each parameter and the keys that it stands for are in `meant`."""
    options: dict[KeyName, Given] = {}
    for parameter, keys in meant.items():
        source = context.get_parameter_source(parameter)
        if source is not None and source.name == _TYPED:
            name = "--json" if parameter == "as_json" else f"--{parameter.replace('_', '-')}"
            options |= {key: Given(value, name, name) for key, value in keys}
    return options


def _network(network: NetworkOptions) -> dict[str, list[tuple[KeyName, object]]]:
    """The keys that the options of the network stand for, by parameter."""
    keyless = network.encryption is Encryption.OFF
    return {
        "port": [((SESSION, "peer_port"), network.port), ((SESSION, "peer_port_random_on_start"), False)],
        "bind": [(("network", "bind"), [network.bind])],
        "name_server": [(("network", "name_servers"), list(network.name_servers))],
        "no_nat": [((SESSION, "port_forwarding_enabled"), network.nat)],
        "gateway": [(("network", "gateway"), network.gateway)],
        "peer": [(("network", "peers"), [_joined(place) for place in network.peers])],
        "bootstrap": [(("network", "bootstrap"), [_joined(place) for place in network.bootstrap])],
        "no_dht": [((SESSION, "dht_enabled"), network.dht)],
        "no_lsd": [((SESSION, "lpd_enabled"), network.local_discovery)],
        "no_pex": [((SESSION, "pex_enabled"), network.peer_exchange)],
        "no_trackers": [(("network", "trackers"), network.trackers)],
        "limit_down": _limit("speed_limit_down", network.limit_down),
        "limit_up": _limit("speed_limit_up", network.limit_up),
        "encryption": [
            (("network", "plaintext_only"), keyless),
            *([] if keyless else [((SESSION, "encryption"), _ENCRYPTION[network.encryption])]),
        ],
    }


_ENCRYPTION: Final = {
    Encryption.ALLOW: "allowed",
    Encryption.PREFER: "preferred",
    Encryption.REQUIRE: "required",
}


def _limit(name: str, rate: int | None) -> list[tuple[KeyName, object]]:
    """A rate in bytes a second, in the RPC's kilobytes a second: at least one."""
    if rate is None:
        return []
    return [((SESSION, name), max(1, round(rate / KILO))), ((SESSION, f"{name}_enabled"), True)]


def _joined(place: Endpoint) -> str:
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _absolute(path: Path) -> Path:
    """Without steps up, and with the links that people made."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - resolve() would follow the links


def places_of(config_dir: Path | None, state_dir: Path | None) -> Places:
    """The user's folders, or those that are named; what is kept is below the configuration's if that alone is."""
    if config_dir is None:
        config = platformdirs.user_config_path(_NAME, appauthor=False)
        state = platformdirs.user_state_path(_NAME, appauthor=False)
    else:
        config = _absolute(config_dir)
        state = config / "state"
    return Places(config, state if state_dir is None else _absolute(state_dir), platformdirs.user_downloads_path())


def _greet(loaded: Loaded, places: Places) -> None:
    """Explain a first start: in words for people, as a record for programs."""
    rpc, given = loaded.config().rpc, {**places.defaults(), **loaded.given()}
    if loaded.config().log.format is LogFormat.JSON:
        tell("first start", config=str(places.config_dir / FILE), state=str(places.state_dir))
        return
    words = first_words(
        config_file=places.config_dir / FILE,
        state_dir=places.state_dir,
        download_dir=str(given["download_dir"]),
        host=rpc.host,
        port=rpc.port,
        locked=bool(rpc.password),
    )
    say(words)


def _strangers(source: ConfigSource) -> list[str]:
    """What to say of variables that look like ours and are none."""
    return [
        f"the variable {name} means nothing here" + ("" if meant is None else f"; did you mean {meant}?")
        for name, meant in source.strangers()
    ]


async def _serve(source: ConfigSource, loaded: Loaded, places: Places) -> int:
    config = loaded.config()
    loop = asyncio.get_running_loop()
    with StopSignals() as signals, lines_to(sys.stdout, event_log.LOGGER) as log:
        event_log.apply(config.log, log)
        supervisor = Supervisor(os.environ, os.getpid())
        if not (places.state_dir / STATE).exists():
            _greet(loaded, places)
        for stranger in _strangers(source):
            tell(stranger, level=logging.WARNING)
        service = DaemonService(
            source,
            loaded,
            places,
            log=log,
            supervisor=supervisor,
            started=time.time(),  # noqa: TID251 - an entry point
            stopping=lambda: loop.call_later(STOP_BOUND, _give_up),
        )
        signals.on_stop(service.stop)
        signals.on_again(_end)
        with hangups(service.reload):
            await service.run()
        tell("stopped")
    return INTERRUPTED if signals.received is signal.SIGINT else 0


def _give_up() -> None:
    tell("the stop takes longer than it may, and is a crash from here on", level=logging.ERROR, seconds=STOP_BOUND)
    os._exit(1)


def _end(number: signal.Signals) -> None:
    tell("told to stop again, and ends at once", level=logging.WARNING)
    os._exit(128 + number)
