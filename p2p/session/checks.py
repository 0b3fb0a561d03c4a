"""Whose turn it is to be hashed: one torrent at a time on each disk, several at once on several disks.

Two checks on one disk would make its head run to and fro, and neither be done sooner. The rule: first come, first
served; who is stopped while it waits leaves the queue; what is small, such as what a crash left uncertain, waits for
nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from p2p.errors import StarlingError
from p2p.session.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SMALL: Final = 64 << 20
"""Bytes of a check that begins at once: less than a second of any disk."""


class CheckStoppedError(StarlingError):
    """Somebody stopped the torrent while its content was checked."""


class CheckTurns:
    """The checks of one session. A disk is named by its number (`st_dev`)."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[asyncio.Future[None]]] = {}
        """By disk that is at work, those who wait for it."""

    @asynccontextmanager
    async def turn(
        self, device: int, size: int, stopping: asyncio.Event, on_wait: Callable[[], None]
    ) -> AsyncIterator[None]:
        """Within this, `size` bytes of `device` may be hashed; `on_wait` is told where that has to wait.

        Raises CheckStoppedError once `stopping` is set before the turn has come.
        """
        if size <= SMALL:
            yield
            return
        await self._enter(device, stopping, on_wait)
        try:
            yield
        finally:
            self._leave(device)

    async def _enter(self, device: int, stopping: asyncio.Event, on_wait: Callable[[], None]) -> None:
        queue = self._queues.get(device)
        if queue is None:
            self._queues[device] = deque()
            return
        on_wait()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with Scope() as scope:
                stop = scope.start(stopping.wait(), name="stop of a queued check")
                await asyncio.wait([turn, stop], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._give_up(device, turn)
            raise
        if not turn.done():
            self._give_up(device, turn)
            raise CheckStoppedError("stopped while the check of its content waited")

    def _give_up(self, device: int, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._leave(device)
        else:
            turn.cancel()

    def _leave(self, device: int) -> None:
        queue = self._queues[device]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._queues[device]
