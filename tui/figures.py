"""The session in a line, and what is seen of the list in another: figures, of which the narrower ones stay. Pure.

The rule: where there is no room for all, those with the greatest rank are left out first; what is wrong stays longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from p2p.quantities import count, format_rate, format_size
from tui.plot import EIGHTHS
from tui.safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from p2p.daemon.client_values import Space, Statistics
    from p2p.daemon.names import Json
    from p2p.daemon.own_facts import Filesystem
    from tui.around import Around
    from tui.rows import Sums

KILO: Final = 1_000
"""Bytes in the kilobyte of the RPC's limits."""

LOW_PART: Final = 0.05
LOW_BYTES: Final = 1 << 30
"""Room on a disk below which it is low: of the whole, or at all."""

MOST_DISKS: Final = 3
BAD: Final = "figure--bad"
FAINT: Final = "figure--faint"


@dataclass(frozen=True, slots=True)
class Figure:
    """`rank`: those with the greatest are left out first. `style` is a class, `gap` cells before it."""

    text: str
    rank: int
    style: str = ""
    gap: int = 2


def fitted(figures: Sequence[Figure], width: int) -> list[Figure]:
    """Those for which `width` cells suffice; one of them at least, however narrow."""
    kept = [figure for figure in figures if figure.text]
    while len(kept) > 1 and sum(cell_len(each.text) + each.gap for each in kept) - kept[0].gap > width:
        kept.remove(max(reversed(kept), key=lambda figure: figure.rank))
    return kept


def sparkline(values: Sequence[int], most: int) -> str:
    """A bar for each value, of those up to `most`."""
    if most <= 0:
        return ""
    last = len(EIGHTHS) - 1
    return "".join(EIGHTHS[min(last, max(1, round(last * value / most)))] for value in values)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a session. `place` is the server's name or address; `port_open` None while nobody has asked."""

    place: str
    statistics: Statistics
    settings: Mapping[str, Json]
    around: Around
    errors: int = 0
    port_open: bool | None = None
    down: Sequence[int] = ()
    """The last rates, the newest last."""
    up: Sequence[int] = ()


def session_figures(standing: Standing) -> list[Figure]:
    """The first line of the screen."""
    statistics, settings = standing.statistics, standing.settings
    slow = settings.get("alt_speed_enabled") is True
    most = max((*standing.down, *standing.up), default=0)
    active = f"{statistics.active_torrent_count:,} active, {statistics.paused_torrent_count:,} stopped"
    return [
        Figure(f"▼ {format_rate(statistics.download_speed)}", 0),
        Figure(_limit(settings, "down", slow=slow), 4, FAINT, 1),
        Figure(sparkline(standing.down, most), 5, "figure--down", 1),
        Figure(f"▲ {format_rate(statistics.upload_speed)}", 0),
        Figure(_limit(settings, "up", slow=slow), 4, FAINT, 1),
        Figure(sparkline(standing.up, most), 10, "figure--up", 1),
        Figure("slow" if slow else "", 1, "figure--warn"),
        Figure(count(standing.errors, "error") if standing.errors else "", 1, BAD),
        _port(standing),
        Figure("" if standing.around.nodes is None else f"DHT {standing.around.nodes:,}", 7),
        Figure(_interface(settings), 6),
        Figure(active, 9, FAINT),
        Figure(f"● {safe(standing.place)}", 3),
    ]


def _port(standing: Standing) -> Figure:
    port = port_of(standing.settings)
    if not port:
        return Figure("", 8)
    match standing.port_open:
        case None:
            return Figure(f"port {port}", 8, FAINT)
        case True:
            return Figure(f"port {port} open", 8)
        case False:
            return Figure(f"port {port} closed", 2, BAD)


def port_of(settings: Mapping[str, Json]) -> int:
    """That peers come to, 0 for none."""
    port = settings.get("peer_port")
    return port if isinstance(port, int) and 0 < port < 1 << 16 else 0


def _interface(settings: Mapping[str, Json]) -> str:
    name = settings.get("starling_interface")
    return f"via {safe(name)}" if isinstance(name, str) and name else ""


def _limit(settings: Mapping[str, Json], way: str, *, slow: bool) -> str:
    name = f"alt_speed_{way}" if slow else f"speed_limit_{way}"
    limit = settings.get(name)
    if not isinstance(limit, int) or not (slow or settings.get(f"{name}_enabled") is True):
        return ""
    return f"of {format_rate(limit * KILO)}"


# -- the list's line


def room_of(space: Space | None) -> str:
    """What is free where downloads go; empty where nobody knows."""
    return "" if space is None else f"{format_size(space.free)} free"


def room_figures(around: Around) -> list[Figure]:
    """The disks that torrents are on, those with little room first; where none is told, that downloads go to."""
    systems = sorted(around.filesystems, key=lambda system: (not _is_low(system), -system.torrents, system.mount))
    if not systems:
        space = around.space
        low = space is not None and is_low(space.free, space.total)
        return [Figure(("low: " if low else "") + room_of(space), 1 if low else 4, BAD if low else "")]
    named = len(systems) > 1
    return [
        Figure(
            f"{'low: ' if _is_low(each) else ''}{safe(each.mount) + ' ' if named else ''}{format_size(each.free)} free",
            1 if _is_low(each) else 4 + number,
            BAD if _is_low(each) else "",
        )
        for number, each in enumerate(systems[:MOST_DISKS])
    ]


def _is_low(system: Filesystem) -> bool:
    return is_low(system.free, system.total)


def is_low(free: int, total: int) -> bool:
    return free < LOW_BYTES or (total > 0 and free < LOW_PART * total)


def sum_figures(sums: Sums) -> list[Figure]:
    """Of the torrents that are marked, or of all that are seen."""
    if not sums.torrents:
        return []
    size = format_size(sums.size)
    return [
        Figure(f"Σ {size}" if not sums.left else f"Σ {format_size(sums.size - sums.left)} of {size}", 3),
        Figure(f"▼ {format_rate(sums.down)} ▲ {format_rate(sums.up)}" if sums.down or sums.up else "", 7, gap=1),
        Figure(f"ratio {sums.uploaded / sums.downloaded:.2f}" if sums.downloaded else "", 8, gap=1),
    ]
