"""Values between Python and JSON, by the fields of a dataclass: one table for who writes, who reads, and the schema.

The rule: reading is tolerant, since other versions and other makers answer too. A key that is missing or of a wrong
type leaves the field's default (or nothing: 0, "", no element), keys nobody knows are left alone, and nothing raises.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, IntEnum
from functools import cache
from itertools import repeat
from operator import attrgetter
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from p2p.daemon.names import Json

T = TypeVar("T")
Convert: TypeAlias = Callable[[Any], Any]
"""From JSON; None for what is of another type."""

_MISSING: Final = object()


def _whole(value: Any) -> int | None:
    if type(value) is int:
        return value
    if type(value) is bool or (type(value) is float and math.isfinite(value)):
        return int(value)
    return None


def _number(value: Any) -> float | None:
    if type(value) is float:
        return value if math.isfinite(value) else None
    return float(value) if type(value) is int and abs(value) < 1 << 1000 else None


def _truth(value: Any) -> bool | None:
    return bool(value) if isinstance(value, (bool, int)) else None


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


_CONVERTS: Final[dict[Any, Convert]] = {int: _whole, float: _number, bool: _truth, str: _text}
_AS_IT_IS: Final = (int, bool, str)
"""What JSON has too; numbers with a fraction may be none."""
_NOTHING: Final[dict[Any, Any]] = {int: 0, float: 0.0, bool: False, str: ""}
_KINDS: Final[dict[Any, str]] = {int: "integer", float: "number", bool: "boolean", str: "string"}


def _converter(hint: Any, key: Callable[[str], str]) -> tuple[Convert, Any]:
    """How a field of that type is read, and what it is where it cannot be."""
    if hint in _CONVERTS:
        return _CONVERTS[hint], _NOTHING[hint]
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (inner,) = [each for each in get_args(hint) if each is not NoneType]
        return _converter(inner, key)[0], None
    if origin is tuple:
        convert = _converter(get_args(hint)[0], key)[0]
        return lambda value: _tuple(value, convert), ()
    if isinstance(hint, type) and issubclass(hint, Enum):
        members: dict[Any, Enum] = {each.value: each for each in hint}
        return lambda value: members.get(value) if type(value) in (int, str) else None, next(iter(hint))
    if dataclasses.is_dataclass(hint):
        reader = Reader(hint, key)  # type: ignore[arg-type]  # a dataclass that is a type, which mypy cannot tell
        return lambda value: reader.one(value) if isinstance(value, dict) else None, reader.one({})
    raise TypeError(f"{hint} has no form in JSON")


def _tuple(value: Any, convert: Convert) -> tuple[Any, ...] | None:
    if type(value) is not list:
        return None
    return tuple(read for read in map(convert, value) if read is not None)


def _default(field: dataclasses.Field[Any], nothing: Any) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return nothing if field.default_factory is dataclasses.MISSING else field.default_factory()


class Reader(Generic[T]):
    """Reads values of a dataclass. `key` says what a field is called in JSON."""

    def __init__(self, kind: type[T], key: Callable[[str], str] = str) -> None:
        self._kind = kind
        hints = get_type_hints(kind)
        self._converts: list[Convert] = []
        self._defaults: list[Any] = []
        self._exact: list[type | None] = []
        """The type of values that are taken as they are; None where each has to be looked at."""
        self._keys: dict[str, int] = {}
        for at, field in enumerate(dataclasses.fields(kind)):  # type: ignore[arg-type]  # T is a dataclass
            convert, nothing = _converter(hints[field.name], key)
            self._converts.append(convert)
            self._defaults.append(_default(field, nothing))
            self._exact.append(hints[field.name] if hints[field.name] in _AS_IT_IS else None)
            self._keys[key(field.name)] = at

    def one(self, value: Json) -> T:
        """One object; for what is none, a value of defaults."""
        made = list(self._defaults)
        if isinstance(value, dict):
            for name, at in self._keys.items():
                given = value.get(name, _MISSING)
                if given is not _MISSING:
                    read = self._converts[at](given)
                    if read is not None:
                        made[at] = read
        return self._kind(*made)

    def every(self, values: Json) -> tuple[T, ...]:
        """A list of objects, or a table: a list of keys, and a list of values for each object after it."""
        if not isinstance(values, list) or not values:
            return ()
        head = values[0]
        if isinstance(head, list):
            return tuple(self._rows(head, values[1:]))
        return tuple(self.one(value) for value in values if isinstance(value, dict))

    def _rows(self, keys: list[Any], rows: Sequence[Any]) -> list[T]:
        """Column by column, so that types are looked at once a column where they are what they should be."""
        whole = [row for row in rows if type(row) is list and len(row) == len(keys)]
        fields: list[Iterable[Any]] = [repeat(default, len(whole)) for default in self._defaults]
        for key, column in zip(keys, zip(*whole, strict=True), strict=False):  # no columns where there is no row
            at = self._keys.get(key) if isinstance(key, str) else None
            if at is not None:
                fields[at] = self._column(at, column)
        return list(map(self._kind, *fields))

    def _column(self, at: int, values: tuple[Any, ...]) -> Sequence[Any]:
        exact, convert, default = self._exact[at], self._converts[at], self._defaults[at]
        if exact is not None and all(kind is exact for kind in set(map(type, values))):
            return values
        return [default if (read := convert(value)) is None else read for value in values]


@cache
def _parts(kind: type) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    names = tuple(field.name for field in dataclasses.fields(kind))
    return names, attrgetter(*names)


def told(value: Any) -> Json:
    """A value as JSON, dataclasses as objects under the names of their fields."""
    match value:
        case Enum():
            return value.value  # type: ignore[no-any-return]  # a name or a number
        case str() | bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case tuple() | list():
            return [told(each) for each in value]
        case Mapping():
            return {name: told(each) for name, each in value.items()}
    names, read = _parts(type(value))  # type: ignore[arg-type]  # types are hashable
    parts = read(value) if len(names) > 1 else (read(value),)
    return {name: told(part) for name, part in zip(names, parts, strict=True)}


def schema_of(hint: Any, key: Callable[[str], str] = str) -> dict[str, Json]:
    """The JSON Schema of what `told` makes of values of that type."""
    if hint in _KINDS:
        return {"type": _KINDS[hint]}
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        (inner,) = [each for each in get_args(hint) if each is not NoneType]
        return {"anyOf": [schema_of(inner, key), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": schema_of(get_args(hint)[0], key)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        kind = "integer" if issubclass(hint, IntEnum) else "string"
        return {"type": kind, "enum": [each.value for each in hint]}
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        names = [field.name for field in dataclasses.fields(hint)]
        return {
            "type": "object",
            "properties": {key(name): schema_of(hints[name], key) for name in names},
            "required": [key(name) for name in names],
            "additionalProperties": False,
        }
    raise TypeError(f"{hint} has no form in JSON")
