"""Verbs by name: the line after `:` over whatever is seen. The part of the deck that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.history import Kind
from tui.said import Here
from tui.serving import Serving
from tui.verb import Takes
from tui.verbs import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from p2p.daemon.client_values import TorrentRow
    from tui.said import Said


class Speaking(Serving):
    """What was said is kept for the next time, but for what may hold a secret."""

    def open_line(self, usable: Collection[str], rows: Sequence[TorrentRow], then: Callable[[Said], None]) -> None:
        """Ask for a line in which the verbs `usable` and the torrents `rows` can stand."""
        from tui.screens.command import CommandLine  # noqa: PLC0415 - drawn on demand, and not before the first screen
        from tui.screens.session import LEVELS  # noqa: PLC0415 - as above

        def answered(answer: tuple[str, Said] | None) -> None:
            if answer is not None:
                line, said = answer
                self.remember(Kind.COMMANDS, line)
                then(said)

        known = {
            Takes.FOLDER: self.known_folders(),
            Takes.LABELS: self.known_labels(),
            Takes.LEVEL: LEVELS,
            Takes.SERVER: tuple(each.name for each in self._config.servers),
            Takes.THEME: sorted(self.available_themes),
            Takes.ALL: ("all",),
        }
        self.push_screen(
            CommandLine(Here(BY_NAME, frozenset(usable), rows, known), self.history.lines(Kind.COMMANDS)), answered
        )
