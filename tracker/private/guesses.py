"""Who tries passkeys until one fits: unknown ones are counted a source network, and too many stop all of it.

The rules: an IPv4 address and 64 bits of IPv6 are a network, what a guesser has at hand; the same wrong passkey counts
once, because a client with an old .torrent file repeats it for each torrent; memory is bounded, the oldest go first.
"""

from __future__ import annotations

import socket
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tracker.private.rules import GuessRules

SourceNetwork: TypeAlias = "str | bytes"
"""An IPv4 address as text, or the first 8 bytes of an IPv6 one."""

MAX_NETWORKS: Final = 16_384
"""Remembered at a time, at about a kilobyte each."""


def network_of(host: str) -> SourceNetwork:
    return socket.inet_pton(socket.AF_INET6, host)[:8] if ":" in host else host


def network_of_compact(address: bytes) -> SourceNetwork:
    """The same for an address of 6 or 18 bytes."""
    return socket.inet_ntoa(address[:4]) if len(address) == 6 else address[:8]


class GuessLimiter:
    """Counts what was wrong. Whether anything is let through is the caller's to decide."""

    __slots__ = ("_networks", "_rules", "wrong")

    def __init__(self, rules: GuessRules) -> None:
        self._rules = rules
        self._networks: OrderedDict[SourceNetwork, tuple[float, set[bytes]]] = OrderedDict()
        self.wrong = 0
        """All there ever were, repeated ones counted."""

    def is_stopped(self, network: SourceNetwork, now: float) -> bool:
        """Whether this network has had its number of tries in the window that runs."""
        found = self._networks.get(network)
        if found is None:
            return False
        if not 0 <= now - found[0] < self._rules.window:
            del self._networks[network]
            return False
        return len(found[1]) >= self._rules.limit

    def on_wrong(self, network: SourceNetwork, guess: bytes, now: float) -> None:
        """An unknown passkey, by its hash."""
        self.wrong += 1
        if self.is_stopped(network, now):
            return
        if network not in self._networks:
            if len(self._networks) >= MAX_NETWORKS:
                self._networks.popitem(last=False)
            self._networks[network] = (now, set())
        self._networks[network][1].add(guess)

    def set_rules(self, rules: GuessRules) -> None:
        self._rules = rules
