"""The columns of the list of torrents: what each is called, how wide it is, what it says of a torrent, how it sorts.

The rule: every column has a sort key of one kind, numbers or text, so that keys can always be compared. Where there is
no room for all, those with the greatest `rank` are left out first; the name takes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from p2p.daemon.client_values import ErrorKind, Status, TorrentRow
from p2p.quantities import format_duration, format_size
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SortKey: TypeAlias = float | str

NARROWEST_NAME: Final = 20
"""Cells that a name has at least before a column is left out for it."""

ROOMY_NAME: Final = 48
"""The same before a column is left out that says with much room what another says with little."""

BAR: Final = 20
"""Cells of a bar of progress: 5 % each."""

GAP: Final = 1


class Side(Enum):
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Column:
    """`width` is cells, 0 for what is left. `text` gets a row and the time in seconds since the epoch."""

    key: str
    heading: str
    width: int
    side: Side
    rank: int
    text: Callable[[TorrentRow, float], str]
    sort: Callable[[TorrentRow], SortKey]


_WORDS: Final[Mapping[Status, str]] = {
    Status.STOPPED: "stopped",
    Status.CHECK_QUEUED: "to check",
    Status.CHECKING: "checking",
    Status.DOWNLOAD_QUEUED: "queued",
    Status.DOWNLOADING: "leeching",
    Status.SEED_QUEUED: "queued",
    Status.SEEDING: "seeding",
}


def state_of(row: TorrentRow) -> str:
    """One word, or two, for what a torrent is at."""
    if row.error is not ErrorKind.NONE:
        return "error"
    if row.status is Status.CHECKING:
        return f"check {percent(row.recheck_progress)}"
    if row.status is Status.DOWNLOADING and row.metadata_percent_complete < 1:
        return "metadata"
    if row.status is Status.STOPPED and row.is_finished:
        return "finished"
    if row.is_stalled and row.status in (Status.DOWNLOADING, Status.SEEDING):
        return "stalled"
    return _WORDS[row.status]


def _known(number: int) -> str:
    return "" if number < 0 else f"{number:,}"


def _rate(rate: int) -> str:
    return "" if rate <= 0 else format_size(rate).removesuffix("iB")


def _age(since: int, now: float) -> str:
    return "" if since <= 0 else format_duration(min(max(0.0, now - since), 99 * 86_400.0))


def _done(row: TorrentRow) -> float:
    return row.metadata_percent_complete if row.metadata_percent_complete < 1 else row.percent_done


def percent(part: float) -> str:
    """From 0 to 100 %, rounded down: 100 % is said of what is complete alone."""
    return f"{int(100 * min(1.0, max(0.0, part)) + 1e-9)}%"


def bar(part: float) -> str:
    """A bar from empty to full, full for what is complete alone."""
    filled = int(BAR * min(1.0, max(0.0, part)) + 1e-9)
    return "━" * filled + "─" * (BAR - filled)


_ROOMY: Final = 13
"""From this rank on a column is for wide terminals."""

_LAST: Final = float("inf")

COLUMNS: Final[Mapping[str, Column]] = {
    column.key: column
    for column in (
        Column("name", "Name", 0, Side.LEFT, 0, lambda row, _: safe(row.name), lambda row: row.name.casefold()),
        Column("state", "State", 10, Side.LEFT, 3, lambda row, _: state_of(row), state_of),
        Column("progress", "Progress", BAR, Side.LEFT, _ROOMY, lambda row, _: bar(_done(row)), _done),
        Column("done", "Done", 5, Side.RIGHT, 1, lambda row, _: percent(_done(row)), _done),
        Column(
            "size",
            "Size",
            8,
            Side.RIGHT,
            6,
            lambda row, _: format_size(row.size_when_done) if row.size_when_done else "",
            lambda row: row.size_when_done,
        ),
        Column(
            "down", "Down", 8, Side.RIGHT, 2, lambda row, _: _rate(row.rate_download), lambda row: row.rate_download
        ),
        Column("up", "Up", 8, Side.RIGHT, 3, lambda row, _: _rate(row.rate_upload), lambda row: row.rate_upload),
        Column(
            "ratio",
            "Ratio",
            6,
            Side.RIGHT,
            5,
            lambda row, _: "" if row.upload_ratio < 0 else f"{row.upload_ratio:.2f}",
            lambda row: row.upload_ratio,
        ),
        Column(
            "eta",
            "ETA",
            7,
            Side.RIGHT,
            4,
            lambda row, _: "" if row.eta < 0 else format_duration(row.eta),
            lambda row: row.eta if row.eta >= 0 else _LAST,
        ),
        Column("seeders", "Seed", 6, Side.RIGHT, 7, lambda row, _: _known(row.seeders), lambda row: row.seeders),
        Column("leechers", "Leech", 6, Side.RIGHT, 7, lambda row, _: _known(row.leechers), lambda row: row.leechers),
        Column(
            "peers",
            "Peers",
            5,
            Side.RIGHT,
            8,
            lambda row, _: str(row.peers_connected) if row.peers_connected else "",
            lambda row: row.peers_connected,
        ),
        Column(
            "label",
            "Label",
            12,
            Side.LEFT,
            9,
            lambda row, _: safe(", ".join(row.labels[:5])),
            lambda row: ", ".join(row.labels).casefold(),
        ),
        Column(
            "added", "Added", 7, Side.RIGHT, 10, lambda row, now: _age(row.added_date, now), lambda row: row.added_date
        ),
        Column("tracker", "Tracker", 22, Side.LEFT, 11, lambda row, _: safe(row.tracker), lambda row: row.tracker),
        Column(
            "place", "#", 5, Side.RIGHT, 12, lambda row, _: str(row.queue_position + 1), lambda row: row.queue_position
        ),
    )
}

USUAL: Final = (
    "name",
    "state",
    "progress",
    "done",
    "size",
    "down",
    "up",
    "ratio",
    "eta",
    "seeders",
    "leechers",
    "peers",
    "label",
    "added",
)
"""The columns of whoever has chosen none."""


NARROWEST: Final = 3
WIDEST: Final = 80
"""Cells of a column whose width is chosen."""


@lru_cache(maxsize=1_000)
def column_of(text: str) -> Column:
    """Of its key, with `:` and a width where one is chosen. Raises KeyError for what is none."""
    key, colon, width = text.partition(":")
    column = COLUMNS[key]
    if not colon:
        return column
    if not (width.isascii() and width.isdecimal() and len(width) <= 3 and NARROWEST <= int(width) <= WIDEST):
        raise KeyError(text)
    return replace(column, width=int(width))


def laid_out(keys: Sequence[str], room: int) -> tuple[tuple[Column, int], ...]:
    """The columns for which `room` cells suffice, in the order of `keys`, each with its width."""
    columns = [column_of(key) for key in keys]
    while len(columns) > 1:
        least = max(columns, key=lambda column: column.rank)
        name = ROOMY_NAME if least.rank >= _ROOMY else NARROWEST_NAME
        if sum(column.width or name for column in columns) + GAP * (len(columns) - 1) <= room:
            break
        columns.remove(least)
    rest = room - sum(column.width for column in columns) - GAP * (len(columns) - 1)
    return tuple((column, column.width or max(1, rest)) for column in columns)
