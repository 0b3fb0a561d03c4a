"""When to tell the local network which torrents, and what to believe of what others tell there (BEP 14).

The rule: each torrent at once and then every five minutes, and in the long run no more than one announce a minute. What
was announced longest ago comes first, and all that is due soon goes along. Old clients read only the first info-hash,
so the first place goes round. Anybody on the link can send under any name, so what is heard is bounded for each host
and in all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2p.ids import Address, InfoHash

INTERVAL: Final = 300.0
"""Seconds between announces of a torrent (BEP 14, Usage)."""

PAUSE: Final = 60.0
"""Seconds between announces in the long run, whatever they say (the same)."""

BURST: Final = 5
"""Announces that may go out in a row before that, so that new torrents need not wait: as many as torrents whose joint
announce the BEP makes optional."""

MAX_TORRENTS: Final = 24
"""Info-hashes of an announce, what a datagram has room for."""

MAX_HEARD: Final = 50
"""Datagrams read in a second: a network of thousands makes so many, each client one a minute; more is a flood."""

MAX_HEARD_HOST: Final = 10
"""The same of one host, which may run a few clients that start a few torrents each."""

MAX_NEIGHBOURS: Final = 200
"""Peers of a torrent that are new to us in WINDOW: more than a home has, and a tenth of what a list of peers holds."""

MAX_NEIGHBOURS_HOST: Final = 8
"""The same at one host."""

AGAIN: Final = 2.0
"""Seconds until one peer's word is taken again. It makes us try to connect at once; a client that has fetched metadata
and starts the torrent anew says so two seconds after it did before."""

WINDOW: Final = INTERVAL
"""Seconds that these two count over: everybody speaks once in that time."""


class LocalSchedule:
    """The torrents of a session that are announced nearby. Times are the caller's `now`, in seconds."""

    def __init__(self) -> None:
        self._last: dict[InfoHash, float] = {}
        self._paid_until = -math.inf

    def add(self, info_hash: InfoHash) -> None:
        """Announce this one as soon as may be, and from then on."""
        self._last.setdefault(info_hash, -math.inf)

    def remove(self, info_hash: InfoHash) -> None:
        """Announce it no more."""
        self._last.pop(info_hash, None)

    def renew(self) -> None:
        """There are others to hear us: announce everything as soon as may be."""
        self._last = dict.fromkeys(self._last, -math.inf)

    def __contains__(self, info_hash: object) -> bool:
        return info_hash in self._last

    def due(self, now: float) -> list[InfoHash]:
        """The torrents to announce now, all in one datagram; none if it is not the time."""
        first = min(self._last.values(), default=math.inf)
        if now < self._quiet_until or now < first + INTERVAL:
            return []
        self._paid_until = max(self._paid_until, now) + PAUSE
        soon = [info_hash for info_hash, last in self._last.items() if now >= last + INTERVAL - PAUSE]
        soon.sort(key=self._last.__getitem__)
        chosen = soon[:MAX_TORRENTS]
        for info_hash in chosen:
            del self._last[info_hash]  # to the end: of equals, another comes first next time
            self._last[info_hash] = now
        if len(chosen) > 1:  # and among these too
            self._last[chosen[0]] = self._last.pop(chosen[0])
        return chosen

    def next_due(self, now: float) -> float | None:
        """When something is due; None while there is no torrent."""
        first = min(self._last.values(), default=None)
        return None if first is None else max(first + INTERVAL, self._quiet_until, now)

    @property
    def _quiet_until(self) -> float:
        """Each announce costs a minute; this many may be owed."""
        return self._paid_until - (BURST - 1) * PAUSE


class LocalHearing:
    """What of the announces of others is read and believed. Times are the caller's `now`, in seconds."""

    def __init__(self) -> None:
        self._second = -math.inf
        self._heard: dict[str, int] = {}
        self._window = -math.inf
        self._neighbours: dict[InfoHash, dict[Address, float]] = {}

    def reads(self, host: str, now: float) -> bool:
        """Whether to read a datagram that came from `host`."""
        if now - self._second >= 1.0:
            self._second = now
            self._heard.clear()
        heard = self._heard.get(host, 0)
        if heard >= MAX_HEARD_HOST or sum(self._heard.values()) >= MAX_HEARD:
            return False
        self._heard[host] = heard + 1
        return True

    def believes(self, info_hash: InfoHash, peer: Address, now: float) -> bool:
        """Whether to take in that `peer` shares a torrent of ours."""
        if now - self._window >= WINDOW:
            self._window = now
            self._neighbours.clear()
        known = self._neighbours.setdefault(info_hash, {})
        if peer not in known:
            if len(known) >= MAX_NEIGHBOURS:
                return False
            if sum(other.host == peer.host for other in known) >= MAX_NEIGHBOURS_HOST:
                return False
        elif now - known[peer] < AGAIN:
            return False
        known[peer] = now
        return True
