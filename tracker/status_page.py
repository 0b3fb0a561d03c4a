"""What the status page shows, worked out from figures and accounts as text, and put into the template.

The rule: every value is text from here on and escaped by the template; what members or torrents are called can be
anything. Nothing in a page is fetched from elsewhere, and it works without scripts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.figures import Figures, SwarmFigures

TITLE: Final = "Starling tracker"
SHOWN_SWARMS: Final = 50

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class Note(NamedTuple):
    """A line above everything."""

    text: str
    bad: bool


class Figure(NamedTuple):
    """A number with its name. `tone` is `good`, `bad` or nothing."""

    name: str
    value: str
    tone: str = ""


class Column(NamedTuple):
    """`style` is `number`, `hash`, `name` or nothing."""

    heading: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A box of the page."""

    heading: str
    figures: Sequence[Figure] = ()
    items: Sequence[str] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorrentStanding:
    """A member and one torrent. Bytes and seconds; `due` is the seed time still owed, None where none is."""

    name: str
    doing: str
    """`seeding`, `leeching`, or nothing."""
    uploaded: int
    downloaded: int
    seed_time: float
    due: float | None
    until: float | None
    """When what is due must be done, seconds since the epoch."""
    missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStanding:
    """A member as the page shows one. Bytes and seconds since the epoch."""

    name: str
    uploaded: int
    downloaded: int
    actual_uploaded: int
    actual_downloaded: int
    may_download: bool
    reason: str
    """Why not, for the member."""
    minimum_ratio: float
    """0 where none is asked."""
    free_download: int
    max_warnings: int
    warnings: Sequence[tuple[str, float]]
    """Torrents that were not seeded, and when each warning is spent."""
    torrents: Sequence[TorrentStanding]
    promotions: Sequence[str]
    """What is given to the member or to everybody, in words."""

    @property
    def ratio(self) -> float:
        return self.uploaded / self.downloaded if self.downloaded else math.inf


class StatusPage:
    """Puts pages together."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("tracker", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = self._environment.get_template("status.html")

    def open_tracker(self, figures: Figures, swarms: Sequence[SwarmFigures]) -> bytes:
        """Swarms and totals."""
        return self._render(figures, sections=[_totals(figures), _swarms(figures, swarms)])

    def login(self, figures: Figures, notes: Sequence[Note] = ()) -> bytes:
        """What a stranger sees of a private tracker."""
        return self._render(figures, notes=notes, login=True)

    def member(self, figures: Figures, standing: MemberStanding) -> bytes:
        """How a member stands."""
        notes = [] if standing.may_download else [Note(f"You may not download: {standing.reason}.", bad=True)]
        sections = [_standing(standing), *_rules(standing), _torrents(standing)]
        return self._render(figures, notes=notes, sections=sections, member=standing.name)

    def _render(
        self,
        figures: Figures,
        *,
        notes: Sequence[Note] = (),
        sections: Sequence[Section] = (),
        login: bool = False,
        member: str = "",
    ) -> bytes:
        mode = "open to everybody" if figures.accounts is None else "for members"
        return self._template.render(
            title=TITLE,
            subtitle=f"{member}'s standing" if member else mode,
            member=member,
            notes=notes,
            login=login,
            sections=sections,
            footer=f"As of {format_time(figures.now)}. Up for {format_span(figures.uptime)}.",
        ).encode()


def format_bytes(size: float) -> str:
    """`1.5 GiB`."""
    value = float(size)
    for unit in _UNITS:
        if abs(value) < 1_023.95 or unit == _UNITS[-1]:
            break
        value /= 1_024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def format_span(seconds: float) -> str:
    """The two greatest units: `3 d 4 h`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size or (name == "s" and not parts):
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


