"""A torrent of a daemon in words: its state, what is wrong, how far it is, ratios and dates; and the same as JSON."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from p2p.cli.console import say, say_json
from p2p.cli.remote_tables import Cell
from p2p.daemon.client_values import ErrorKind, Status
from p2p.disk.refusals import printable
from p2p.quantities import count, format_duration, format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2p.cli.console import Json
    from p2p.daemon.client_values import TorrentRow

NAMED: Final = 20
"""Torrents that are named one by one."""

STATES: Final = {
    Status.STOPPED: "stopped",
    Status.CHECK_QUEUED: "check queued",
    Status.CHECKING: "checking",
    Status.DOWNLOAD_QUEUED: "queued",
    Status.DOWNLOADING: "downloading",
    Status.SEED_QUEUED: "seed queued",
    Status.SEEDING: "seeding",
}

_STYLES: Final = {
    Status.STOPPED: "dim",
    Status.CHECKING: "yellow",
    Status.DOWNLOADING: "cyan",
    Status.SEEDING: "green",
}


def state_of(row: TorrentRow) -> str:
    """`downloading`, `finished`, `stalled`, `metadata`, `error`, ..."""
    if row.error is ErrorKind.LOCAL:
        return "error"
    if row.status is Status.STOPPED and row.is_finished:
        return "finished"
    if row.status is Status.DOWNLOADING and row.metadata_percent_complete < 1:
        return "metadata"
    if row.is_stalled and row.status in (Status.DOWNLOADING, Status.SEEDING):
        return "stalled"
    return STATES[row.status]


def state_cell(row: TorrentRow) -> Cell:
    """The state in its colour."""
    style = "red" if row.error is ErrorKind.LOCAL else _STYLES.get(row.status, "")
    return Cell(state_of(row), style)


def done_of(row: TorrentRow) -> str:
    """How much is there, or checked by now: `42%`. Never 100 before it is all there."""
    share = row.recheck_progress if row.status is Status.CHECKING else row.percent_done
    if row.metadata_percent_complete < 1 and row.status is not Status.CHECKING:
        share = row.metadata_percent_complete
    return f"{int(share * 100)}%"


def rate_of(rate: int) -> str:
    """A rate; nothing for none, which is easier to look through."""
    return format_rate(rate) if rate else ""


def eta_of(row: TorrentRow) -> str:
    """Time left, nothing where there is none."""
    if row.eta >= 0:
        return format_duration(row.eta)
    return "?" if row.eta == -2 and row.status is Status.DOWNLOADING else ""


def ratio_of(ratio: float) -> str:
    """`1.52`; `-` where it has no meaning, an infinity sign where nothing was downloaded."""
    if ratio == -2:
        return "∞"
    return f"{ratio:.2f}" if ratio >= 0 else "-"


def date_of(seconds: int) -> str:
    """In this machine's time; `-` for never."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M") if seconds > 0 else "-"


def json_of(value: Any) -> Json:
    """A value of the client's as JSON: objects by their fields, enums by their names in small letters."""
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, tuple | list):
        return [json_of(each) for each in value]
    if is_dataclass(value):
        return fields_of(value)
    json: Json = value
    return json


def fields_of(value: Any) -> dict[str, Json]:
    """A value that has fields, as a JSON object."""
    return {each.name: json_of(getattr(value, each.name)) for each in fields(value)}


def say_done(what: str, rows: Sequence[TorrentRow], *, as_json: bool) -> None:
    """What was done to which torrents: each by name where they are few."""
    if as_json:
        say_json([{"id": row.id, "hash_string": row.hash_string, "name": row.name} for row in rows])
    elif len(rows) > NAMED:
        say(f"{what}: {count(len(rows), 'torrent')}")
    else:
        for row in rows:
            say(f"{what}: {row.id} {printable(row.name)}")
