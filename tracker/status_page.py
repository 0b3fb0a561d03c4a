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
    from tracker.private.summary import MemberSummary

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

    def member(self, figures: Figures, summary: MemberSummary) -> bytes:
        """How a member stands."""
        notes = [] if summary.no_download is None else [Note(f"You may not download: {summary.no_download}", bad=True)]
        sections = [_member_totals(summary), *_rules(summary, figures.now), _torrents(summary)]
        return self._render(figures, notes=notes, sections=sections, member=summary.name)

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


def _member_totals(summary: MemberSummary) -> Section:
    tone = ""
    if summary.minimum_ratio > 0 and summary.downloaded:
        tone = "good" if summary.ratio >= summary.minimum_ratio else "bad"
    return Section(
        heading="Totals",
        figures=[
            Figure("ratio", format_ratio(summary.uploaded, summary.downloaded), tone),
            Figure("uploaded", format_bytes(summary.uploaded)),
            Figure("downloaded", format_bytes(summary.downloaded)),
            Figure("actually uploaded", format_bytes(summary.actual_uploaded)),
            Figure("actually downloaded", format_bytes(summary.actual_downloaded)),
            Figure("seeding now", f"{sum(each.is_seeding for each in summary.active):,}"),
            Figure("leeching now", f"{sum(not each.is_seeding for each in summary.active):,}"),
            Figure("finished", f"{summary.finished:,}"),
            Figure("seeded for", format_span(summary.seed_time)),
            Figure("warnings", f"{len(summary.warnings):,}", "bad" if summary.warnings else ""),
        ],
    )


def _rules(summary: MemberSummary, now: float) -> list[Section]:
    rules = []
    if summary.minimum_ratio > 0:
        rules.append(f"A ratio of {summary.minimum_ratio:g} is asked for.")
    if summary.ratio_grace_until is not None:
        rules.append(f"Your ratio is too low: raise it by {format_time(summary.ratio_grace_until)}.")
    if summary.slots:
        rules.append(f"You may download {summary.slots} torrents at once.")
    for words, until in (
        ("Downloads are not charged", summary.freeleech_until),
        ("Uploads are credited twice", summary.double_upload_until),
    ):
        if until is not None and until > now:
            rules.append(f"{words}{'' if until == math.inf else f' until {format_time(until)}'}.")
    sections = [Section(heading="Rules", items=rules)] if rules else []
    if summary.warnings:
        items = [
            f"{name} was not seeded long enough. It counts until {format_time(until)}."
            for name, until in summary.warnings
        ]
        sections.append(Section(heading="Warnings", items=items))
    if summary.duties:
        rows = [
            (
                each.torrent,
                format_span(each.seed_time_left),
                "the time is over" if each.until is None else format_time(each.until),
            )
            for each in summary.duties
        ]
        columns = [Column("torrent", "name"), Column("still to seed", "number"), Column("until")]
        sections.append(Section(heading="To be seeded", columns=columns, rows=rows))
    return sections


def _torrents(summary: MemberSummary) -> Section:
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
                each.torrent,
                "seeding" if each.is_seeding else "leeching",
                format_bytes(each.uploaded),
                format_bytes(each.downloaded),
                format_ratio(each.uploaded, each.downloaded),
                format_span(each.seed_time),
            )
            for each in summary.active
        ],
        remark="" if summary.active else "None of your clients is here now.",
    )
