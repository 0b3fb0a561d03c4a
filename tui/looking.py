"""What is looked at over the list: a torrent's swarm, the session. The half of the deck that opens such screens."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from textual import on

from tui.facts import Seen
from tui.removing import Removing
from tui.rows import Rows
from tui.screens.over import OverScreen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from p2p.daemon.client_values import Statistics, TorrentRow
    from tui.facts import SessionArrived
    from tui.feed import Access
    from tui.figures import Figure
    from tui.rate_trail import RateTrail
    from tui.screens.session import SessionScreen


LATELY: Final = 8
"""Rates in the first line: of a quarter of a minute."""


class Looking(Removing):
    """`clock` tells seconds since the epoch."""

    def __init__(self, find: Callable[[], Awaitable[Access]], clock: Callable[[], float]) -> None:
        super().__init__(find, clock)
        self.rows = Rows()
        self._trail: RateTrail | None = None
        self._session: SessionArrived | None = None
        self._rates: deque[tuple[int, int]] = deque(maxlen=LATELY)
        self._session_screen: SessionScreen | None = None
        self._figures: Sequence[Figure] = ()

    @property
    def over(self) -> OverScreen | None:
        """The topmost screen over the list that is no dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, OverScreen)), None)

    @on(Seen)
    def _seen(self, fact: Seen) -> None:
        over = self.over
        if over is not None and over.hash_string == fact.hash_string:
            with over.drawing():
                over.see(fact)

    @on(OverScreen.Looked)
    def _looked(self, event: OverScreen.Looked) -> None:
        self.feed.look(event.hash_string, *event.sights)

    def note_session(self, fact: SessionArrived, figures: Sequence[Figure]) -> None:
        """For rates over time, and for whoever looks at the session."""
        self._session, self._figures = fact, figures
        self.note_undo(fact.settings)
        self._rates_seen().add(fact.statistics.download_speed, fact.statistics.upload_speed, self._clock())
        if self._session_screen is not None:
            self._session_screen.tell_figures(figures)
            self._session_screen.session(fact)

    def lately(self, statistics: Statistics) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The last rates, down and up, with these as the newest."""
        self._rates.append((statistics.download_speed, statistics.upload_speed))
        return tuple(down for down, _ in self._rates), tuple(up for _, up in self._rates)

    def forget_session(self) -> None:
        """Another daemon is looked at."""
        self._trail = self._session = None
        self._rates.clear()

    def _rates_seen(self) -> RateTrail:
        from tui.rate_trail import RateTrail  # noqa: PLC0415 - nothing has been seen before the first screen

        if self._trail is None:
            self._trail = RateTrail()
        return self._trail

    def show_swarm(self, rows: Sequence[TorrentRow]) -> None:
        from tui.screens.swarm import SwarmScreen  # noqa: PLC0415 - drawn on demand, and not before the first screen

        name = rows[0].hash_string
        if not isinstance(self.over, SwarmScreen):
            self.push_screen(SwarmScreen(name, lambda: self.rows.by_hash(name), self._clock))

    def show_session(self) -> None:
        from tui.screens.session import SessionScreen  # noqa: PLC0415 - as above

        if self._session_screen is None:
            self._session_screen = SessionScreen(self._rates_seen(), self._session, self._clock)
            self._session_screen.tell_figures(self._figures)
            self.push_screen(self._session_screen, self._session_left)

    def _session_left(self, _: None) -> None:
        self._session_screen = None

    def set_log_level(self, level: str) -> None:
        """That level; without one the next after that which is known."""
        from tui.screens.session import LEVELS  # noqa: PLC0415 - as above

        if not level:
            known = "" if self._session_screen is None else self._session_screen.level
            level = LEVELS[(LEVELS.index(known) + 1) % len(LEVELS)] if known in LEVELS else "info"
        if level not in LEVELS:
            self.say(f"a level is one of {', '.join(LEVELS)}", warn=True)
            return
        self.do(f"log from {level} on", lambda client: client.own.set_log_level(level))
