"""What happened, told to whoever listens, in order, without ever blocking the one who tells.

A subscriber that does not keep up loses its oldest events and is told how many; the engine never waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MAX_WAITING: Final = 10_000
"""Events kept for a slow subscriber: some megabytes at the most."""


class EventKind(Enum):
    ADDED = "added"
    METADATA = "metadata"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    """A torrent that was complete is no more: more is wanted, or a check found less."""
    PROGRESS = "progress"
    COMPLETE = "complete"
    ERROR = "error"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about one torrent. `time` is seconds since the epoch, `info_hash` the torrent's key in hex."""

    kind: EventKind
    time: float
    info_hash: str
    message: str | None = None


class Subscription:
    """A subscriber's queue."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._wake = asyncio.Event()
        self.lost = 0

    def put(self, event: Event) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(event)
        self._wake.set()

    def wake(self) -> None:
        """Let `ready` return although nothing happened."""
        self._wake.set()

    async def ready(self) -> None:
        """Wait until there is an event to take, or somebody calls `wake`."""
        if not self._waiting:
            await self._wake.wait()
        self._wake.clear()

    async def next(self) -> Event:
        while not self._waiting:
            await self.ready()
        return self._waiting.popleft()

    def take(self) -> list[Event]:
        """Everything that waits, without waiting."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.next()


class EventBus:
    """Delivers events to subscriptions in order of subscription."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        subscription = Subscription()
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    def publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.put(event)
