"""The first line of a screen about one torrent: its name, and at the right how it stands, which is never cut for it."""

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


def standing_of(row: TorrentRow) -> str:
    """State, progress, rates and time left, as far as there are any."""
    parts = [
        state_of(row),
        percent(row.percent_done) if 0 < row.percent_done < 1 else "",
        f"▼ {format_rate(row.rate_download)}" if row.rate_download else "",
        f"▲ {format_rate(row.rate_upload)}" if row.rate_upload else "",
        f"{format_duration(row.eta)} left" if row.eta >= 0 else "",
    ]
    return "  ".join(part for part in parts if part)


class HeadLine(Widget):
    COMPONENT_CLASSES: ClassVar[set[str]] = {"head--name", "head--standing"}

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._name_shown = ""
        self._standing = ""

    def tell(self, name: str, standing: str = "") -> None:
        """Safe texts."""
        if (name, standing) != (self._name_shown, self._standing):
            self._name_shown, self._standing = name, standing
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y > 0:
            return Strip.blank(width, self.rich_style)
        left = self.get_component_rich_style("head--name")
        room = width - cell_len(self._standing) - 2
        if not self._standing or room < width // 3:
            return Strip([Segment(fit(self._name_shown, width), left)], width)
        right = self.get_component_rich_style("head--standing")
        return Strip([Segment(fit(self._name_shown, room) + "  ", left), Segment(self._standing, right)], width)
