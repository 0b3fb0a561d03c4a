"""The way between the processes of one tracker: a Unix datagram socket each, which the others write to.

The rules: the sockets are made before the processes and outlive each of them, so one that takes another's place is
reached where that was; a message is one datagram, whole or not at all; and nobody waits for a process that does not
read: what finds no room is kept, within a bound, and then lost, which the store makes good (tracker.shared_store).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from tracker.shared_store import OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.figures import Traffic
    from tracker.shared_store import Message

PUMP_PERIOD: Final = 0.01
"""Seconds between messages: how long another process may not know of a peer."""

TRAFFIC_PERIOD: Final = 1.0
"""Seconds between two reports of what was answered."""

MAX_MESSAGE: Final = 200_000
"""Bytes; messages are made to stay below (tracker.shared_store.ENTRIES)."""

MAX_WAITING: Final = 2_000
"""Messages kept for a process that does not read: two seconds of a flood of newcomers, some 80 MB."""

MESSAGES_A_TURN: Final = 8
"""Read in one go, a few milliseconds of work."""


class Mailboxes:
    """One for each of `count` processes; made by who starts them."""

    def __init__(self, count: int) -> None:
        self.pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count)]
        """Of each the end that it reads and the end that others write to."""
        for pair in self.pairs:
            for end in pair:
                end.setblocking(False)

    def empty(self, number: int) -> None:
        """Throw away what one that has died has not read."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.pairs[number][0].recv(1)

    def close(self) -> None:
        for pair in self.pairs:
            for end in pair:
                end.close()


class WorkerPlace(NamedTuple):
    """What a process is among the others."""

    number: int
    mailboxes: Mailboxes
    is_first_start: bool
    """No other had this place before, and none has swarms that this one has not."""


class Talk(Protocol):
    """What a process says to the others and hears of them."""

    @property
    def traffic_elsewhere(self) -> list[Traffic]:
        """What the other processes last said that they have answered."""

    def on_traffic(self, traffic: Traffic) -> None:
        """Tell the others what this process has answered."""

    def messages(self) -> list[Message]:
        """What is to be sent now, in order. To be asked every some milliseconds."""

    def receive(self, content: bytes) -> None:
        """Take in a message of another process."""


class Siblings:
    """Carries the messages of the process at `place` and its `store`."""

    def __init__(self, place: WorkerPlace, store: Talk) -> None:
        number, mailboxes, _ = place
        self._inbox = mailboxes.pairs[number][0]
        self._outboxes = {n: pair[1] for n, pair in enumerate(mailboxes.pairs) if n != number}
        self._waiting: dict[int, deque[bytes]] = {n: deque(maxlen=MAX_WAITING) for n in self._outboxes}
        self._store = store
        self._own_traffic: Callable[[], Traffic] | None = None
        self._loop = asyncio.get_running_loop()
        self._pumping: asyncio.TimerHandle | None = None
        self._next_traffic = 0.0

    @property
    def traffic(self) -> list[Traffic]:
        """What the other processes have answered, a second ago."""
        return self._store.traffic_elsewhere

    def start(self, traffic: Callable[[], Traffic]) -> None:
        """`traffic` is what this process has answered."""
        self._own_traffic = traffic
        self._loop.add_reader(self._inbox.fileno(), self._on_readable)
        self._pump()

    def close(self) -> None:
        """Send what there is to say, as far as there is room, and hear no more. Idempotent."""
        if self._pumping is not None:
            self._pump()
            self._pumping.cancel()
            self._pumping = None
            self._loop.remove_reader(self._inbox.fileno())

    def _on_readable(self) -> None:
        for _ in range(MESSAGES_A_TURN):
            try:
                content = self._inbox.recv(MAX_MESSAGE)
            except (BlockingIOError, InterruptedError):
                return
            self._store.receive(content)

    def _pump(self) -> None:
        now = self._loop.time()
        if now >= self._next_traffic and self._own_traffic is not None:
            self._next_traffic = now + TRAFFIC_PERIOD
            self._store.on_traffic(self._own_traffic())
        for to, content in self._store.messages():
            for number in self._outboxes if to is OTHERS else (to,):
                self._waiting[number].append(content)
        for number, waiting in self._waiting.items():
            with contextlib.suppress(OSError):  # full: next time
                while waiting:
                    self._outboxes[number].send(waiting[0])
                    waiting.popleft()
        self._pumping = self._loop.call_later(PUMP_PERIOD, self._pump)
