"""A listening place of a simulated host, which streams arrive at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from p2p.ids import Address
    from p2p.net.network import Stream
    from p2p.simulation.sim_network import SimHost


class SimListener:
    """A listening place of a simulated host."""

    __slots__ = ("_host", "local", "on_stream")

    def __init__(self, host: SimHost, local: Address, on_stream: Callable[[Stream], None]) -> None:
        self._host = host
        self.local = local
        self.on_stream = on_stream

    def close(self) -> None:
        if self._host.listeners.get(self.local) is self:
            del self._host.listeners[self.local]
