"""The daemon's configuration: options go before the environment, that before `daemon.toml`, that before what clients
set in earlier runs, and that before the defaults.

The rule: what is written down is the operator's word. A client may change a key of the session that is written down,
and the change holds until the daemon starts again or reads its file again; a change of any other key is kept for good.
Everything has a default that serves; what is given is checked whole before anything of it is used, and whose it is can
be printed. Without a password the RPC is on loopback, whichever place says otherwise.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass, field, fields
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon import session_fields
from p2p.daemon.access import AllowedAddresses, is_loopback
from p2p.daemon.client_address import DEFAULT_PORT
from p2p.daemon.rpc_errors import RpcError
from p2p.daemon.session_values import KILO
from p2p.errors import ConfigError
from p2p.metainfo.urls import Endpoint, parse_endpoint
from p2p.net.gateway import Gateway
from p2p.net.interface_binding import is_interface_name
from p2p.operation.config_layers import (
    DEFAULT,
    Effective,
    Given,
    KeyName,
    from_environment,
    from_file,
    resolve,
    strangers,
)
from p2p.operation.config_schema import HIDDEN, Key, key, keys_of
from p2p.operation.config_values import Choice, Secret, Switch, Text, Whole, Words
from p2p.operation.log_lines import LogLevel
from p2p.session.encryption import Encryption
from p2p.session.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.names import Json
    from p2p.daemon.session_fields import Setting

FILE: Final = "daemon.toml"
"""Its name in the configuration folder. It need not be there."""

PREFIX: Final = "STARLING_"

_WIDTH: Final = 100
_COLUMN: Final = 44
"""Of what is printed: the width of comments, and where a value's source stands."""

SESSION: Final = "session"
KEPT: Final = "set by a client"

PEER_PORT: Final = 51_413
"""Where peers reach a daemon: the port that Transmission's have always had, so that routers' rules hold."""

_NOT_OURS: Final = frozenset(
    {"STARLING_TRACEBACK", "STARLING_CONFIG_DIR", "STARLING_STATE_DIR", "STARLING_CONNECT"}
    | {"STARLING_REQUIRE_RIVALS", "STARLING_SEED"}
)
"""Variables that mean something else: to the command line, and to the tests."""

_NETWORKS: Final = Words(
    re.compile(r"[0-9a-fA-F:.*/]{1,64}"), 'a list of addresses and networks like ["10.0.0.0/8", "192.168.1.*"]'
)
_NAMES: Final = Words(re.compile(r"[\w.*-]{1,253}"), 'a list of host names like ["nas.example", "*.lan"]')
_ORIGINS: Final = Words(re.compile(r"https?://[^\s/]{1,253}"), 'a list of origins like ["https://web.example"]')
_PLACES: Final = Words(re.compile(r"[^\s/]{1,64}"), 'a list of IP addresses and interface names like ["tun0"]')
_ADDRESSES: Final = Words(re.compile(r"[0-9a-fA-F:.]{2,45}"), 'a list of IP addresses like ["10.64.0.1"]')
_FOLDERS: Final = Words(re.compile(r"[/~][^\0\r\n]{0,4000}"), 'a list of absolute paths like ["~/watch", "/srv/in"]')
_ENDPOINTS: Final = Words(re.compile(r"\S{1,300}"), 'a list of HOST:PORT like ["router.example:6881"]')