def format_time(seconds: float) -> str:
    """`2026-11-21 10:02:21 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_ratio(uploaded: int, downloaded: int) -> str:
    """`1.52`; `-` where nothing was moved, an infinity sign where nothing was downloaded."""
    if downloaded:
        return f"{uploaded / downloaded:.2f}"
    return "∞" if uploaded else "-"


def _totals(figures: Figures) -> Section:
    return Section(
        heading="Now",
        figures=[
            Figure("swarms", f"{figures.totals.torrents:,}"),
            Figure("peers", f"{figures.totals.peers:,}"),
            Figure("seeders", f"{figures.totals.seeders:,}"),
            Figure("leechers", f"{figures.leechers:,}"),
            Figure("announces a second", f"{figures.announce_rate:,.1f}"),
            Figure("scrapes a second", f"{figures.scrape_rate:,.1f}"),
            Figure("announces since the start", f"{figures.traffic.announces:,}"),
            Figure("up for", format_span(figures.uptime)),
        ],
    )


def _swarms(figures: Figures, swarms: Sequence[SwarmFigures]) -> Section:
    shown = swarms[:SHOWN_SWARMS]
    more = f"The busiest {len(shown)}." if figures.totals.torrents > len(shown) > 0 else ""
    return Section(
        heading="Swarms",
        columns=[
            Column("info-hash", "hash"),
            Column("seeders", "number"),
            Column("leechers", "number"),
            Column("completed", "number"),
        ],
        rows=[
            (each.info_hash.hex(), f"{each.seeders:,}", f"{each.leechers:,}", f"{each.completed:,}") for each in shown
        ],
        remark=more if shown else "Nobody is here yet.",
    )


def _standing(standing: MemberStanding) -> Section:
    low = standing.minimum_ratio > 0 and standing.downloaded > standing.free_download
    tone = "" if not low else ("good" if standing.ratio >= standing.minimum_ratio else "bad")
    return Section(
        heading="Totals",
        figures=[
            Figure("ratio", format_ratio(standing.uploaded, standing.downloaded), tone),
            Figure("uploaded", format_bytes(standing.uploaded)),
            Figure("downloaded", format_bytes(standing.downloaded)),
            Figure("actually uploaded", format_bytes(standing.actual_uploaded)),
            Figure("actually downloaded", format_bytes(standing.actual_downloaded)),
            Figure("seeding", f"{sum(each.doing == 'seeding' for each in standing.torrents):,}"),
            Figure("leeching", f"{sum(each.doing == 'leeching' for each in standing.torrents):,}"),
            Figure("warnings", f"{len(standing.warnings):,}", "bad" if standing.warnings else ""),
        ],
    )


def _rules(standing: MemberStanding) -> list[Section]:
    sections = []
    rules = []
    if standing.minimum_ratio > 0:
        free = format_bytes(standing.free_download)
        rules.append(f"A ratio of {standing.minimum_ratio:g} is asked of who has downloaded more than {free}.")
    if standing.max_warnings > 0:
        rules.append(f"With {standing.max_warnings} warnings the right to download rests.")
    rules += standing.promotions
    if rules:
        sections.append(Section(heading="Rules", items=rules))
    if standing.warnings:
        items = [f"{name} was not seeded long enough. Spent {format_time(until)}." for name, until in standing.warnings]
        sections.append(Section(heading="Warnings", items=items))
    due = [each for each in standing.torrents if each.due is not None]
    if due:
        rows = [
            (
                each.name,
                format_span(each.due or 0.0),
                "missed" if each.missed else ("-" if each.until is None else format_time(each.until)),
            )
            for each in due
        ]
        columns = [Column("torrent", "name"), Column("still to seed", "number"), Column("by")]
        sections.append(Section(heading="To be seeded", columns=columns, rows=rows))
    return sections


def _torrents(standing: MemberStanding) -> Section:
    return Section(
        heading="Torrents",
        columns=[
            Column("torrent", "name"),
            Column("now"),
            Column("uploaded", "number"),
            Column("downloaded", "number"),
            Column("ratio", "number"),
            Column("seeded for", "number"),
        ],
        rows=[
            (
                each.name,
                each.doing or "-",
                format_bytes(each.uploaded),
                format_bytes(each.downloaded),
                format_ratio(each.uploaded, each.downloaded),
                format_span(each.seed_time) if each.seed_time else "-",
            )
            for each in standing.torrents
        ],
        remark="" if standing.torrents else "Nothing was announced yet.",
    )
