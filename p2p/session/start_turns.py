"""How many torrents of a session look at their content at once.

A daemon that comes back starts thousands at a time: all at once they would keep the loop from everything else, and the
disk from serving any of them soon. The rule: first come, first served. A turn ends when the torrent has opened its
content, or begins to wait for something else: a long check, room on the disk, metadata from peers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

AT_ONCE: Final = 16
"""Enough to keep every disk busy; together they take some milliseconds of the loop."""


class StartTurns:
    """See the module's head. Torrents are known by their keys."""

    def __init__(self) -> None:
        self._holders: set[int] = set()
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def enter(self, torrent: int) -> None:
        """Wait for a turn; `leave` ends it."""
        if len(self._holders) < AT_ONCE:
            self._holders.add(torrent)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((torrent, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self.leave(torrent)
            raise

    def leave(self, torrent: int) -> None:
        """The turn is over; nothing for who has none."""
        if torrent not in self._holders:
            return
        self._holders.discard(torrent)
        while self._queue:
            following, turn = self._queue.popleft()
            if not turn.done():
                self._holders.add(following)
                turn.set_result(None)
                return
