"""The list of torrents as it is looked at: rows by info-hash, sorted, filtered, marked, with a cursor.

The rule: a change of few rows costs what these few cost, however many there are; only when most rows change, or the
order or the filter does, is everything sorted. The cursor and the marks are on torrents, not on lines: a torrent that
moves takes them along. What is not seen is not acted on.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.daemon.client_values import ErrorKind
from tui.columns import COLUMNS
from tui.query import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.query import Query

_Key: TypeAlias = tuple[object, ...]
"""Comparable; the info-hash is last, so that no two are equal and the order is the same every time."""

MANY: Final = 8
"""From one row in so many on, sorting everything is quicker than moving each."""

MOST_LEVELS: Final = 4
"""Of a stacked sort: more never decides anything."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a stacked sort, the first one first in decision."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody was in a list: the torrent under the cursor, None for none, and those marked, by info-hash."""

    cursor: str | None
    marks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sums:
    """Of several torrents: how many, bytes, bytes a second."""

    torrents: int = 0
    size: int = 0
    left: int = 0
    down: int = 0
    up: int = 0
    downloaded: int = 0
    uploaded: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """Lines that look otherwise: single ones, and all from `first` to before `last`."""

    lines: frozenset[int]
    first: int = 0
    last: int = 0

    def __bool__(self) -> bool:
        return bool(self.lines) or self.last > self.first

    def touches(self, first: int, last: int) -> bool:
        """Whether a line from `first` to before `last` is among them."""
        return (self.first < last and first < self.last) or any(first <= line < last for line in self.lines)


class Rows:
    """See the module's head. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._rows: dict[str, TorrentRow] = {}
        self._keys: dict[str, _Key] = {}
        """Of the rows that the filter lets through."""
        self._order: list[_Key] = []
        self._names: dict[int, str] = {}
        self._levels: tuple[Level, ...] = (Level("name"),)
        self._query = parse("")
        self._marks: set[str] = set()
        self._cursor: str | None = None
        self._line = 0
        """Where the cursor was last, for when its torrent goes."""
        self._wanted: str | None = None
        """Where the cursor is to be once that torrent is there."""

    # -- what there is

    @property
    def total(self) -> int:
        """Of torrents, seen or not."""
        return len(self._rows)

    @property
    def levels(self) -> tuple[Level, ...]:
        return self._levels

    @property
    def query(self) -> Query:
        return self._query

    def __len__(self) -> int:
        return len(self._order)

    def at(self, line: int) -> TorrentRow:
        return self._rows[str(self._order[line][-1])]

    def values_of(self, key: str) -> tuple[str, ...]:
        """What all torrents have of something that a filter can ask for; of labels and trackers alone."""
        match key:
            case "label":
                return tuple(sorted({label for row in self._rows.values() for label in row.labels}))
            case "tracker":
                return tuple(sorted({row.tracker for row in self._rows.values()}))
        return ()

    def by_hash(self, hash_string: str) -> TorrentRow | None:
        return self._rows.get(hash_string)

    def line_of(self, hash_string: str) -> int | None:
        key = self._keys.get(hash_string)
        return None if key is None else bisect_left(self._order, key)

    # -- what became of it

    def take(self, rows: Iterable[TorrentRow], removed: Iterable[int], now: float) -> Moved:
        """Torrents that are new or changed, and ids of those that are gone."""
        gone = [name for number in removed if (name := self._names.pop(number, None)) is not None]
        fresh = {row.hash_string: row for row in rows}
        for name in gone:
            if name not in fresh:
                del self._rows[name]
                self._marks.discard(name)
        for name, row in fresh.items():
            known = self._rows.get(name)
            if known is not None and known.id != row.id and self._names.get(known.id) == name:
                del self._names[known.id]
            self._rows[name] = row
            self._names[row.id] = name
        return self._arrange(dict.fromkeys((*gone, *fresh)), now)

    def replace(self, rows: Iterable[TorrentRow], now: float) -> Moved:
        """These are all that there are."""
        fresh = {row.hash_string: row for row in rows}
        removed = [row.id for name, row in self._rows.items() if name not in fresh]
        return self.take(fresh.values(), removed, now)

    def sort(self, levels: Sequence[Level], now: float) -> Moved:
        """Another order. Raises KeyError for a column that is none."""
        for level in levels:
            COLUMNS[level.column]
        self._levels = tuple(levels[:MOST_LEVELS])
        return self._all(now)

    def sort_by(self, column: str, now: float) -> Moved:
        """Put a column on top of the stack; on top already, it is reversed."""
        top = self._levels[0] if self._levels else None
        if top is not None and top.column == column:
            return self.sort((Level(column, not top.descending), *self._levels[1:]), now)
        return self.sort((Level(column), *(each for each in self._levels if each.column != column)), now)

    def filter(self, query: Query, now: float) -> Moved:
        """Another filter; the same one anew where it asks for ages."""
        self._query = query
        return self._all(now)

    def _key(self, row: TorrentRow) -> _Key:
        parts: list[object] = []
        for level in self._levels:
            value = COLUMNS[level.column].sort(row)
            if not level.descending:
                parts.append(value)
            elif isinstance(value, str):
                parts.append((*(-ord(letter) for letter in value), 1))  # the longer of two that begin alike comes first
            else:
                parts.append(-value)
        return (*parts, row.hash_string)

    def _all(self, now: float) -> Moved:
        before = len(self._order)
        matches = self._query.matches
        self._keys = {name: self._key(row) for name, row in self._rows.items() if matches(row, now)}
        self._order = sorted(self._keys.values())
        self._settle()
        return Moved(frozenset(), 0, max(before, len(self._order)))

    def _arrange(self, names: Iterable[str], now: float) -> Moved:
        changes: list[tuple[str, _Key | None, _Key | None]] = []
        same: list[str] = []
        for name in names:
            row, old = self._rows.get(name), self._keys.get(name)
            new = self._key(row) if row is not None and self._query.matches(row, now) else None
            if old != new:
                changes.append((name, old, new))
            elif new is not None:
                same.append(name)
        if len(changes) * MANY > len(self._order):
            return self._all(now)
        before = len(self._order)
        first, last = self._move(changes)
        self._settle()
        if len(self._order) != before:
            last = max(before, len(self._order))
        touched = (bisect_left(self._order, self._keys[name]) for name in same)
        return Moved(frozenset(touched), first, last)

    def _move(self, changes: Sequence[tuple[str, _Key | None, _Key | None]]) -> tuple[int, int]:
        """Take the old keys out and put the new ones in; the span of lines within which all that happened."""
        order, first, last = self._order, len(self._order), 0
        for name, old, new in changes:
            for key in (old, new):
                if key is None:
                    continue
                line = bisect_left(order, key)
                first, last = min(first, line), max(last, line + 1)
                if key is old:
                    del order[line]
                else:
                    order.insert(line, key)
            if new is None:
                del self._keys[name]
            else:
                self._keys[name] = new
        # A line was counted while others were in or out of the list: at most as many as there are changes.
        return (max(0, first - len(changes)), last + len(changes)) if changes else (0, 0)

    # -- the cursor

    @property
    def cursor(self) -> TorrentRow | None:
        return None if self._cursor is None else self._rows[self._cursor]

    @property
    def cursor_line(self) -> int:
        """0 where there is no line."""
        return self._line

    def go(self, line: int) -> None:
        """To a line, or the nearest there is."""
        self._wanted = None
        self._go(line)

    def _go(self, line: int) -> None:
        self._line = max(0, min(line, len(self._order) - 1))
        self._cursor = str(self._order[self._line][-1]) if self._order else None

    def place(self) -> Place:
        return Place(self._cursor, frozenset(self._marks))

    def go_back(self, place: Place | None) -> None:
        """There, as soon as its torrents are there; None for a list nobody has been to."""
        self._wanted = None if place is None else place.cursor
        self._marks = set() if place is None else set(place.marks)

    def find_again(self, place: Place) -> None:
        """The cursor and marks of before, where what they were on is not there now and comes again."""
        self._marks |= place.marks
        if place.cursor is not None and place.cursor not in self._rows and self._wanted is None:
            self._wanted = place.cursor

    def _settle(self) -> None:
        if self._wanted is not None and self._wanted in self._keys:
            self._cursor, self._wanted = self._wanted, None
        line = None if self._cursor is None else self.line_of(self._cursor)
        if line is None:
            self._go(self._line)
        else:
            self._line = line

    # -- marks

    @property
    def marked(self) -> int:
        """How many are marked and seen."""
        return sum(name in self._keys for name in self._marks)

    @property
    def errors(self) -> int:
        """Torrents with one, seen or not."""
        return sum(row.error is not ErrorKind.NONE for row in self._rows.values())

    def sums(self) -> Sums:
        """Of those that are marked and seen; of all that are seen where none is marked."""
        rows, keys = self._rows, self._keys
        seen = [rows[name] for name in self._marks if name in keys] or [rows[name] for name in keys]
        size = left = down = up = downloaded = uploaded = 0
        for row in seen:  # at once: it is done whenever anything moves
            size += row.size_when_done
            left += row.left_until_done
            down += row.rate_download
            up += row.rate_upload
            downloaded += row.downloaded_ever
            uploaded += row.uploaded_ever
        return Sums(len(seen), size, left, down, up, downloaded, uploaded)

    def is_marked(self, hash_string: str) -> bool:
        return hash_string in self._marks

    def toggle_mark(self) -> None:
        """Of the cursor's torrent."""
        if self._cursor is not None:
            self._marks ^= {self._cursor}

    def mark_all(self) -> None:
        """All that are seen, and none if all are."""
        seen = set(self._keys)
        if seen <= self._marks:
            self._marks -= seen
        else:
            self._marks |= seen

    def invert_marks(self) -> None:
        """Of all that are seen."""
        self._marks ^= set(self._keys)

    def unmark(self) -> None:
        self._marks.clear()

    def chosen(self) -> tuple[TorrentRow, ...]:
        """What a verb is for: the marked ones that are seen, in their order, or the cursor's where none is."""
        marked = sorted((line, name) for name in self._marks if (line := self.line_of(name)) is not None)
        if marked:
            return tuple(self._rows[name] for _, name in marked)
        return () if self.cursor is None else (self.cursor,)
