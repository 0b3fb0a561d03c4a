"""What is kept of one torrent beside its torrent file and its resume state: its names, what was wished, its history.

The rule: the link names the torrent even where its file is lost. Dates that the clock has not reached yet are of a
clock that was wrong, and count as now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2p.daemon.managed_torrent import Wishes
from p2p.daemon.ports import Priority
from p2p.daemon.state_records import MAX_ITEMS, RecordReader, plain_record, read_plain
from p2p.errors import StorageError
from p2p.metainfo.magnet import MAX_LINK, Magnet
from p2p.session.ledger import History
from p2p.session.selection import FIRST_LAST
from p2p.session.settings import TorrentOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from p2p.daemon.managed_torrent import ManagedTorrent
    from p2p.daemon.names import Json
    from p2p.daemon.state_records import Record
    from p2p.session.torrent import Torrent

MAX_TIERS: Final = 1_000
"""Tiers of trackers, and trackers of a tier, that are read back."""

_FILE: Final = re.compile(r"[0-9a-f]{40,64}")

_OPTIONS: Final = ("sequential", "first_and_last")


@dataclass(frozen=True, slots=True)
class KeptTorrent:
    """A torrent as it is on record."""

    id: int
    link: str
    """A magnet link with all its info-hashes and trackers."""

    file: str
    """The name that its torrent file is kept under; empty where there is none yet."""

    private: bool
    wishes: Wishes
    options: TorrentOptions
    history: History


def torrent_record(managed: ManagedTorrent, now: float) -> Record:
    """Everything that is kept of it; `now` is the loop's time."""
    torrent = managed.torrent
    options = torrent.options
    return {
        "id": managed.id,
        "link": _link(managed),
        "file": Path(managed.torrent_file).stem,
        "private": torrent.private,
        "place": str(torrent.target),
        "wishes": plain_record(managed.wishes),
        "options": {
            **{name: getattr(options, name) for name in _OPTIONS},
            "select": list(options.select),
            "select_indices": list(options.select_indices),
            "priorities": {str(index): level for index, level in sorted(options.priorities.items())},
            "trackers": None if options.trackers is None else [list(tier) for tier in options.trackers],
        },
        "history": plain_record(_history_of(torrent, now)),
    }


def read_torrent_record(record: Mapping[str, Json], of: str, wall: float) -> KeptTorrent:
    """What `torrent_record` gave. Raises StorageError for one that names no torrent; `of` is what the log calls it,
    `wall` the date."""
    reader = RecordReader(dict(record), of)
    number = reader.integer("id", 0, low=1)
    link = reader.text("link", "", MAX_LINK)
    place = reader.text("place", "")
    if not number or not link or not place.startswith("/"):
        raise StorageError(f"the state of {of} names no torrent, number and place")
    wishes = RecordReader(reader.record("wishes"), f"{of}, wishes")
    history = RecordReader(reader.record("history"), f"{of}, history")
    found = KeptTorrent(
        id=number,
        link=link,
        file=_file_name(reader),
        private=reader.boolean("private", default=False),
        wishes=_wishes(wishes),
        options=_options(RecordReader(reader.record("options"), f"{of}, options"), place),
        history=_history(read_plain(History(), history), wall),
    )
    for each in (wishes, history, reader):
        each.close()
    return found


def _link(managed: ManagedTorrent) -> str:
    """Its magnet link; without its trackers, where those are too many for one."""
    link = managed.magnet_link()
    if len(link) <= MAX_LINK:
        return link
    return replace(Magnet.parse(managed.magnet_link().partition("&tr=")[0]), name=None).uri()


def _file_name(reader: RecordReader) -> str:
    name = reader.text("file", "")
    if name and not _FILE.fullmatch(name):
        reader.complain("file", name)
        return ""
    return name


def _history_of(torrent: Torrent, now: float) -> History:
    exchange = torrent.exchange
    if exchange is None:
        return torrent.ledger.history(now)
    return torrent.ledger.history(now, uploaded=exchange.uploaded, downloaded=exchange.downloaded)


def _wishes(reader: RecordReader) -> Wishes:
    wishes = read_plain(Wishes(), reader, ("priorities",))
    levels = _numbers(reader, "priorities", min(Priority), max(Priority))
    wishes.priorities = {index: Priority(level) for index, level in levels.items()}
    return wishes


def _options(reader: RecordReader, place: str) -> TorrentOptions:
    options = TorrentOptions(
        download_dir=place,
        select=reader.texts("select"),
        select_indices=reader.integers("select_indices"),
        priorities=_numbers(reader, "priorities", 0, FIRST_LAST),
        trackers=_tiers(reader),
        **{name: reader.boolean(name, default=False) for name in _OPTIONS},  # type: ignore[arg-type]
    )
    reader.close()
    return options


def _numbers(reader: RecordReader, name: str, low: int, high: int) -> dict[int, int]:
    """Numbers by file index; none that is bad."""
    found: dict[int, int] = {}
    for key, value in reader.record(name).items():
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        if not (key.isascii() and key.isdigit() and len(key) <= len(str(MAX_ITEMS))) or not fits:
            reader.complain(name, {key: value})
        else:
            found[int(key)] = int(value)  # type: ignore[arg-type]
    return found


def _tiers(reader: RecordReader) -> tuple[tuple[str, ...], ...] | None:
    tiers = reader.raw("trackers")
    if tiers is None:
        return None
    if not isinstance(tiers, list) or len(tiers) > MAX_TIERS:
        reader.complain("trackers", tiers)
        return None
    found = []
    for tier in tiers:
        if not isinstance(tier, list) or len(tier) > MAX_TIERS or not all(isinstance(url, str) for url in tier):
            reader.complain("trackers", tiers)
            return None
        found.append(tuple(str(url) for url in tier))
    return tuple(found)


def _history(history: History, wall: float) -> History:
    return replace(
        history,
        added_time=min(history.added_time, wall),
        completed_time=min(history.completed_time, wall),
        active_time=min(history.active_time, wall),
    )
