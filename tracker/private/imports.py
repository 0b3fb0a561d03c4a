"""Members that come from another tracker: their names, passkeys and totals, from CSV or JSON lines.

The rule: all or nothing. Every line is checked first; what is wrong is reported with its line number, and then nothing
is imported. A passkey that members already have in their .torrent files goes on working.

Fields: `name`, `passkey` (16 to 64 letters, digits, - and _), `uploaded`, `downloaded` (credited bytes); and where
known `actual_uploaded`, `actual_downloaded` (bytes; else as the credited ones) and `joined` (seconds since the epoch;
else now). A CSV file names its fields in its first line; a JSON line is an object. Anything else is refused.
"""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from p2p.errors import StarlingError
from tracker.private import members, passkeys
from tracker.private.database import MAX_TOTAL, RegisterError, writing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

MAX_LINE: Final = 16_384
"""Characters. A member needs some 200."""

MAX_MEMBERS: Final = 1_000_000
"""In one file, a bound on memory: some 500 bytes each until all are checked."""

MAX_PROBLEMS: Final = 100
"""Reported; a file of another form has one on every line."""

_REQUIRED: Final = ("name", "passkey", "uploaded", "downloaded")
_TOTALS: Final = ("uploaded", "downloaded", "actual_uploaded", "actual_downloaded")
_FIELDS: Final = (*_REQUIRED, "actual_uploaded", "actual_downloaded", "joined")
_WHOLE: Final = re.compile(r"[0-9]{1,19}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


class ImportFormat(StrEnum):
    CSV = "csv"
    JSON_LINES = "jsonl"


class Problem(NamedTuple):
    """What is wrong with which line; the first is 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class ImportRefusedError(StarlingError):
    """Nothing was imported; `problems` says why, at most MAX_PROBLEMS of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"nothing was imported: {problems[0]}{more}")
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What came in. Totals are the credited bytes of all that were imported."""

    members: int
    uploaded: int
    downloaded: int


class _Imported(NamedTuple):
    line: int
    name: str
    passkey: str
    uploaded: int
    downloaded: int
    actual_uploaded: int
    actual_downloaded: int
    joined: float


def format_of(path: str) -> ImportFormat:
    """By the file's name. Raises RegisterError for another ending."""
    ending = path.rpartition(".")[2].lower()
    if ending == "csv":
        return ImportFormat.CSV
    if ending in ("jsonl", "ndjson"):
        return ImportFormat.JSON_LINES
    raise RegisterError("the file's name must end in .csv, .jsonl or .ndjson, or the form must be given")


def import_members(
    connection: sqlite3.Connection,
    lines: Iterable[str],
    form: ImportFormat,
    *,
    now: float,
    secrets: Callable[[int], bytes],
) -> ImportReport:
    """Take in all members of `lines` (a text file opened with newline="") in one transaction, or none.

    Raises ImportRefusedError. A name or passkey that is in the database already is a problem of its line.
    """
    problems: list[Problem] = []
    rows = _checked(_rows(lines, form, problems), now, problems)
    if not rows and not problems:
        problems.append(Problem(1, "there are no members in it"))
    if problems:
        raise ImportRefusedError(tuple(problems[:MAX_PROBLEMS]))
    with writing(connection):
        for row in rows:
            try:
                member_id = members.insert(
                    connection,
                    row.name,
                    now=row.joined,
                    uploaded=row.uploaded,
                    downloaded=row.downloaded,
                    actual_uploaded=row.actual_uploaded,
                    actual_downloaded=row.actual_downloaded,
                )
                members.give_passkey(connection, member_id, now=now, secrets=secrets, passkey=row.passkey)
            except RegisterError as error:
                problems.append(Problem(row.line, str(error)))
                if len(problems) >= MAX_PROBLEMS:
                    break
        if problems:
            raise ImportRefusedError(tuple(problems))
    return ImportReport(
        members=len(rows), uploaded=sum(row.uploaded for row in rows), downloaded=sum(row.downloaded for row in rows)
    )


def _rows(lines: Iterable[str], form: ImportFormat, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    return _csv_rows(lines, problems) if form is ImportFormat.CSV else _json_rows(lines, problems)


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise ImportRefusedError((Problem(number, f"it has more than {MAX_LINE} characters"),))
        yield line


def _csv_rows(lines: Iterable[str], problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(_bounded(lines), strict=True)
    fields: list[str] | None = None
    try:
        for cells in reader:
            if fields is None:
                fields = [cell.strip().removeprefix("\ufeff") for cell in cells]
                if _bad_header(fields, problems):
                    return
            elif len(cells) == len(fields):
                yield reader.line_num, dict(zip(fields, cells, strict=True))
            elif cells:
                problems.append(Problem(reader.line_num, f"{len(cells)} fields instead of {len(fields)}"))
    except csv.Error as error:
        problems.append(Problem(reader.line_num, f"no CSV: {error}"))


def _bad_header(fields: list[str], problems: list[Problem]) -> bool:
    for field in fields:
        if field not in _FIELDS:
            problems.append(Problem(1, f"there is no field {field[:40]!r}; there are {', '.join(_FIELDS)}"))
        elif fields.count(field) > 1:
            problems.append(Problem(1, f"the field {field} is there twice"))
    problems += [Problem(1, f"the field {field} is missing") for field in _REQUIRED if field not in fields]
    return bool(problems)


def _json_rows(lines: Iterable[str], problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_bounded(lines), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_unique, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(number, f"no JSON: {error}"))
            continue
        if not isinstance(row, dict):
            problems.append(Problem(number, "no object"))
        elif unknown := [field for field in row if field not in _FIELDS]:
            problems.append(Problem(number, f"there is no field {unknown[0][:40]!r}"))
        elif missing := [field for field in _REQUIRED if field not in row]:
            problems.append(Problem(number, f"the field {missing[0]} is missing"))
        else:
            yield number, row


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _checked(rows: Iterable[tuple[int, dict[str, Any]]], now: float, problems: list[Problem]) -> list[_Imported]:
    good: list[_Imported] = []
    for line, row in rows:
        if len(good) >= MAX_MEMBERS:
            problems.append(Problem(line, f"more than {MAX_MEMBERS} members"))
        if len(problems) >= MAX_PROBLEMS:
            break
        try:
            good.append(_read(line, row, now))
        except ValueError as error:
            problems.append(Problem(line, str(error)))
    return good


def _read(line: int, row: dict[str, Any], now: float) -> _Imported:
    name, passkey = row["name"], row["passkey"]
    if not isinstance(name, str):
        raise ValueError("the name is no text")  # noqa: TRY004 - one kind of error a line
    if not isinstance(passkey, str) or not passkeys.is_possible(passkey):
        raise ValueError("the passkey must have 16 to 64 letters, digits, - and _")
    totals = {field: _total(field, row[field]) for field in _TOTALS if row.get(field) not in (None, "")}
    for field in ("uploaded", "downloaded"):
        if field not in totals:
            raise ValueError(f"{field} is empty")
        totals.setdefault(f"actual_{field}", totals[field])
    joined = row.get("joined")
    return _Imported(line, name, passkey, joined=now if joined in (None, "") else _time(joined), **totals)


def _total(field: str, value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_TOTAL:
        raise ValueError(f"{field} must be a whole number of bytes from 0 to {MAX_TOTAL}")
    return value


def _time(value: object) -> float:
    if isinstance(value, str) and _SECONDS.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12 or math.isnan(value):
        raise ValueError("joined must be seconds since the epoch")
    return float(value)
