"""When to tell the local network which torrents (BEP 14).

The rule: each torrent every five minutes, no announce within a minute of the last; what was announced longest ago comes
first, and all that is due soon goes along. Old clients read only the first info-hash, so the first place goes round.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from p2p.ids import InfoHash

INTERVAL: Final = 300.0
"""Seconds between announces of a torrent."""

PAUSE: Final = 60.0
"""Seconds between announces, whatever they say."""

MAX_TORRENTS: Final = 24
"""Info-hashes of an announce, what a datagram has room for."""


class LocalSchedule:
    """The torrents of a session that are announced nearby. Times are the caller's `now`, in seconds."""

    def __init__(self) -> None:
        self._last: dict[InfoHash, float] = {}
        self._quiet_until = -math.inf

    def add(self, info_hash: InfoHash) -> None:
        """Announce this one as soon as may be, and from then on."""
        self._last.setdefault(info_hash, -math.inf)

    def remove(self, info_hash: InfoHash) -> None:
        """Announce it no more."""
        self._last.pop(info_hash, None)

    def __contains__(self, info_hash: object) -> bool:
        return info_hash in self._last

    def due(self, now: float) -> list[InfoHash]:
        """The torrents to announce now, all in one datagram; none if it is not the time."""
        first = min(self._last.values(), default=math.inf)
        if now < self._quiet_until or now < first + INTERVAL:
            return []
        self._quiet_until = now + PAUSE
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
