"""What a person has changed in the interface itself, laid over what `tui.toml` says. Pure.

The rule: what was said last holds. Each thing that is remembered is kept with what `tui.toml` said of it then; while
the file still says that, the remembered holds, and once somebody has written something else there, the file does.
`tui.toml` itself is never written. Things are named flat (`columns`, `views.1`, `servers.nas`), so that two interfaces
that change different things at once both keep theirs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "tui.json"
"""Of the file, in the folder of the daemon's state."""

MOST_BYTES: Final = 256 * 1024
"""Of the file: hundreds of servers and views."""

MOST_ENTRIES: Final = 200
WHOLE: Final = ("theme", "columns", "sort")
"""Settings that are one thing."""
TABLES: Final = ("views", "servers")
"""Settings of which each entry is one thing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """JSON. `value` is None for what is to be there no more; `over` is what `tui.toml` said then, None for nothing."""

    value: Any
    over: Any = None


def read_entries(raw: bytes) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """What the file holds, and what in it is skipped, and why."""
    if not raw.strip():
        return {}, ()
    if len(raw) > MOST_BYTES:
        return {}, (f"{NAME}: more than {MOST_BYTES:,} bytes",)
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return {}, (f"{NAME}: {safe(str(error))}",)
    if not isinstance(told, dict):
        return {}, (f"{NAME}: it is no object",)
    found: dict[str, Entry] = {}
    troubles: list[str] = []
    for name, each in told.items():
        if len(found) < MOST_ENTRIES and is_name(name) and isinstance(each, dict) and "value" in each:
            found[name] = Entry(each["value"], each.get("over"))
        else:
            troubles.append(f"{NAME}: {safe(name)!r} is nothing that is remembered")
    return found, tuple(troubles)


def is_name(name: str) -> bool:
    """Of something that can be remembered."""
    table, dot, key = name.partition(".")
    return bool(dot and key and table in TABLES) or name in WHOLE


def written(entries: Mapping[str, Entry]) -> bytes:
    """The file."""
    told = {name: {"value": each.value, "over": each.over} for name, each in sorted(entries.items())}
    return json.dumps(told, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def said_of(told: Mapping[str, Any], name: str) -> Any:
    """What `tui.toml` says of a thing, as JSON; None for nothing."""
    table, dot, key = name.partition(".")
    if not dot:
        return _plain(told.get(name))
    entries = told.get(table)
    if table == "servers":
        return _plain(next((each for each in _tables(entries) if each.get("name") == key), None))
    return _plain(entries.get(key)) if isinstance(entries, dict) else None


def laid_over(told: Mapping[str, Any], entries: Mapping[str, Entry]) -> dict[str, Any]:
    """What holds: as `tui.toml` would have it."""
    holds = dict(told)
    for name, entry in entries.items():
        if said_of(told, name) != entry.over:
            continue  # somebody has written there since
        table, dot, key = name.partition(".")
        if not dot:
            _put(holds, name, entry.value)
        elif table == "servers":
            others = [each for each in _tables(holds.get(table)) if each.get("name") != key]
            if isinstance(entry.value, dict):
                others.append({**entry.value, "name": key})
            holds[table] = others
        else:
            known = holds.get(table)
            inner = dict(known) if isinstance(known, dict) else {}
            _put(inner, key, entry.value)
            holds[table] = inner
    return holds


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        into.pop(name, None)
    else:
        into[name] = value


def _tables(told: object) -> list[dict[str, Any]]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def _plain(value: Any) -> Any:
    """TOML has dates, which JSON has not."""
    return json.loads(json.dumps(value, default=str))
