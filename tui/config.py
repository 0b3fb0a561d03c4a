"""What a person has set down for the interface, in `tui.toml`: servers, keys, columns, order, views, theme. Pure.

The rule: bad content is named and skipped, and the rest holds; a file that is no TOML at all is as if it were empty.
What the interface remembers (`tui.remembered`) is laid over it and checked like it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from p2p.daemon.client_address import Server
from p2p.errors import ConfigError
from tui.columns import COLUMNS, USUAL, column_of
from tui.keys import settled
from tui.query import parse as parse_query
from tui.remembered import laid_over
from tui.rows import MOST_LEVELS, Level
from tui.safe_text import safe
from tui.terms import QueryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tui.remembered import Entry

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
class View:
    """A filter, and the order it is seen in; the order that there is stays where it names none."""

    filter: str
    sort: tuple[Level, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedServer:
    """`password_file` is a path on this machine, empty for none. `url` is as it was written."""

    name: str
    server: Server
    password_file: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """`keys` are Textual's, with commas between, by verb. `columns` are keys, with `:` and a width where one is chosen.

    `told` is what `tui.toml` says, as it was read. `troubles` say what was skipped, and why.
    """

    servers: tuple[NamedServer, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = USUAL
    sort: tuple[Level, ...] = (Level("name"),)
    views: dict[str, View] = field(default_factory=lambda: {key: View(text) for key, text in USUAL_VIEWS.items()})
    theme: str = ""
    motion: bool = False
    """Whether cursors blink and pages slide."""
    told: Mapping[str, Any] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def read(
    text: str,
    *,
    verbs: Mapping[str, str],
    themes: Collection[str],
    inner: Collection[str] = (),
    remembered: Mapping[str, Entry] | None = None,
) -> Config:
    """What the file says and what is laid over it. `verbs` have their keys by name; `inner` is as in `tui.keys`."""
    troubles: list[str] = []
    base: dict[str, Any] = {}
    if len(text) > MOST_BYTES:
        troubles.append(f"tui.toml: more than {MOST_BYTES:,} letters")
    else:
        try:
            base = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            troubles.append(f"tui.toml: {safe(str(error))}")
    known = ("servers", "keys", "columns", "sort", "views", "theme", "motion")
    troubles += [f"tui.toml: there is no setting {safe(name)!r}" for name in base if name not in known]
    told = laid_over(base, remembered or {})
    theme = told.get("theme", "")
    if theme and (not isinstance(theme, str) or theme not in themes):
        troubles.append(f"theme: there is no {safe(str(theme))!r}")
        theme = ""
    motion = told.get("motion", False)
    if not isinstance(motion, bool):
        troubles.append("motion: it is true or false")
    return Config(
        servers=_servers(told.get("servers", []), troubles),
        keys=settled(_keys(told.get("keys", {}), verbs, troubles), verbs, troubles, inner),
        columns=_columns(told.get("columns", list(USUAL)), troubles),
        sort=_sort(told.get("sort", ["name"]), troubles) or (Level("name"),),
        views={**{key: View(each) for key, each in USUAL_VIEWS.items()}, **_views(told.get("views", {}), troubles)},
        theme=str(theme),
        motion=motion is True,
        told=base,
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
            found[name] = NamedServer(name, Server.parse(url), file, url)
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


def columns_of(told: Iterable[object], troubles: list[str]) -> tuple[str, ...]:
    """Those of `told` that there are, each once; with the name, which takes what room is left."""
    found: dict[str, str] = {}
    for text in map(str, told):
        try:
            found.setdefault(column_of(text).key, text)
        except KeyError:
            troubles.append(f"columns: there is no {safe(text)!r}")
    return tuple(found.values()) if "name" in found or not found else ("name", *found.values())


def _sort(told: object, troubles: list[str]) -> tuple[Level, ...]:
    return levels_of(told[:MOST_LEVELS] if isinstance(told, list) else [told], troubles)


def levels_of(told: Iterable[object], troubles: list[str]) -> tuple[Level, ...]:
    """Names of columns, with a minus before it for descending order."""
    levels: dict[str, Level] = {}
    for text in map(str, told):
        name = text.removeprefix("-")
        if name in COLUMNS:
            levels.setdefault(name, Level(name, text.startswith("-")))
        else:
            troubles.append(f"sort: there is no column {safe(text)!r}")
    return tuple(levels.values())[:MOST_LEVELS]


def written_levels(levels: Iterable[Level]) -> list[str]:
    """As `levels_of` reads them."""
    return [f"{'-' if level.descending else ''}{level.column}" for level in levels]


def _views(told: object, troubles: list[str]) -> dict[str, View]:
    """Each a filter, or a table of `filter` and `sort`."""
    found: dict[str, View] = {}
    if not isinstance(told, dict):
        troubles.append("views: they are written below [views]")
        return {}
    for key, each in told.items():
        text, order = (each.get("filter", ""), each.get("sort", [])) if isinstance(each, dict) else (each, [])
        if key not in USUAL_VIEWS or not isinstance(text, str):
            troubles.append(f"views: {safe(key)!r} is none of 1 to 9 and 0, or has no filter in quotes")
            continue
        try:
            found[key] = View(parse_query(text).text, _sort(order, troubles))
        except QueryError as error:
            troubles.append(f"views: {key}: {error}")
    return found
