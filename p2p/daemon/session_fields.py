"""The keys of `session_get` and `session_set`: what each is, and what values it takes.

The rule: a value that is set has been checked here. Keys that only tell something cannot be set, and a key for what
this engine does not have takes the truth alone, so that nobody believes to have switched on what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from p2p.daemon.arguments import (
    MAX_LIMIT,
    MAX_TEXT,
    as_boolean,
    as_integer,
    as_location,
    as_number,
    as_text,
    tiers_of,
)
from p2p.daemon.names import Dialect, Json, canonical
from p2p.daemon.rpc_errors import invalid

RPC_VERSION: Final = 18
"""Of Transmission 4.1: JSON-RPC is there, and no client in use refuses it."""

RPC_VERSION_MINIMUM: Final = 14
RPC_VERSION_SEMVER: Final = "6.0.0"
COMPATIBLE: Final = "4.1.0"
"""The Transmission whose RPC this is: clients read it to know what they may ask for."""

UNITS: Final[dict[str, Json]] = {
    "speed_units": ["kB/s", "MB/s", "GB/s", "TB/s"],
    "speed_bytes": 1000,
    "size_units": ["kB", "MB", "GB", "TB"],
    "size_bytes": 1000,
    "memory_units": ["KiB", "MiB", "GiB", "TiB"],
    "memory_bytes": 1024,
}

Check: TypeAlias = Callable[[str, Json], Json]
"""Takes a key and a value; the value as it is kept. Raises RpcError."""


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    kind: str
    """What it is in a JSON schema."""

    check: Check | None
    """None for a key that cannot be set."""


def _boolean(name: str) -> Setting:
    return Setting(name, "boolean", as_boolean)


def _whole(name: str, high: int = MAX_LIMIT, low: int = 0) -> Setting:
    return Setting(name, "integer", lambda key, value: as_integer(key, value, low, high))


def _told(name: str, kind: str) -> Setting:
    return Setting(name, kind, None)


def _text(name: str) -> Setting:
    return Setting(name, "string", lambda key, value: as_text(key, value, MAX_TEXT))


def _location(name: str) -> Setting:
    return Setting(name, "string", as_location)


def _only(name: str, truth: Json, kind: str, why: str) -> Setting:
    def check(key: str, value: Json) -> Json:
        if value != truth:
            raise invalid(f"{key} cannot be changed: {why}")
        return truth

    return Setting(name, kind, check)


def _script(name: str) -> Setting:
    """A path, or nothing."""
    return Setting(name, "string", lambda key, value: value if value == "" else as_location(key, value))


def _url(key: str, value: Json) -> Json:
    text = as_text(key, value, MAX_TEXT)
    if text and not text.startswith(("http://", "https://")):
        raise invalid(f"{key} must be an http or https URL")
    return text


def _trackers(key: str, value: Json) -> Json:
    return "\n\n".join("\n".join(tier) for tier in tiers_of(key, value))


_ENCRYPTION: Final = {
    "required": "required",
    "preferred": "preferred",
    "allowed": "allowed",
    "tolerated": "allowed",
}


def _encryption(key: str, value: Json) -> Json:
    known = _ENCRYPTION.get(value) if isinstance(value, str) else None
    if known is None:
        raise invalid(f"{key} must be required, preferred, or allowed (tolerated, in the legacy dialect)")
    return known


_NO_UTP: Final = "this version has no uTP"
_LAST_MINUTE: Final = 24 * 60 - 1

SETTINGS: Final = (
    _whole("alt_speed_down"),
    _boolean("alt_speed_enabled"),
    _whole("alt_speed_time_begin", _LAST_MINUTE),
    _whole("alt_speed_time_day", 127),
    _boolean("alt_speed_time_enabled"),
    _whole("alt_speed_time_end", _LAST_MINUTE),
    _whole("alt_speed_up"),
    _boolean("blocklist_enabled"),
    _told("blocklist_size", "integer"),
    Setting("blocklist_url", "string", _url),
    _whole("cache_size_mib", 1 << 20),
    _told("config_dir", "string"),
    Setting("default_trackers", "string", _trackers),
    _boolean("dht_enabled"),
    _location("download_dir"),
    _told("download_dir_free_space", "integer"),
    _boolean("download_queue_enabled"),
    _whole("download_queue_size"),
    Setting("encryption", "string", _encryption),
    _whole("idle_seeding_limit"),
    _boolean("idle_seeding_limit_enabled"),
    _script("incomplete_dir"),
    _boolean("incomplete_dir_enabled"),
    _boolean("lpd_enabled"),
    _whole("peer_limit_global", 65_535, 1),
    _whole("peer_limit_per_torrent", 65_535, 1),
    _whole("peer_port", 65_535),
    _boolean("peer_port_random_on_start"),
    _boolean("pex_enabled"),
    _boolean("port_forwarding_enabled"),
    _only("preferred_transports", ["tcp"], "array", _NO_UTP),
    _boolean("queue_stalled_enabled"),
    _whole("queue_stalled_minutes"),
    _boolean("rename_partial_files"),
    _told("reqq", "integer"),
    _told("rpc_version", "integer"),
    _told("rpc_version_minimum", "integer"),
    _told("rpc_version_semver", "string"),
    _boolean("script_torrent_added_enabled"),
    _script("script_torrent_added_filename"),
    _boolean("script_torrent_done_enabled"),
    _script("script_torrent_done_filename"),
    _boolean("script_torrent_done_seeding_enabled"),
    _script("script_torrent_done_seeding_filename"),
    _boolean("seed_queue_enabled"),
    _whole("seed_queue_size"),
    Setting("seed_ratio_limit", "number", lambda key, value: as_number(key, value, 0, MAX_LIMIT)),
    _boolean("seed_ratio_limited"),
    _boolean("sequential_download"),
    _told("session_id", "string"),
    _whole("speed_limit_down"),
    _boolean("speed_limit_down_enabled"),
    _whole("speed_limit_up"),
    _boolean("speed_limit_up_enabled"),
    _told("starling_blocklist_date", "integer"),
    _told("starling_blocklist_problem", "string"),
    _told("starling_extensions", "array"),
    _told("starling_interface", "string"),
    _told("starling_interface_addresses", "array"),
    _told("starling_network_problem", "string"),
    _told("starling_outer_port", "integer"),
    _script("starling_port_file"),
    _told("starling_port_mapping", "object"),
    Setting("starling_port_test_url", "string", _url),
    _told("starling_state_problem", "string"),
    _whole("starling_undo_seconds", 30 * 24 * 3600),
    _told("starling_version", "string"),
    _whole("starling_seed_time_limit"),
    _boolean("starling_seed_time_limited"),
    _boolean("start_added_torrents"),
    _only("tcp_enabled", True, "boolean", "peers are reached by TCP alone, and " + _NO_UTP),
    _boolean("trash_original_torrent_files"),
    _told("units", "object"),
    _only("utp_enabled", False, "boolean", _NO_UTP),
    _told("version", "string"),
)
"""All of them, in alphabetical order."""

BY_NAME: Final = {setting.name: setting for setting in SETTINGS}

CONSTANT: Final[dict[str, Json]] = {
    "preferred_transports": ["tcp"],
    "rpc_version": RPC_VERSION,
    "rpc_version_minimum": RPC_VERSION_MINIMUM,
    "rpc_version_semver": RPC_VERSION_SEMVER,
    "tcp_enabled": True,
    "units": dict(UNITS),
    "utp_enabled": False,
}
"""What is the same in every session."""

OF_THE_PROGRAM: Final = ("session_id", "starling_extensions", "starling_version", "version")
"""What the methods themselves tell."""

KEPT: Final = tuple(
    setting.name for setting in SETTINGS if setting.name not in CONSTANT and setting.name not in OF_THE_PROGRAM
)
"""The keys whose values the library keeps."""


def checked(given: Mapping[str, Json]) -> dict[str, Json]:
    """The changes of a `session_set`, each checked. Raises RpcError for the first that cannot be; unknown keys and
    nulls are left out."""
    changes: dict[str, Json] = {}
    for name, value in given.items():
        setting = BY_NAME.get(name)
        if setting is None or value is None:
            continue
        if setting.check is None:
            raise invalid(f"{name} cannot be set")
        changes[name] = setting.check(name, value)
    return changes


def told(values: Mapping[str, Json], asked: Json, dialect: Dialect) -> dict[str, Json]:
    """The answer to `session_get`: the keys that are asked for, or all."""
    names = list(BY_NAME)
    if asked is not None:
        if not isinstance(asked, list):
            raise invalid("fields must be a list of names")
        known = {canonical(name) if dialect is Dialect.LEGACY else name for name in asked if isinstance(name, str)}
        names = [name for name in names if name in known]
    answer = {name: values[name] for name in names}
    if dialect is Dialect.LEGACY and answer.get("encryption") == "allowed":
        answer["encryption"] = "tolerated"
    return answer
