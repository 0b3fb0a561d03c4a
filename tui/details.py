"""What the tabs of one torrent say that are tables of text, made of what the daemon tells. Pure.

The rule: everything that a peer, a tracker or a torrent's maker has written goes through `safe`. Times are seconds
since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from p2p.daemon.client_values import Part
from p2p.quantities import format_duration, format_rate, format_size
from tui.columns import Side, percent, state_of
from tui.peers import address_of, flags_in_words, order_of, with_whom
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from p2p.daemon.client_values import TorrentDetails, TorrentRow

Cells = tuple[str, ...]

_NOT_ASKED: Final = "not asked yet"
_SUCCESS: Final = "Success"
"""Transmission's word, and ours."""

_LAST_DATE: Final = 253_000_000_000
"""Seconds since the epoch; in the last year that has four digits."""


@dataclass(frozen=True, slots=True)
class Heading:
    """`width` is cells, 0 for what is left."""

    text: str
    width: int = 0
    side: Side = Side.LEFT


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: its key, what it is called, what it needs, its headings, its lines, and what is said where it has none.
    `look` is the class of a line's style."""

    key: str
    title: str
    part: Part
    headings: tuple[Heading, ...]
    lines: Callable[[TorrentDetails, TorrentRow, float], Sequence[Cells]]
    nothing: str = ""
    look: Callable[[Cells], str] = lambda _: "table--line"


def _right(text: str, width: int) -> Heading:
    return Heading(text, width, Side.RIGHT)


def _known(number: float, text: str) -> str:
    return "" if number < 0 else text


def _date(since: int) -> str:
    """A maker of torrents can write any number: what is no date of this age is none."""
    return f"{datetime.fromtimestamp(since, UTC).astimezone():%Y-%m-%d %H:%M}" if 0 < since <= _LAST_DATE else ""


def _due(at: int, now: float) -> str:
    return "" if at <= 0 else "now" if at <= now else format_duration(at - now)


def _overview(details: TorrentDetails, row: TorrentRow, _: float) -> Sequence[Cells]:
    role = "seeder" if row.left_until_done == 0 and row.metadata_percent_complete >= 1 else "leecher"
    sources = details.peers_from
    known = {
        "trackers": sources.from_tracker,
        "DHT": sources.from_dht,
        "exchange": sources.from_pex,
        "local": sources.from_lpd,
        "incoming": sources.from_incoming,
    }
    said = (
        ("State", f"{state_of(row)}, as a {role}"),
        ("Trouble", safe(row.error_string)),
        ("Size", f"{format_size(row.size_when_done)} wanted of {format_size(row.total_size)}"),
        ("Done", f"{100 * row.percent_done:.1f}%, {format_size(row.left_until_done)} left"),
        ("Rates", f"down {format_rate(row.rate_download)}, up {format_rate(row.rate_upload)}"),
        ("ETA", format_duration(row.eta) if row.eta >= 0 else ""),
        ("Downloaded", f"{format_size(row.downloaded_ever)}, {format_size(details.corrupt_ever)} of it corrupt"),
        ("Uploaded", f"{format_size(row.uploaded_ever)}{_known(row.upload_ratio, f', ratio {row.upload_ratio:.2f}')}"),
        (
            "Peers",
            f"{row.peers_connected:,} connected: {row.peers_sending_to_us:,} give, {row.peers_getting_from_us:,} take",
        ),
        *with_whom(details.peers),
        ("Found by", ", ".join(f"{name} {number:,}" for name, number in known.items() if number)),
        ("Swarm", _known(row.seeders, f"{row.seeders:,} seeders, {max(0, row.leechers):,} leechers")),
        ("Pieces", f"{details.piece_count:,} of {format_size(details.piece_size)}"),
        ("Files", f"{details.file_count:,}"),
        ("Folder", safe(row.download_dir)),
        ("Labels", safe(", ".join(row.labels))),
        ("Added", _date(row.added_date)),
        ("Completed", _date(row.done_date)),
        (
            "Active",
            " leeching, ".join(map(format_duration, (details.seconds_downloading, details.seconds_seeding)))
            + " seeding",
        ),
        ("Made", f"{_date(details.date_created)} {safe(details.creator)}".strip()),
        ("Comment", safe(details.comment)),
        ("Private", "yes" if row.is_private else ""),
        ("Info-hash", safe(details.hash_string)),
    )
    return [(name, text) for name, text in said if text]


def _peers(details: TorrentDetails, _: TorrentRow, __: float) -> Sequence[Cells]:
    """Those who give or take most first."""
    return [
        (
            address_of(peer),
            safe(peer.client_name),
            safe(peer.flag_str),
            percent(peer.progress),
            format_rate(peer.rate_to_client) if peer.rate_to_client else "",
            format_rate(peer.rate_to_peer) if peer.rate_to_peer else "",
        )
        for peer in order_of(details.peers)
    ]


def _about_peer(details: TorrentDetails, line: int, _: float) -> str:
    peers = order_of(details.peers)
    return flags_in_words(peers[line].flag_str) if line < len(peers) else ""


def _about_tracker(details: TorrentDetails, line: int, now: float) -> str:
    """The whole of what it has answered."""
    if line >= len(details.tracker_stats):
        return ""
    tracker = details.tracker_stats[line]
    due = _due(tracker.next_announce_time, now)
    parts = (
        safe(tracker.announce),
        safe(tracker.last_announce_result) if tracker.has_announced else "",
        f"asked again {due if due == 'now' else 'in ' + due}" if due else "",
    )
    return ": ".join(part for part in parts if part)


def _trackers(details: TorrentDetails, _: TorrentRow, now: float) -> Sequence[Cells]:
    return [
        (
            str(tracker.tier + 1),
            safe(tracker.announce),
            safe(tracker.last_announce_result) if tracker.has_announced else _NOT_ASKED,
            _due(tracker.next_announce_time, now),
            _known(tracker.seeder_count, f"{tracker.seeder_count:,}"),
            _known(tracker.leecher_count, f"{tracker.leecher_count:,}"),
        )
        for tracker in details.tracker_stats
    ]


def _look_of_tracker(cells: Cells) -> str:
    answer = cells[2]
    return "table--faint" if answer == _NOT_ASKED else "table--line" if answer == _SUCCESS else "table--bad"


ABOUT: Final[Mapping[str, Callable[[TorrentDetails, int, float], str]]] = {
    "peers": _about_peer,
    "trackers": _about_tracker,
}
"""What is said of the line under the cursor, by the tab's key."""

TABS: Final = (
    Tab("overview", "Overview", Part.PEERS, (Heading("", 12), Heading("")), _overview),
    Tab(
        "peers",
        "Peers",
        Part.PEERS,
        (
            Heading("Peer", 21),
            Heading("Client"),
            Heading("Flags", 8),
            _right("Has", 5),
            _right("Down", 11),
            _right("Up", 11),
        ),
        _peers,
        "no peers are connected",
    ),
    Tab(
        "trackers",
        "Trackers",
        Part.TRACKERS,
        (
            _right("Tier", 4),
            Heading("Tracker"),
            Heading("Last answer", 18),
            _right("Next", 7),
            _right("Seed", 5),
            _right("Leech", 5),
        ),
        _trackers,
        "it has no trackers: peers come from the DHT, from other peers and from nearby",
        _look_of_tracker,
    ),
)
