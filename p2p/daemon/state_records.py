"""What the daemon keeps over a restart, as plain JSON: the protocol of whoever has something to keep, and its reader.

The rule: a record is read as strictly as a stranger's words, and no record can keep the daemon from starting. What is
not of the right type or out of bounds is left at its default, and what nobody knows is left out; both are told in the
log.
"""

from __future__ import annotations

import logging
import math
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from p2p.daemon.names import Json

log = logging.getLogger(__name__)

Record: TypeAlias = "dict[str, Json]"
"""One subject's values. Its keys are text, its numbers finite."""

MAX_NUMBER: Final = 2**53
"""Beyond it JSON's numbers are not exact everywhere."""

MAX_TEXT: Final = 65_536
"""Letters of a text in a record: a list of trackers is the longest there is."""

MAX_ITEMS: Final = 1_000_000
"""Items of a list in a record: torrents, or files of a torrent."""

MAX_SHOWN: Final = 80
"""Letters of a bad value that the log shows."""

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
V = TypeVar("V")

_PLAIN: Final = frozenset({bool, int, float, str, type(None)})


class Keeps(Protocol):
    """A subject of the daemon whose values outlive it.

    `from_record` is called once, before any client is answered and before any torrent runs, with what `to_record` gave
    in an earlier run, perhaps of another version. It must not raise for anything that is in it: see `RecordReader`.
    `to_record` is called after every verb that may have changed the subject, and at the end; so it is cheap, waits for
    nothing, and gives equal records for equal values.
    """

    def to_record(self) -> Record: ...
    def from_record(self, record: Mapping[str, Json]) -> None: ...


class KeepsMany(Protocol):
    """A subject with a record for each of many things that come and go, under names of visible ASCII.

    What a name stands for never changes, so that a thing costs its own record and no other's. Otherwise as `Keeps`.
    """

    def to_records(self) -> Mapping[str, Record]: ...
    def from_records(self, records: Mapping[str, Json]) -> None: ...


class RecordReader:
    """A record, read key by key: each reader gives the value, or `default` where it is absent or bad.

    `of` says whose record it is, for the log. `close` tells of the keys that nobody asked for.
    """

    def __init__(self, record: Json, of: str) -> None:
        self._of = of
        self._record: Mapping[str, Json] = record if isinstance(record, dict) else {}
        self._asked: set[str] = set()
        if not isinstance(record, dict):
            log.warning("the state of %s is no record; its defaults are used", of)

    def raw(self, name: str) -> Json:
        """As it stands, None where it is absent."""
        self._asked.add(name)
        return self._record.get(name)

    def _read(self, name: str, default: T, read: Callable[[Json], T | None]) -> T:
        value = self.raw(name)
        if name not in self._record:
            return default
        found = read(value)
        if found is None:
            self.complain(name, value)
            return default
        return found

    def complain(self, name: str, value: object) -> None:
        """A value is bad, and its default is used."""
        log.warning("the state of %s: %s cannot be %s; its default is used", self._of, name, repr(value)[:MAX_SHOWN])

    def boolean(self, name: str, default: bool) -> bool:  # noqa: FBT001 - a value, no switch
        return self._read(name, default, lambda value: value if isinstance(value, bool) else None)

    def integer(self, name: str, default: int, low: int = 0, high: int = MAX_NUMBER) -> int:
        return self._read(name, default, lambda value: _integer(value, low, high))

    def number(self, name: str, default: float, low: float = 0.0, high: float = MAX_NUMBER) -> float:
        return self._read(name, default, lambda value: _number(value, low, high))

    def text(self, name: str, default: str, longest: int = MAX_TEXT) -> str:
        return self._read(name, default, lambda value: _text(value, longest))

    def texts(self, name: str, default: tuple[str, ...] = (), most: int = MAX_ITEMS) -> tuple[str, ...]:
        return self._read(name, default, lambda value: _all(value, most, lambda each: _text(each, MAX_TEXT)))

    def integers(
        self, name: str, default: tuple[int, ...] = (), low: int = 0, high: int = MAX_NUMBER, most: int = MAX_ITEMS
    ) -> tuple[int, ...]:
        return self._read(name, default, lambda value: _all(value, most, lambda each: _integer(each, low, high)))

    def records(self, name: str, most: int = MAX_ITEMS) -> tuple[Record, ...]:
        """A list of records; none where it is absent."""
        return self._read(
            name, (), lambda value: _all(value, most, lambda each: each if isinstance(each, dict) else None)
        )

    def record(self, name: str) -> Record:
        """A record inside; empty where it is absent."""
        return self._read(name, {}, lambda value: value if isinstance(value, dict) else None)

    def choice(self, name: str, default: E) -> E:
        """A member of the default's enum, by its value."""

        def find(value: Json) -> E | None:
            found = [each for each in type(default) if each.value == value and not isinstance(value, bool)]
            return found[0] if found else None

        return self._read(name, default, find)

    def close(self) -> None:
        """Tell of the keys that nobody has asked for."""
        unknown = sorted(set(self._record) - self._asked)
        if unknown:
            log.warning("the state of %s has what this version does not know: %s", self._of, ", ".join(unknown)[:200])


def _integer(value: Json, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _number(value: Json, low: float, high: float) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and low <= value <= high else None


def _text(value: Json, longest: int) -> str | None:
    return value if isinstance(value, str) and len(value) <= longest else None


def _all(value: Json, most: int, read: Callable[[Json], T | None]) -> tuple[T, ...] | None:
    if not isinstance(value, list) or len(value) > most:
        return None
    found = [read(each) for each in value]
    return tuple(each for each in found if each is not None) if None not in found else None


def plain_record(values: Any) -> Record:
    """A dataclass of plain values as a record: booleans, numbers, texts, enums, and tuples and dicts of them."""
    if not is_dataclass(values):
        raise TypeError(f"{type(values).__name__} is no dataclass")
    return {field.name: _plain(getattr(values, field.name)) for field in fields(values)}


def _plain(value: Any) -> Json:
    if type(value) in _PLAIN:  # enums of numbers are numbers too
        return value  # type: ignore[no-any-return]
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    raise TypeError(f"{type(value).__name__} is no plain value")


def read_plain(values: V, reader: RecordReader, except_for: tuple[str, ...] = ()) -> V:
    """`values`, a dataclass as in `plain_record`, with what the record has of it. Tuples are of texts."""
    if not is_dataclass(values) or isinstance(values, type):
        raise TypeError(f"{type(values).__name__} is no dataclass")
    found = {
        field.name: _read_plain(reader, field.name, getattr(values, field.name))
        for field in fields(values)
        if field.name not in except_for
    }
    return replace(values, **found)


def _read_plain(reader: RecordReader, name: str, default: Any) -> Any:
    value = reader.raw(name)
    if type(value) is type(default) and value == default:  # as most are, of ten thousand torrents
        return default
    match default:
        case Enum():
            return reader.choice(name, default)
        case bool():
            return reader.boolean(name, default)
        case int():
            return reader.integer(name, default, low=-MAX_NUMBER)
        case float():
            return reader.number(name, default, low=-MAX_NUMBER)
        case str():
            return reader.text(name, default)
        case tuple():
            return reader.texts(name, default)
    raise TypeError(f"{type(default).__name__} is no plain value")