class LogFormat(StrEnum):
    """How records are written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcConfig:
    """Where and for whom the RPC is."""

    host: str = key("127.0.0.1", Text("an IP address, or localhost"), "Where the RPC listens.")
    port: int = key(DEFAULT_PORT, Whole(0, 65_535), "Its TCP port; 0 takes any free one.")
    user: str = key("starling", Text("a name without a colon"), "Who logs in.", live=True)
    password: str = key(
        "",
        Secret(),
        "Asked for of every caller; none: of nobody, on loopback alone. password_file names a file with it instead.",
        live=True,
        secret=True,
    )
    allow: tuple[str, ...] = key((), _NETWORKS, "Who may call beside this machine.", live=True)
    allow_host: tuple[str, ...] = key((), _NAMES, "Names this is reached by; not looked at with a password.", live=True)
    allow_origin: tuple[str, ...] = key((), _ORIGINS, "Whose pages may call from a browser.", live=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What the engine is told that the RPC cannot say."""

    bind: tuple[str, ...] = key((), _PLACES, "Where to listen and connect from; none: everywhere.")
    name_servers: tuple[str, ...] = key((), _ADDRESSES, "Whom to ask for names, when bind is an interface.")
    gateway: str = key("", Text("an IP address"), "The router to ask for a port; none: that of the default route.")
    bootstrap: tuple[str, ...] = key((), _ENDPOINTS, "Nodes to join the DHT by; none: the well-known ones.")
    peers: tuple[str, ...] = key((), _ENDPOINTS, "Peers to try for every torrent.")
    trackers: bool = key(True, Switch(), "Whether to announce to trackers.")
    plaintext_only: bool = key(False, Switch(), "Encrypt no connection, whatever encryption says.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchConfig:
    """Folders whose torrent files are added."""

    folders: tuple[str, ...] = key((), _FOLDERS, "Whose torrent and magnet files are added.", live=True)
    paused: bool = key(False, Switch(), "Do not start what is added from there.", live=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is told of the running daemon, on stdout."""

    format: LogFormat = key(LogFormat.TEXT, Choice(LogFormat), "How a record is written.", live=True)  # noqa: RUF009
    level: LogLevel = key(LogLevel.INFO, Choice(LogLevel), "The least that is told.", live=True)  # noqa: RUF009


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """All of it. Field names are section names; beside them is `[session]`, with the RPC's keys of a session."""

    rpc: RpcConfig = field(default_factory=RpcConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    watch: WatchConfig = field(default_factory=WatchConfig)
    log: LogConfig = field(default_factory=LogConfig)


SECTIONS: Final[Mapping[str, type[object]]] = {
    each.name: type(getattr(DaemonConfig(), each.name)) for each in fields(DaemonConfig)
}


@dataclass(frozen=True, slots=True)
class SessionKind:
    """A key of the session, by the RPC's own check. Folders and scripts may begin with `~`."""

    setting: Setting

    @property
    def allowed(self) -> str:
        for ending, allowed in _PATHS.items():
            if self.setting.name.endswith(ending):
                return allowed
        try:
            self._check(None)
        except ValueError as error:
            return str(error).removeprefix(f"{self.setting.name} must be ")
        return "anything"

    def read(self, value: object) -> Json:
        if isinstance(value, str) and value.startswith("~") and self.setting.name.endswith(tuple(_PATHS)):
            try:
                value = str(Path(value).expanduser())
            except RuntimeError as error:
                raise ValueError(f"{self.setting.name} must be in a home that there is") from error
        return self._check(value)

    def _check(self, value: object) -> Json:
        if self.setting.check is None:
            raise ValueError(f"{self.setting.name} must be what it is")
        try:
            return self.setting.check(self.setting.name, value)  # type: ignore[arg-type] # which the check finds out
        except RpcError as error:
            raise ValueError(str(error)) from error

    def write(self, value: Json) -> str:
        return Switch().write(value) if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)


_PATHS: Final = {"_dir": "an absolute path", "_filename": "an absolute path, or nothing"}

_SETTABLE: Final = {
    setting.name: setting
    for setting in session_fields.SETTINGS
    if setting.check is not None and setting.name not in session_fields.CONSTANT
}

KEYS: Final[Mapping[KeyName, Key]] = {
    **{(section, name): known for section, kind in SECTIONS.items() for name, known, _ in keys_of(kind)},
    **{(SESSION, name): Key(SessionKind(setting), "", live=True) for name, setting in _SETTABLE.items()},
}

_DEFAULTS: Final[Mapping[KeyName, object]] = {
    **{(section, name): default for section, kind in SECTIONS.items() for name, _, default in keys_of(kind)},
    **dict.fromkeys(((SESSION, name) for name in _SETTABLE), None),
}


def variable_of(key: KeyName) -> str:
    """The environment variable of a key, without the prefix: those of the session have their bare name."""
    section, name = key
    return name.upper() if section == SESSION else f"{section}_{name}".upper()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Every key's value and whose it is; None for a key of the session that nobody gives."""

    values: Mapping[KeyName, Effective]

    def config(self) -> DaemonConfig:
        """The sections but `[session]`, as values."""
        sections = {
            section: kind(**{name: self.values[section, name].value for name, _, _ in keys_of(kind)})
            for section, kind in SECTIONS.items()
        }
        return DaemonConfig(**sections)  # type: ignore[arg-type] # each is of the class that its field has

    def given(self) -> dict[str, Json]:
        """The keys of the session that are written down somewhere."""
        return {
            name: each.value
            for (section, name), each in self.values.items()
            if section == SESSION and each.source != DEFAULT
        }

    def to_toml(self, kept: Mapping[str, Json], defaults: Mapping[str, Json]) -> str:
        """The effective values, each with whose it is and secrets hidden; `kept` are those that clients have set."""
        lines: list[str] = []
        for section in (*SECTIONS, SESSION):
            lines.append(f"[{section}]")
            for (its, name), known in KEYS.items():
                if its == section:
                    lines += self._written(section, name, known, kept, defaults)
            lines.append("")
        return "\n".join(lines)

    def _written(
        self, section: str, name: str, known: Key, kept: Mapping[str, Json], defaults: Mapping[str, Json]
    ) -> list[str]:
        effective = self.values[section, name]
        if section == SESSION and effective.source == DEFAULT:
            effective = Effective(kept[name], KEPT) if name in kept else Effective(defaults[name], DEFAULT)
        if known.secret:
            line = f"# {name} = {HIDDEN}" if effective.value else f"# {name} is not set"
        else:
            line = f"{name} = {known.kind.write(effective.value)}"
        words = textwrap.wrap(f"{known.words} Must be {known.kind.allowed}.", _WIDTH) if known.words else []
        return [*(f"# {each}" for each in words), f"{line:<{_COLUMN}}  # {effective.source}"]


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where the daemon's configuration comes from. `file` need not be there; `options` are the command line's."""

    file: Path
    environ: Mapping[str, str]
    options: Mapping[KeyName, Given]

    def load(self) -> Loaded:
        """Read it, now. Raises ConfigError with the place, the key and what is allowed."""
        loaded = self.read()
        _check(loaded)
        return loaded

    def read(self) -> Loaded:
        """The same without what single keys cannot say: for who only wants to know where a daemon is."""
        written = from_file(self.file, KEYS) if self.file.exists() else {}
        variables = from_environment(self.environ, PREFIX, KEYS, variable_of)
        return Loaded(resolve(KEYS, _DEFAULTS, [self.options, variables, written]))

    def strangers(self) -> list[tuple[str, str | None]]:
        """Variables that look like ours and are none, each with the one that was perhaps meant."""
        return strangers(self.environ, PREFIX, [variable_of(key) for key in KEYS], _NOT_OURS)


def _check(loaded: Loaded) -> None:
    """What single keys cannot say."""
    rpc, sources = loaded.config().rpc, loaded.values
    if not rpc.password and not is_loopback(rpc.host):
        source = sources["rpc", "host"].source
        raise ConfigError(f"the RPC on {rpc.host} ({source}) would be open to others: give it a password first")
    if ":" in rpc.user:
        raise ConfigError(f"{sources['rpc', 'user'].source}: a user's name has no colon")
    try:
        AllowedAddresses(rpc.allow)
    except ConfigError as error:
        raise ConfigError(f"{sources['rpc', 'allow'].source}: {error}") from error
    for name in ("bootstrap", "peers"):
        for place in getattr(loaded.config().network, name):
            if parse_endpoint(place) is None:
                raise ConfigError(f"{sources['network', name].source}: {place} is no HOST:PORT")


def needs_restart(old: Loaded, new: Loaded) -> list[str]:
    """The keys that differ and that a running daemon cannot take up, as `[section] key`."""
    return [f"[{key[0]}] {key[1]}" for key, known in KEYS.items() if not known.live and _differs(old, new, key)]


def taken_up(old: Loaded, new: Loaded) -> list[str]:
    """The keys that differ and that a running daemon takes up, as `[section] key`."""
    return [f"[{key[0]}] {key[1]}" for key, known in KEYS.items() if known.live and _differs(old, new, key)]


def _differs(old: Loaded, new: Loaded, key: KeyName) -> bool:
    return bool(old.values[key].value != new.values[key].value)


def engine_settings(config: DaemonConfig, values: Mapping[str, Json], *, state_dir: Path) -> Settings:
    """Settings of the engine, from the configuration and the session's effective values, which are checked."""
    network = config.network
    encryption = Encryption.OFF if network.plaintext_only else _ENCRYPTION[str(values["encryption"])]
    return Settings(
        download_dir=str(values["download_dir"]),
        state_dir=state_dir,
        port=0 if values["peer_port_random_on_start"] else _whole(values["peer_port"]),
        bind=_addresses(network.bind) or Settings().bind,
        interface=_interface(network.bind),
        name_servers=_addresses(network.name_servers, "name_servers"),
        port_mapping=bool(values["port_forwarding_enabled"]),
        gateway=Gateway(*_addresses((network.gateway,), "gateway")) if network.gateway else None,
        limit_down=_rate(values, "speed_limit_down"),
        limit_up=_rate(values, "speed_limit_up"),
        encryption=encryption,
        max_connections=_whole(values["peer_limit_global"]),
        max_connections_per_torrent=_whole(values["peer_limit_per_torrent"]),
        trackers=network.trackers,
        dht=bool(values["dht_enabled"]),
        bootstrap=endpoints(network.bootstrap) or Settings().bootstrap,
        peer_exchange=bool(values["pex_enabled"]),
        local_discovery=bool(values["lpd_enabled"]),
        read_cache=_whole(values["cache_size_mib"]) << 20,
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _interface(places: tuple[str, ...]) -> str | None:
    """The interface that is named among places to bind to. Raises ConfigError where others stand beside it."""
    named = [place for place in places if not _is_address(place)]
    if named and len(places) > 1:
        raise ConfigError(f"[network] bind: {named[0]} is an interface, which stands alone")
    if named and not is_interface_name(named[0]):
        raise ConfigError(f"[network] bind: {named[0]} is no IP address and no network interface")
    return named[0] if named else None


def _addresses(places: tuple[str, ...], name: str | None = None) -> tuple[str, ...]:
    """The IP addresses among them, in canonical form. Raises ConfigError for what is none, where a key is named."""
    if name is not None and (wrong := [place for place in places if not _is_address(place)]):
        raise ConfigError(f"[network] {name}: {wrong[0]} is no IP address")
    return tuple(str(ip_address(place)) for place in places if _is_address(place))


def endpoints(places: tuple[str, ...]) -> tuple[Endpoint, ...]:
    """Host and port of each."""
    return tuple(place for place in map(parse_endpoint, places) if place is not None)


_ENCRYPTION: Final = {
    "required": Encryption.REQUIRE,
    "preferred": Encryption.PREFER,
    "allowed": Encryption.ALLOW,
}


def _whole(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _rate(values: Mapping[str, Json], name: str) -> float | None:
    return _whole(values[name]) * KILO if values[f"{name}_enabled"] else None
