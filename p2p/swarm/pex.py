"""Peer exchange (BEP 11), both ways: what each peer is told of the others, and how much of what it tells is heard.

The rule: a peer is told of those that we are connected to and, when they are gone, that they are gone; at most once a
minute, at most 50 each after the first time. What a peer tells is taken in at that pace too. Who tells much faster is
not heard, and who goes on doing so misbehaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from p2p.ids import Address

INTERVAL: Final = 60.0
"""Seconds between messages to a peer (BEP 11)."""

MAX_ENTRIES: Final = 50
"""Peers added in a message, and as many dropped (BEP 11)."""

MAX_FIRST: Final = 100
"""Peers added in the first message, for which BEP 11 names no bound: what a newcomer can use, in one packet."""

BURST: Final = 2.0
"""Messages heard at once: one that the network held up, and the next."""

EARLY: Final = 0.75
"""Of a minute, the interval that is allowed for: clocks and timers differ."""

MAX_EARLY: Final = 10
"""Messages too many before it is misbehaviour."""


class PexChange(NamedTuple):
    """What to tell a peer: addresses with their flags, and addresses that are gone."""

    added: tuple[tuple[Address, int], ...]
    dropped: tuple[Address, ...]


@dataclass(slots=True)
class _Listener:
    due: float
    told: dict[Address, None] | None = None
    """Whom it was told of and not told to be gone; None before the first message."""
    up_to_date: int = -1
    """The state of the swarm for which it has nothing left to be told."""


class PexOut:
    """What the peers of a torrent are told of each other. Peers are keys of the caller's; times its `now`."""

    def __init__(self) -> None:
        self._contacts: dict[int, tuple[Address, int]] = {}
        self._listeners: dict[int, _Listener] = {}
        self._changes = 0

    def on_contact(self, key: int, address: Address, flags: int) -> None:
        """A connected peer listens at `address`; called again when its `flags` change."""
        if self._contacts.get(key) != (address, flags):
            self._contacts[key] = address, flags
            self._changes += 1

    def on_listener(self, key: int, now: float) -> None:
        """A connected peer takes peer exchange."""
        self._listeners.setdefault(key, _Listener(now))

    def on_left(self, key: int) -> None:
        """A peer is gone."""
        if self._contacts.pop(key, None) is not None:
            self._changes += 1
        self._listeners.pop(key, None)

    def due(self, now: float) -> list[tuple[int, PexChange]]:
        """Whom to tell what now. Nobody is told nothing."""
        changes: list[tuple[int, PexChange]] = []
        present: dict[Address, int] | None = None
        for key, listener in self._listeners.items():
            if listener.due > now or listener.up_to_date == self._changes:
                continue
            if present is None:
                present = dict(self._contacts.values())
            change = self._change(key, listener, present)
            if change.added or change.dropped:
                listener.due = now + INTERVAL
                changes.append((key, change))
            else:
                listener.up_to_date = self._changes
        return changes

    def _change(self, key: int, listener: _Listener, present: dict[Address, int]) -> PexChange:
        itself = self._contacts.get(key)
        told, limit = listener.told, MAX_ENTRIES
        if told is None:
            told, limit = {}, MAX_FIRST
        added = [
            (address, flags)
            for address, flags in present.items()
            if address not in told and (itself is None or address != itself[0])
        ][:limit]
        dropped = [address for address in told if address not in present][:MAX_ENTRIES]
        if added or dropped:
            for address in dropped:
                del told[address]
            told |= dict.fromkeys(address for address, _ in added)
            listener.told = told
        return PexChange(tuple(added), tuple(dropped))


class PexVerdict(NamedTuple):
    """What is taken in of a message."""

    addresses: tuple[Address, ...] = ()
    misbehaved: bool = False


@dataclass(slots=True)
class _Teller:
    allowance: float = BURST
    since: float = -math.inf
    early: int = 0
    heard: bool = False


class PexIn:
    """What is heard of what the peers of a torrent tell."""

    def __init__(self) -> None:
        self._tellers: dict[int, _Teller] = {}

    def on_left(self, key: int) -> None:
        """A peer is gone."""
        self._tellers.pop(key, None)

    def on_message(self, key: int, host: str, added: Iterable[Address], now: float) -> PexVerdict:
        """The peer at `host` tells of peers that it added. One address a host is heard, and no more than may be sent.

        Addresses of a private network are heard from one only: they mean nothing elsewhere, or harm.
        """
        teller = self._tellers.setdefault(key, _Teller(since=now))
        teller.allowance = min(BURST, teller.allowance + (now - teller.since) / (EARLY * INTERVAL))
        teller.since = now
        if teller.allowance < 1.0:
            teller.early += 1
            return PexVerdict(misbehaved=teller.early > MAX_EARLY)
        teller.allowance -= 1.0
        limit = MAX_ENTRIES if teller.heard else MAX_FIRST
        teller.heard = True
        public = ip_address(host).is_global
        by_host: dict[str, Address] = {}
        for address in added:
            if len(by_host) >= limit:
                break
            if address.host not in by_host and (not public or ip_address(address.host).is_global):
                by_host[address.host] = address
        return PexVerdict(tuple(by_host.values()))
