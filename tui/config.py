"""What a person has set down for the interface, in `tui.toml`: servers, keys, columns, order, views, theme. Pure.

The rule: bad content is named and skipped, and the rest holds; a file that is no TOML at all is as if it were empty.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from p2p.daemon.client_address import Server
from p2p.errors import ConfigError
from tui.columns import COLUMNS, USUAL
from tui.query import parse as parse_query
from tui.rows import MOST_LEVELS, Level
from tui.safe_text import safe
from tui.terms import QueryError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST_BYTES: Final = 256 * 1024
"""Of the file: hundreds of servers and views."""

MOST_SERVERS: Final = 100
MOST_KEYS: Final = 10
"""For one verb."""

USUAL_VIEWS: Final[Mapping[str, str]] = {
    "1": "",
    "2": "active",
    "3": "started",
    "4": "stopped",
    "5": "complete",
    "6": "incomplete",
    "7": "checking",
    "8": "seeding",
    "9": "leeching",
    "0": "error",
}
"""Of whoever has set down none: a filter by its key."""


@dataclass(frozen=True, slots=True)
class NamedServer:
    """`password_file` is a path on this machine, empty for none."""

    name: str
    server: Server
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """`keys` are Textual's, with commas between, by verb. `troubles` say what was skipped, and why."""

    servers: tuple[NamedServer, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = USUAL
    sort: tuple[Level, ...] = (Level("name"),)
    views: Mapping[str, str] = field(default_factory=lambda: dict(USUAL_VIEWS))
    theme: str = ""
    troubles: tuple[str, ...] = ()


def read(text: str, *, verbs: Collection[str], themes: Collection[str]) -> Config:
    """What the file says; `verbs` and `themes` are those there are."""
    troubles: list[str] = []
    if len(text) > MOST_BYTES:
        return Config(troubles=(f"tui.toml: more than {MOST_BYTES:,} letters",))
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return Config(troubles=(f"tui.toml: {safe(str(error))}",))
    known = ("servers", "keys", "columns", "sort", "views", "theme")
    troubles += [f"tui.toml: there is no setting {safe(name)!r}" for name in told if name not in known]
    theme = told.get("theme", "")
    if theme and theme not in themes:
        troubles.append(f"theme: there is no {safe(str(theme))!r}")
        theme = ""
    return Config(
        servers=_servers(told.get("servers", []), troubles),
        keys=_keys(told.get("keys", {}), verbs, troubles),
        columns=_columns(told.get("columns", list(USUAL)), troubles),
        sort=_sort(told.get("sort", ["name"]), troubles),
        views={**USUAL_VIEWS, **_views(told.get("views", {}), troubles)},
        theme=str(theme),
        troubles=tuple(troubles),
    )


def _servers(told: object, troubles: list[str]) -> tuple[NamedServer, ...]:
    found: dict[str, NamedServer] = {}
    if not isinstance(told, list):
        troubles.append("servers: they are written as [[servers]]")
        return ()
    for each in told[:MOST_SERVERS]:
        name, url = (each.get("name"), each.get("url")) if isinstance(each, dict) else (None, None)
        file = each.get("password_file", "") if isinstance(each, dict) else ""
        if not isinstance(name, str) or not name or not isinstance(url, str) or not isinstance(file, str):
            troubles.append("servers: each has a name and a url, and perhaps a password_file, which are texts")
            continue
        try:
            found[name] = NamedServer(name, Server.parse(url), file)
        except ConfigError as error:
            troubles.append(f"servers: {safe(name)}: {safe(str(error))}")
    return tuple(found.values())


def _keys(told: object, verbs: Collection[str], troubles: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if not isinstance(told, dict):
        troubles.append("keys: they are written below [keys]")
        return {}
    for verb, keys in told.items():
        if verb not in verbs:
            troubles.append(f"keys: there is no verb {safe(verb)!r}")
            continue
        wanted = keys.split(",") if isinstance(keys, str) else []
        if not 0 < len(wanted) <= MOST_KEYS or not all(key.strip() for key in wanted):
            troubles.append(f"keys: {verb} has the names of one to {MOST_KEYS} keys, with commas between")
            continue
        found[verb] = ",".join(key.strip() for key in wanted)
    return found


def _columns(told: object, troubles: list[str]) -> tuple[str, ...]:
    found = columns_of(told if isinstance(told, list) else [told], troubles)
    return found or USUAL


def columns_of(told: Collection[object], troubles: list[str]) -> tuple[str, ...]:
    """Those of `told` that there are, each once; with the name, which takes what room is left."""
    found = dict.fromkeys(key for key in map(str, told) if key in COLUMNS)
    troubles += [f"columns: there is no {safe(key)!r}" for key in map(str, told) if key not in COLUMNS]
    return tuple(found) if "name" in found or not found else ("name", *found)


def _sort(told: object, troubles: list[str]) -> tuple[Level, ...]:
    """Names of columns, with a minus before it for descending order."""
    levels = []
    for text in map(str, told[:MOST_LEVELS] if isinstance(told, list) else [told]):
        if text.removeprefix("-") in COLUMNS:
            levels.append(Level(text.removeprefix("-"), text.startswith("-")))
        else:
            troubles.append(f"sort: there is no column {safe(text)!r}")
    return tuple(levels) or (Level("name"),)


def _views(told: object, troubles: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if not isinstance(told, dict):
        troubles.append("views: they are written below [views]")
        return {}
    for key, text in told.items():
        if key not in USUAL_VIEWS or not isinstance(text, str):
            troubles.append(f"views: {safe(key)!r} is none of 1 to 9 and 0, or has no filter in quotes")
            continue
        try:
            found[key] = parse_query(text).text
        except QueryError as error:
            troubles.append(f"views: {key}: {error}")
    return found
