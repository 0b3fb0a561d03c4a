"""The tracker's configuration: a TOML file of sections, with options of the command line over it.

The rule: everything has a default that serves, so that no file is needed; what a file says is checked whole before
anything of it is used; and a reload takes up what is `live` and names what is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from p2p.errors import ConfigError
from p2p.operation.config_layers import read_config, read_tables
from p2p.operation.config_schema import (
    check_sections,
    differences,
    key,
    keys_of,
    read_section,
    read_value,
    write_section,
)
from p2p.operation.config_values import (
    Choice,
    Duration,
    Hosts,
    IpNetwork,
    Name,
    Networks,
    Places,
    Switch,
    Text,
    Whole,
)
from p2p.operation.log_lines import LogLevel
from tracker.config_private import (
    CheatsConfig,
    ClientsConfig,
    DutyConfig,
    GuessesConfig,
    MembersConfig,
    PrivateConfig,
    RatioConfig,
)
from tracker.logic import Rules
from tracker.private.rules import PrivateRules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_PORT: Final = 6_969
"""Where trackers have always listened."""


class LogFormat(StrEnum):
    """How records are written."""

    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenConfig:
    """Where announces are taken."""

    bind: tuple[str, ...] = key((), Hosts(), "Addresses to listen at; none means all of this host's, of both families.")
    http: bool = key(True, Switch(), "Whether announces are taken over HTTP.")
    http_port: int = key(DEFAULT_PORT, Whole(0, 65_535), "TCP port of HTTP; 0 takes any free one.")
    udp: bool = key(
        True, Switch(), "Whether announces are taken over UDP. Not in private mode unless clients know BEP 41."
    )
    udp_port: int = key(DEFAULT_PORT, Whole(0, 65_535), "UDP port; 0 takes any free one.")
    announce_url: str = key(
        "",
        Text('a URL like "http://tracker.example:6969/announce", or nothing'),
        "What members of a private tracker are told to announce to, their passkey left out.",
    )
    workers: int = key(1, Whole(1, 64, "processes"), "Processes that serve the same ports and swarms.")
    trusted_proxies: tuple[IpNetwork, ...] = key(
        (), Networks(), "Proxies whose X-Forwarded-For or Forwarded tells who asks; nobody else is believed."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceConfig:
    """What an announce is answered."""

    interval: float = key(
        1_800.0, Duration(1, 86_400), "Between two announces of a peer; a tenth is added by chance.", live=True
    )
    min_interval: float = key(900.0, Duration(1, 86_400), "The least between two announces of a peer.", live=True)
    default_peers: int = key(50, Whole(0, 1_000, "peers"), "Given to who does not say how many it wants.", live=True)
    max_peers: int = key(200, Whole(1, 1_000, "peers"), "Given at most.", live=True)
    max_full_scrape: int = key(
        2_000, Whole(0, 100_000, "torrents"), "Torrents at most in the answer to a scrape that names none.", live=True
    )

    def rules(self) -> Rules:
        """For the logic."""
        return Rules(
            interval=self.interval,
            min_interval=self.min_interval,
            default_peers=self.default_peers,
            max_peers=self.max_peers,
            max_full_scrape=self.max_full_scrape,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """What the tracker allows itself."""

    torrents: int = key(100_000, Whole(1, 100_000_000, "swarms"), "Swarms at most; newcomers are refused beyond.")
    peers: int = key(2_000_000, Whole(1, 1_000_000_000, "peers"), "Peers at most, of all swarms together.")
    connections: int = key(4_096, Whole(1, 1_000_000, "connections"), "HTTP connections that stay, at once.")
    connections_per_address: int = key(
        256, Whole(1, 1_000_000, "connections"), "Of them from one IPv4 address or IPv6 /64; proxies are exempt."
    )
    exchange_time: float = key(
        15.0, Duration(0.1, 600), "For a request to arrive, an answer to leave, a connection to be quiet."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmsConfig:
    """Where swarms outlive the process."""

    snapshot: str = key(
        "", Text("a path, or nothing"), "File that swarms are saved to and restored from; none: not saved."
    )
    save_every: float = key(
        300.0, Duration(1, 86_400), "Between two saves; one more is made at a clean stop.", live=True
    )
    redis: str = key(
        "", Text('a URL like "redis://127.0.0.1:6379/0", or nothing'), "Redis or Valkey that several trackers share."
    )
    redis_prefix: str = key("starling", Name(), "What all keys in it begin with; trackers that share swarms have one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminConfig:
    """Who sees how the tracker does."""

    bind: tuple[tuple[str, int], ...] = key(
        (), Places(), "Further addresses for the status page, /metrics and /stats alone; who reaches them is trusted."
    )
    allow: tuple[IpNetwork, ...] = key(
        Networks().read(["127.0.0.0/8", "::1"]),
        Networks(),
        "Who is given /metrics and /stats at the HTTP port.",
        live=True,
    )
    status_page: bool = key(True, Switch(), "Whether the HTTP port has the status page, for everybody.", live=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is told of the running server, on stdout."""

    format: LogFormat = key(LogFormat.PLAIN, Choice(LogFormat), "How a record is written.", live=True)  # noqa: RUF009
    level: LogLevel = key(LogLevel.INFO, Choice(LogLevel), "The least that is told.", live=True)  # noqa: RUF009
    announces: bool = key(False, Switch(), "Whether every announce is told; slow.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerConfig:
    """All of it. Field names are section names."""

    listen: ListenConfig = field(default_factory=ListenConfig)
    announce: AnnounceConfig = field(default_factory=AnnounceConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    swarms: SwarmsConfig = field(default_factory=SwarmsConfig)
    private: PrivateConfig = field(default_factory=PrivateConfig)
    ratio: RatioConfig = field(default_factory=RatioConfig)
    duty: DutyConfig = field(default_factory=DutyConfig)
    members: MembersConfig = field(default_factory=MembersConfig)
    cheats: CheatsConfig = field(default_factory=CheatsConfig)
    clients: ClientsConfig = field(default_factory=ClientsConfig)
    guesses: GuessesConfig = field(default_factory=GuessesConfig)
    admin: AdminConfig = field(default_factory=AdminConfig)
    log: LogConfig = field(default_factory=LogConfig)

    def private_rules(self) -> PrivateRules:
        """For the gate of a private tracker."""
        return PrivateRules(
            ratio=self.ratio.rules(),
            duty=self.duty.rules(),
            limits=self.members.rules(),
            cheats=self.cheats.rules(),
            clients=self.clients.rules(),
            guesses=self.guesses.rules(),
            peer_lifetime=self.announce.rules().peer_lifetime,
            place_lifetime=self.members.place_lifetime,
        )

    def to_toml(self) -> str:
        """The effective values, each with what it decides and allows."""
        return "\n".join(write_section(each.name, getattr(self, each.name)) for each in fields(self))


SECTIONS: Final[Mapping[str, type[object]]] = {
    each.name: type(getattr(TrackerConfig(), each.name)) for each in fields(TrackerConfig)
}


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where a configuration comes from: a file, and options over it as (section, key) -> (option, TOML value)."""

    file: Path | None = None
    options: Mapping[tuple[str, str], tuple[str, object]] = field(default_factory=dict)

    def load(self) -> TrackerConfig:
        """Read it, now. Raises ConfigError with the file or option, the key and what is allowed."""
        config = TrackerConfig() if self.file is None else parse(read_config(self.file), str(self.file))
        for (section, name), (option, value) in self.options.items():
            known = next(known for each, known, _ in keys_of(SECTIONS[section]) if each == name)
            changed = replace(getattr(config, section), **{name: read_value(known, value, option)})
            config = replace(config, **{section: changed})
        _check(config, "the configuration" if self.file is None else str(self.file))
        return config


def parse(text: str, place: str) -> TrackerConfig:
    """The configuration in TOML `text`; `place` names it in messages. Raises ConfigError."""
    tables = read_tables(text, place)
    check_sections(tables, tuple(SECTIONS), place)
    return TrackerConfig(
        **{name: read_section(SECTIONS[name], name, table, place) for name, table in tables.items()}  # type: ignore[arg-type]
    )


def needs_restart(old: TrackerConfig, new: TrackerConfig) -> list[str]:
    """The keys that differ and that a running server cannot take up, as `[section] key`."""
    return [f"[{name}] {each}" for name in SECTIONS for each in _changed(old, new, name, live=False)]


def taken_up(old: TrackerConfig, new: TrackerConfig) -> list[str]:
    """The keys that differ and that a running server takes up, as `[section] key`."""
    return [f"[{name}] {each}" for name in SECTIONS for each in _changed(old, new, name, live=True)]


def only_live(old: TrackerConfig, new: TrackerConfig) -> TrackerConfig:
    """`old` with those values of `new` that a running server takes up."""
    sections = {}
    for name in SECTIONS:
        values = {each: getattr(getattr(new, name), each) for each in _changed(old, new, name, live=True)}
        sections[name] = replace(getattr(old, name), **values)
    return replace(old, **sections)


def _changed(old: TrackerConfig, new: TrackerConfig, name: str, *, live: bool) -> list[str]:
    return differences(getattr(old, name), getattr(new, name), lambda known: known.live is live)


def _check(config: TrackerConfig, place: str) -> None:
    """What single keys cannot say."""
    if not config.listen.http and not config.listen.udp:
        raise ConfigError(f"{place}: [listen] http and udp are both off, so nobody could announce")
    if config.announce.min_interval > config.announce.interval:
        raise ConfigError(f"{place}: [announce] min_interval is longer than interval")
    if config.announce.default_peers > config.announce.max_peers:
        raise ConfigError(f"{place}: [announce] default_peers is more than max_peers")
    if config.cheats.networks > config.cheats.max_networks:
        raise ConfigError(f"{place}: [cheats] networks is more than max_networks")
    if config.private.database and config.swarms.redis:
        raise ConfigError(
            f"{place}: [private] database and [swarms] redis exclude one another: one process keeps accounts"
        )
