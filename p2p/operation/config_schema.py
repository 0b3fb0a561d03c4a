"""How a section of the configuration is declared and read: a frozen dataclass whose every field is a `key`.

The rule: a key that is not declared, a section that is not, or a value that a key does not allow is refused in one line
that names the file, the key and what is allowed; what a file leaves out has its default.
"""

from __future__ import annotations

import difflib
import json
import textwrap
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from p2p.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from p2p.operation.config_values import Kind

T = TypeVar("T")
S = TypeVar("S")

_KEY: Final = "key"
HIDDEN: Final = "(hidden)"
"""Instead of a secret."""

_SHOWN: Final = 60
"""Characters of a refused value that a message repeats."""

_WIDTH: Final = 100
"""Of the comments that `--print-config` writes."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of one key besides its default."""

    kind: Kind[Any]
    words: str
    """What it decides, for whoever sets it."""
    live: bool
    """Whether a reload changes it in a running server."""
    secret: bool = False
    """Whether nobody may see it."""


def key(default: T, kind: Kind[T], words: str, *, live: bool = False, secret: bool = False) -> T:
    """Declare a field of a section."""
    declared: T = field(default=default, metadata={_KEY: Key(kind, words, live, secret)})
    return declared


def keys_of(section: type[object]) -> Iterator[tuple[str, Key, object]]:
    """Name, key and default of each key of a section, in order."""
    for each in fields(section):  # type: ignore[arg-type] # sections are dataclasses
        yield each.name, _key(each), each.default


def read_section(section: type[S], name: str, table: object, place: str) -> S:
    """The section of a TOML table. `place` begins each message. Raises ConfigError."""
    if not isinstance(table, dict):
        raise ConfigError(f"{place}: {name} must be a section: write [{name}]")
    known = {each: key for each, key, _ in keys_of(section)}
    values = {}
    for each, value in table.items():
        if each not in known:
            raise unknown_key(name, each, list(known), place)
        values[each] = read_value(known[each], value, f"{place}: [{name}] {each}")
    return section(**values)


def read_value(key: Key, value: object, place: str) -> Any:
    """The value of a key. Raises ConfigError."""
    try:
        return key.kind.read(value)
    except ValueError as error:
        shown = HIDDEN if key.secret else _shown(value)
        raise ConfigError(f"{place} = {shown}: it must be {key.kind.allowed}") from error


def unknown_key(section: str, name: str, known: Sequence[str], place: str) -> ConfigError:
    """The refusal of a key that is not declared."""
    return ConfigError(f"{place}: [{section}] has no key {_shown(name)}{_instead(name, known)}")


def check_sections(tables: Mapping[str, object], known: Sequence[str], place: str) -> None:
    """Raises ConfigError for a section that is not known."""
    for each in tables:
        if each not in known:
            raise ConfigError(f"{place}: there is no section [{_plain(each)}]{_instead(each, known)}")


def write_section(name: str, section: object) -> str:
    """As TOML, each key with what it decides and allows above it."""
    lines = [f"[{name}]"]
    for each, key, _ in keys_of(type(section)):
        when = "" if key.live else "; taken up at the next start"
        remark = f"{key.words} Must be {key.kind.allowed}{when}."
        lines += [f"# {line}" for line in textwrap.wrap(remark, _WIDTH)]
        lines.append(f"{each} = {key.kind.write(getattr(section, each))}")
    return "\n".join(lines) + "\n"


def differences(old: object, new: object, wanted: Callable[[Key], bool]) -> list[str]:
    """The names of the keys whose values differ, of those that are wanted."""
    return [each for each, key, _ in keys_of(type(old)) if wanted(key) and getattr(old, each) != getattr(new, each)]


def _key(each: Field[Any]) -> Key:
    declared = each.metadata[_KEY]
    if not isinstance(declared, Key):
        raise TypeError(f"{each.name} is no key")
    return declared


def _instead(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word[:_SHOWN], known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _plain(word: str) -> str:
    return json.dumps(word[:_SHOWN], ensure_ascii=True)[1:-1]


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
