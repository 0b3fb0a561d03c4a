"""Connections of a session, counted: so many in all, so many under way, and a queue of torrents that wait for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Slots:
    """Shared by the torrents of a session."""

    def __init__(self, *, connections: int, connecting: int) -> None:
        self._max_connections = connections
        self._max_connecting = connecting
        self._paused = False
        self.connections = 0
        self.connecting = 0
        self._waiting: dict[int, Callable[[], None]] = {}

    def set_limit(self, connections: int) -> None:
        """Change how many there may be in all; those above it are the caller's to end."""
        self._max_connections = connections
        self.wake_next()

    def pause(self) -> None:
        """There is no network: nobody begins a connection until `go_on`."""
        self._paused = True

    def go_on(self) -> None:
        self._paused = False
        self.wake_next()

    @property
    def surplus(self) -> int:
        """Connections above the limit."""
        return max(0, self.connections - self._max_connections)

    @property
    def may_connect(self) -> bool:
        if self._paused:
            return False
        return self.connecting < self._max_connecting and self.connections + self.connecting < self._max_connections

    @property
    def may_accept(self) -> bool:
        return self.connections < self._max_connections

    def wait(self, key: int, wake: Callable[[], None]) -> None:
        """Call `wake` once when a slot may be free."""
        self._waiting.setdefault(key, wake)

    def forget(self, key: int) -> None:
        self._waiting.pop(key, None)

    def on_connecting(self) -> None:
        self.connecting += 1

    def on_connecting_done(self) -> None:
        self.connecting -= 1
        self.wake_next()

    def on_connected(self) -> None:
        self.connections += 1

    def on_disconnected(self) -> None:
        self.connections -= 1
        self.wake_next()

    def wake_next(self) -> None:
        """Tell who has waited longest. One that is woken and leaves a slot free has to call this for the next."""
        if self._waiting and self.may_connect:
            self._waiting.pop(next(iter(self._waiting)))()
