"""The first line of a screen about one torrent: its name, and at the right how it stands, as far as there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from p2p.quantities import format_duration, format_rate
from tui.columns import percent, state_of
from tui.safe_text import fit

if TYPE_CHECKING:
    from p2p.daemon.client_values import TorrentRow


def standing_of(row: TorrentRow) -> tuple[str, ...]:
    """State, progress, rates and time left, as far as there are any, what matters most first."""
    parts = (
        state_of(row),
        percent(row.percent_done) if 0 < row.percent_done < 1 else "",
        f"▼ {format_rate(row.rate_download)}" if row.rate_download else "",
        f"▲ {format_rate(row.rate_upload)}" if row.rate_upload else "",
        f"{format_duration(row.eta)} left" if row.eta >= 0 else "",
    )
    return tuple(part for part in parts if part)


class HeadLine(Widget):
    """The name has a third of the line at least."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"head--name", "head--standing"}

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._title = ""
        self._standing: tuple[str, ...] = ()

    def tell(self, title: str, standing: tuple[str, ...] = ()) -> None:
        """Safe texts."""
        if (title, standing) != (self._title, self._standing):
            self._title, self._standing = title, standing
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y > 0:
            return Strip.blank(width, self.rich_style)
        wanted = max(width // 3, min(width // 2, cell_len(self._title)))
        shown = list(self._standing)
        while shown and cell_len("  ".join(shown)) + 4 > width - wanted:
            shown.pop()
        standing = "  ".join(shown)
        room = width - cell_len(standing)
        left, right = (self.get_component_rich_style(f"head--{name}") for name in ("name", "standing"))
        return Strip([Segment(fit(self._title, room), left), Segment(standing, right)], width)
