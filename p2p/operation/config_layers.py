"""One configuration out of all places that say something of it: options, environment, file, what was kept, defaults.

The rule: the highest place that says something of a key decides it, and it is known afterwards which one that was. A
secret may stand in a file of its own in every place (`KEY_file`, `NAME_FILE`), and is never repeated in a message.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from p2p.errors import ConfigError
from p2p.operation.config_schema import check_sections, read_value, unknown_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from p2p.operation.config_schema import Key
    from p2p.operation.config_values import Kind

KeyName: TypeAlias = tuple[str, str]
"""Section and key."""

MAX_FILE: Final = 1 << 20
"""Bytes. A file with every key and comment has some 10 KB; a bigger one is something else."""

MAX_SECRET: Final = 4_096
"""Bytes of a file that holds a secret as its only line."""

DEFAULT: Final = "default"

_FILE: Final = "_file"
_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class Given:
    """What one place says of a key: a TOML value, and what the place is called, alone and in a message."""

    value: object
    source: str
    place: str


@dataclass(frozen=True, slots=True)
class Effective:
    """The value that counts, and whose it is."""

    value: Any
    source: str


def read_config(path: Path) -> str:
    """The text of a configuration file. Raises ConfigError."""
    raw = _read(path, MAX_FILE)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not in UTF-8, at byte {error.start}") from error


def read_tables(text: str, place: str) -> dict[str, Any]:
    """The tables of a TOML text. `place` names it in messages. Raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place}: {error}") from error
    except RecursionError as error:  # nested a thousand deep
        raise ConfigError(f"{place}: nested too deep") from error


def read_secret(path: Path) -> str:
    """The only line of a file. Raises ConfigError."""
    try:
        text = _read(path, MAX_SECRET).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text") from error
    if not text or not text.isprintable():
        raise ConfigError(f"{path} must have the secret as its only line")
    return text


def from_file(path: Path, keys: Mapping[KeyName, Key]) -> dict[KeyName, Given]:
    """What a TOML file says. Raises ConfigError for what is no section or key."""
    source = str(path)
    tables = read_tables(read_config(path), source)
    check_sections(tables, tuple(dict.fromkeys(section for section, _ in keys)), source)
    given: dict[KeyName, Given] = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{source}: {section} must be a section: write [{section}]")
        known = [name for each, name in keys if each == section]
        for name, value in table.items():
            place = f"{source}: [{section}] {name}"
            plain = name.removesuffix(_FILE)
            if name not in known and (section, plain) in keys and keys[section, plain].secret:
                if not isinstance(value, str) or plain in table:
                    raise ConfigError(f"{place}: it must be a path, and {plain} must not stand beside it")
                given[section, plain] = Given(read_secret(path.parent / Path(value).expanduser()), source, place)
            elif name not in known:
                raise unknown_key(section, name, known, source)
            else:
                given[section, name] = Given(value, source, place)
    return given


def from_environment(
    environ: Mapping[str, str], prefix: str, keys: Mapping[KeyName, Key], called: Callable[[KeyName], str]
) -> dict[KeyName, Given]:
    """What variables say; `called` names the variable of a key. An empty one says nothing. Raises ConfigError."""
    given: dict[KeyName, Given] = {}
    for key, known in keys.items():
        name = prefix + called(key)
        text, file = environ.get(name, ""), environ.get(f"{name}_FILE", "") if known.secret else ""
        if text and file:
            raise ConfigError(f"{name} and {name}_FILE exclude one another")
        if file:
            given[key] = Given(read_secret(Path(file).expanduser()), f"{name}_FILE", f"{name}_FILE")
        elif text:
            given[key] = Given(_meant(known.kind, text), name, name)
    return given


def strangers(
    environ: Mapping[str, str], prefix: str, known: Sequence[str], others: frozenset[str]
) -> list[tuple[str, str | None]]:
    """Variables that look like ours and are none, each with the one that was perhaps meant, but for `others`."""
    every = [prefix + each for each in known]
    names = sorted(name for name in environ if name.startswith(prefix) and name not in others)
    unknown = [name for name in names if name not in every and name.removesuffix("_FILE") not in every]
    return [(name, next(iter(difflib.get_close_matches(name, every, n=1)), None)) for name in unknown]


def resolve(
    keys: Mapping[KeyName, Key], defaults: Mapping[KeyName, object], layers: Sequence[Mapping[KeyName, Given]]
) -> dict[KeyName, Effective]:
    """The value of every key: of the first of `layers` that gives it, or the default.

    Raises ConfigError for a value that is not allowed, also for one that another goes before.
    """
    values = {key: Effective(defaults[key], DEFAULT) for key in keys}
    for layer in reversed(layers):
        for key, given in layer.items():
            values[key] = Effective(read_value(keys[key], given.value, given.place), given.source)
    return values


def _meant(kind: Kind[Any], text: str) -> object:
    """The TOML value that the text of a variable stands for: as it is, as TOML, as a list with commas, as yes or no."""
    for candidate in _candidates(text.strip()):
        try:
            kind.read(candidate)
        except ValueError:
            continue
        return candidate
    return text


def _candidates(text: str) -> list[object]:
    found: list[object] = [text]
    with suppress(tomllib.TOMLDecodeError, RecursionError):
        found.append(tomllib.loads(f"x = {text}")["x"])
    found.append([each.strip() for each in text.split(",") if each.strip()])
    if text.lower() in _YES | _NO:
        found.append(text.lower() in _YES)
    return found


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {os.strerror(error.errno) if error.errno else error}") from error
    if len(raw) > limit:
        raise ConfigError(f"{path}: such a file has at most {limit} bytes")
    return raw
