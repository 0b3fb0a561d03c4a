"""A listening socket on the loop: connections are taken in turns of bounded length, and not while nothing can be taken.

The rule: what goes wrong with one connection is that connection's end; only running out of descriptors or memory stops
the accepting, and for a moment.
"""

from __future__ import annotations

import asyncio
import errno
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    import socket

    from p2p.ids import Address

T = TypeVar("T")

ACCEPTS_A_TURN: Final = 64
"""Connections taken for one readiness, so that a flood cannot starve the rest."""

ACCEPT_PAUSE: Final = 1.0
"""Seconds without accepting after the process ran out of descriptors or memory: retrying at once would only spin."""

EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ListeningSocket(ABC, Generic[T]):
    """Owns `sock`, which listens and does not block. Each form says how it takes a connection."""

    __slots__ = ("_loop", "_resuming", "_sock", "local")

    def __init__(self, sock: socket.socket, local: Address) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._resuming: asyncio.TimerHandle | None = None
        self.local = local
        self._resume()

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._pause()
        self._sock.close()

    @abstractmethod
    def _take(self) -> T:
        """Take one connection. Raises OSError where it died before that, and BlockingIOError where none waits."""

    @abstractmethod
    def _begin(self, taken: T) -> None:
        """Do with it what it was taken for."""

    def _resume(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _pause(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())

    def _accept(self) -> None:
        for _ in range(ACCEPTS_A_TURN):
            if self._sock.fileno() < 0:  # closed by who was given a connection
                return
            try:
                taken = self._take()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._pause()
                    self._resuming = self._loop.call_later(ACCEPT_PAUSE, self._resume)
                    return
                continue  # the connection died before it was taken (accept(2)); the next one may live
            self._begin(taken)
