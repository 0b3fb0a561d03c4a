"""What a filter can ask of a torrent: its states by name, and its text, numbers, durations and times by key.

The rule: what is not known of a torrent (seeders that no tracker has told, an ETA that nobody can say) is neither small
nor large: no comparison holds for it. `now` is an argument, as ages depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.daemon.client_values import ErrorKind, Status, TorrentRow
from p2p.quantities import parse_rate, parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

Predicate: TypeAlias = Callable[[TorrentRow, float], bool]
"""Whether a row is meant, at a time in seconds since the epoch."""

_QUEUED: Final = (Status.CHECK_QUEUED, Status.DOWNLOAD_QUEUED, Status.SEED_QUEUED)
_LEECHING: Final = (Status.DOWNLOADING, Status.DOWNLOAD_QUEUED)
_SEEDING: Final = (Status.SEEDING, Status.SEED_QUEUED)

STATES: Final[Mapping[str, Callable[[TorrentRow], bool]]] = {
    "downloading": lambda row: row.status is Status.DOWNLOADING,
    "leeching": lambda row: row.status in _LEECHING,
    "seeding": lambda row: row.status is Status.SEEDING,
    "stopped": lambda row: row.status is Status.STOPPED,
    "started": lambda row: row.status is not Status.STOPPED,
    "checking": lambda row: row.status in (Status.CHECKING, Status.CHECK_QUEUED),
    "queued": lambda row: row.status in _QUEUED,
    "active": lambda row: row.rate_download > 0 or row.rate_upload > 0,
    "idle": lambda row: row.status in (*_LEECHING, *_SEEDING) and not (row.rate_download or row.rate_upload),
    "stalled": lambda row: row.is_stalled,
    "complete": lambda row: row.left_until_done == 0 and row.metadata_percent_complete >= 1,
    "incomplete": lambda row: row.left_until_done > 0 or row.metadata_percent_complete < 1,
    "finished": lambda row: row.is_finished,
    "error": lambda row: row.error is not ErrorKind.NONE,
    "private": lambda row: row.is_private,
    "isolated": lambda row: row.peers_connected == 0 and row.status is not Status.STOPPED,
}
"""What a bare word can be, beside a part of the name."""


class QueryError(ValueError):
    """Says what is wrong with a query; `position` is the place in it, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


_TEXTS: Final[Mapping[str, Callable[[TorrentRow], str]]] = {
    "name": lambda row: row.name,
    "tracker": lambda row: row.tracker,
    "path": lambda row: row.download_dir,
    "group": lambda row: row.group,
    "message": lambda row: row.error_string,
    "hash": lambda row: row.hash_string,
}

_NUMBERS: Final[Mapping[str, tuple[Callable[[TorrentRow], float], str]]] = {
    "size": (lambda row: row.total_size, "size"),
    "left": (lambda row: row.left_until_done, "size"),
    "downloaded": (lambda row: row.downloaded_ever, "size"),
    "uploaded": (lambda row: row.uploaded_ever, "size"),
    "down": (lambda row: row.rate_download, "rate"),
    "up": (lambda row: row.rate_upload, "rate"),
    "done": (lambda row: 100 * row.percent_done, "percent"),
    "ratio": (lambda row: row.upload_ratio, "number"),
    "peers": (lambda row: row.peers_connected, "number"),
    "seeders": (lambda row: row.seeders, "number"),
    "leechers": (lambda row: row.leechers, "number"),
    "place": (lambda row: row.queue_position + 1, "number"),
    "id": (lambda row: row.id, "number"),
    "eta": (lambda row: row.eta, "duration"),
}

_TIMES: Final[Mapping[str, Callable[[TorrentRow], int]]] = {
    "added": lambda row: row.added_date,
    "completed": lambda row: row.done_date,
    "active_at": lambda row: row.activity_date,
}

KEYS: Final = (*_TEXTS, "label", "state", *_NUMBERS, *_TIMES)
"""What can stand before an operator."""

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "=": lambda one, other: one == other,
    ":": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
}
OPERATORS: Final = tuple(_COMPARE)
_EQUAL: Final = (":", "=", "!=")

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhdwy])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_EXAMPLES: Final = {"size": "1.5G", "rate": "100K", "percent": "50%", "number": "2", "duration": "30m, 2h or 7d"}


