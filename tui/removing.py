"""What is asked before torrents are removed, and what can be brought back. The part of the deck that removes.

The rule: what cannot be undone is said to be so before it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from p2p.daemon.client_errors import UnsupportedError
from p2p.errors import ConfigError
from p2p.quantities import format_duration
from tui.asking import Asking
from tui.safe_text import safe
from tui.verb import ids_of, which

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from p2p.daemon.client import Client
    from p2p.daemon.client_values import TorrentRow
    from p2p.daemon.names import Json
    from p2p.daemon.removals import Removal
    from tui.feed import Access

_SECONDS: Final = "starling_undo_seconds"
"""The setting of our own daemon: for how long a removal with content can be undone."""


class Removing(Asking):
    """`clock` tells seconds since the epoch."""

    def __init__(self, find: Callable[[], Awaitable[Access]], clock: Callable[[], float]) -> None:
        super().__init__(find)
        self._clock = clock
        self._undo_seconds: float | None = None
        """None where the daemon cannot undo."""

    def note_undo(self, settings: Mapping[str, Json]) -> None:
        """The settings of the daemon that is looked at."""
        seconds = settings.get(_SECONDS)
        self._undo_seconds = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None

    def ask_removal(self, rows: Sequence[TorrentRow], *, delete: bool) -> None:
        from tui.screens.remove import RemoveDialog  # noqa: PLC0415 - drawn on demand, and not before the first screen

        ids = ids_of(rows)
        words = f"remove {which(rows)}" + (" with its content" if delete else "")
        undo = self._undo_seconds

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - how Textual tells a result
            if yes:
                self.unmark()
                self.do(words, lambda client: client.remove(ids, delete=delete))

        note = ""
        if delete:
            note = "This cannot be undone." if undo is None else f"It can be undone for {format_duration(undo)}."
        self.push_screen(RemoveDialog(rows, delete=delete, note=note), answered)

    def choose_removal(self, name: str) -> None:
        """Bring back what is so named; without a name what is chosen of a list."""
        self.learn("bring back what was removed", _removals, lambda there: self._choose_removal(name, there))

    def _choose_removal(self, name: str, there: Sequence[Removal]) -> None:
        latest = list(reversed(there))
        if not latest:
            self.say("there is nothing to undo", warn=True)
            return
        if name:
            found = [each for each in latest if name.casefold() in each.torrent_name.casefold()]
            if found:
                self._bring_back(found)
            else:
                names = ", ".join(safe(each.torrent_name) for each in latest[:5])
                self.say(f"no removal of {safe(name)!r} can be undone; there are: {names}", warn=True)
            return
        from tui.details import Heading  # noqa: PLC0415 - as above
        from tui.screens.pick import PickDialog  # noqa: PLC0415 - as above

        headings = (Heading("Torrent"), Heading("Folder", 24), Heading("Still", 8))
        now = self._clock()
        lines = [
            (safe(each.torrent_name), safe(each.download_dir), format_duration(max(0.0, each.until - now)))
            for each in latest
        ]

        def picked(line: int | None) -> None:
            if line is not None:
                self._bring_back([latest[line]])

        self.push_screen(PickDialog("Bring back with its content", headings, lines, 0), picked)

    def _bring_back(self, removals: Sequence[Removal]) -> None:
        words = ", ".join(safe(each.torrent_name) for each in removals)[:60]
        names = [each.name for each in removals]
        self.do(f"bring {words} back", lambda client: client.own.undo_removal(*names))


async def _removals(client: Client) -> tuple[Removal, ...]:
    """Raises StarlingError."""
    try:
        return await client.own.removals()
    except UnsupportedError as error:
        raise ConfigError("this daemon cannot undo a removal") from error
