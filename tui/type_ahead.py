"""Keys and pastes in the order in which they were typed, also those that come before the screen they are for.

The rule: a key is handed on when all that the one before it brought about is done, a screen that it opened included.
Otherwise what is pasted right after the key that opens a dialog would go to the list below it, or to nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from textual.events import Key, Paste

from tui.appearance import Appearance

if TYPE_CHECKING:
    from textual.dom import DOMNode
    from textual.events import Event
    from textual.screen import Screen

MOST_HELD: Final = 100_000
"""Keys: a paste on a terminal that does not tell pastes comes letter by letter, and nobody pastes more than that."""

PATIENCE: Final = 1.0
"""Seconds for what a key brings about. A widget that goes away with the key takes along what it was to tell."""

LINE_FEED: Final = "ctrl+j"
"""What Enter was for the terminal before it was told to leave it as it is."""

PASSES: Final = 3
"""Of the way from the widget to the application: the key itself, a message that it caused, and one that this caused."""


class TypeAhead(Appearance):
    """An application that hands input on one by one."""

    def __init__(self) -> None:
        super().__init__()
        self._held: deque[Event] = deque()
        self._turn = 0
        """Of the input that is being handed on; what tells of an older one comes too late."""
        self._is_busy = False
        self._settled: Screen[object] | None = None
        """The screen that has taken its parts in, and its focus."""

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
        elif len(self._held) < MOST_HELD:
            self._held.append(event)
            if not self._is_busy:
                await self._hand_on()

    async def _hand_on(self) -> None:
        """The next one, or wait for the screen that is to take it."""
        self._is_busy = bool(self._held)
        if not self._held or not self.is_running:
            return
        if self.screen is not self._settled:
            self._settled = self.screen
            self._walk(self.screen)
            return
        event = self._held.popleft()
        if isinstance(event, Key) and event.key == LINE_FEED:
            event = Key("enter", "\r")
        target = self.focused or self.screen
        await super().on_event(event)
        self._walk(target)

    def _walk(self, first: DOMNode) -> None:
        """Go on once `first` and all above it have done what they have been told by now."""
        self._turn += 1
        asyncio.get_running_loop().call_later(PATIENCE, self.call_later, self._arrived, self._turn)
        above = [node for node in first.ancestors_with_self if node is not self]
        self._step(self._turn, [*above, self] * PASSES, 0)

    def _step(self, turn: int, way: list[DOMNode], at: int) -> None:
        while at < len(way) - 1:
            if way[at].call_later(self._step, turn, way, at + 1):
                return
            at += 1  # it is closed, and tells nobody anything any more
        self.call_later(self._arrived, turn)

    async def _arrived(self, turn: int) -> None:
        if turn == self._turn:
            await self._hand_on()