def state(name: str) -> Predicate:
    """Whether a torrent is in a state of STATES."""
    holds = STATES[name]
    return lambda row, _now: holds(row)


def named(word: str) -> Predicate:
    """Whether `word` is in a torrent's name, whatever the case; `*` and `?` stand for other letters."""
    return _contains(_TEXTS["name"], word)


def comparison(key: str, operator: str, value: str, *, position: int, value_at: int) -> Predicate:
    """What `key operator value` asks. The positions are those of key and value. Raises QueryError."""
    if key in _TEXTS:
        return _text(key, operator, value, position)
    if key == "label":
        return _label(operator, value, position)
    if key == "state":
        if operator not in _EQUAL or value.lower() not in STATES:
            raise QueryError(f"{value!r} is no state; there are {', '.join(STATES)}", value_at)
        holds, wanted = STATES[value.lower()], operator != "!="
        return lambda row, _now: holds(row) is wanted
    if key in _NUMBERS:
        (of, unit), compare = _NUMBERS[key], _COMPARE[operator]
        number = _number(value, unit, value_at)
        return lambda row, _now: of(row) >= 0 and compare(of(row), number)
    if key in _TIMES:
        return _time(key, operator, value, value_at)
    raise QueryError(f"{key!r} is nothing to ask for; there are {', '.join(KEYS)}", position)


def _contains(of: Callable[[TorrentRow], str], wanted: str) -> Predicate:
    wanted = wanted.casefold()
    if "*" in wanted or "?" in wanted:
        pattern = f"*{wanted}*".replace("[", "[[]")  # brackets stand in many names, and mean themselves
        return lambda row, _now: fnmatchcase(of(row).casefold(), pattern)
    return lambda row, _now: wanted in of(row).casefold()


def _text(key: str, operator: str, value: str, position: int) -> Predicate:
    of, folded = _TEXTS[key], value.casefold()
    if operator == ":":
        return _contains(of, value)
    wanted = _equality(key, operator, position)
    return lambda row, _now: (of(row).casefold() == folded) is wanted


def _label(operator: str, value: str, position: int) -> Predicate:
    folded = value.casefold()
    if operator == ":":
        return lambda row, _now: any(folded in label.casefold() for label in row.labels)
    wanted = _equality("label", operator, position)
    return lambda row, _now: any(folded == label.casefold() for label in row.labels) is wanted


def _equality(key: str, operator: str, position: int) -> bool:
    """Whether text is to be equal, or not to be."""
    if operator not in _EQUAL:
        raise QueryError(f"{key} is text, to be asked for with : or = or !=", position)
    return operator == "="


def _number(value: str, unit: str, at: int) -> float:
    try:
        match unit:
            case "size":
                return parse_size(value)
            case "rate":
                return parse_rate(value)
            case "duration":
                return _duration(value)
    except ValueError:
        raise QueryError(f"{value!r} is no {unit}; write it like {_EXAMPLES[unit]}", at) from None
    digits = value.removesuffix("%") if unit == "percent" else value
    if not _NUMBER.fullmatch(digits):
        raise QueryError(f"{value!r} is no {unit}; write it like {_EXAMPLES[unit]}", at)
    return float(digits)


def _duration(value: str) -> float:
    found = _DURATION.fullmatch(value.lower())
    if found is None:
        raise ValueError(value)
    return float(found[1]) * _SECONDS[found[2]]


def _time(key: str, operator: str, value: str, at: int) -> Predicate:
    """By age (`added<2d`: less than two days ago) or by date (`added>=2026-01-31`); never holds for what never was."""
    of, compare = _TIMES[key], _COMPARE[operator]
    if _DURATION.fullmatch(value.lower()):
        if operator in _EQUAL:
            raise QueryError("no age is met exactly; ask with < or >", at)
        age = _duration(value)
        return lambda row, now: of(row) > 0 and compare(now - of(row), age)
    try:
        date = datetime.fromisoformat(value).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise QueryError(f"{value!r} is no age like 2d, and no date like 2026-01-31", at) from None
    if operator in _EQUAL:  # that day
        wanted = operator != "!="
        return lambda row, _now: of(row) > 0 and (date <= of(row) < date + _SECONDS["d"]) is wanted
    return lambda row, _now: of(row) > 0 and compare(of(row), date)
