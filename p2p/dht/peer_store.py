"""Peers that others announced to us (BEP 5), by info-hash, for one address family (BEP 32 keeps the two apart).

The rule: everything is bounded, in all, by hash, and by the IP address that announced, and everything ends after half
an hour unless announced again. At a bound the entry announced longest ago makes room, of the same hash or host where
that is what is full; so a flood displaces itself.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

    from p2p.ids import Address, InfoHash

LIFE: Final = 1_800.0
"""Seconds an announce counts. Clients announce again after 15 to 30 minutes."""
MAX_PER_HASH: Final = 500
"""Peers of one info-hash; a reply has room for some 50 of them."""
MAX_PER_HOST: Final = 200
"""Entries of one IP address: many users behind one, each with many torrents of which few belong to us."""
MAX_ENTRIES: Final = 50_000
"""Entries in all, some 15 MB."""


class PeerStore:
    """See the module's head. Times are seconds."""

    __slots__ = ("_by_hash", "_by_host", "_order", "_rng")

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._order: dict[tuple[InfoHash, Address], float] = {}  # by time of announce, oldest first
        self._by_hash: dict[InfoHash, dict[Address, None]] = {}  # the same order
        self._by_host: dict[str, dict[tuple[InfoHash, Address], None]] = {}  # the same order

    def __len__(self) -> int:
        return len(self._order)

    @property
    def hash_count(self) -> int:
        return len(self._by_hash)

    def announce(self, info_hash: InfoHash, peer: Address, now: float) -> None:
        """A peer of `info_hash` takes connections at `peer`."""
        entry = (info_hash, peer)
        if entry in self._order:
            self._drop(entry)
        else:
            self.expire(now)
            if len(of_host := self._by_host.get(peer.host, {})) >= MAX_PER_HOST:
                self._drop(next(iter(of_host)))
            if len(of_hash := self._by_hash.get(info_hash, {})) >= MAX_PER_HASH:
                self._drop((info_hash, next(iter(of_hash))))
            if len(self._order) >= MAX_ENTRIES:
                self._drop(next(iter(self._order)))
        self._order[entry] = now
        self._by_hash.setdefault(info_hash, {})[peer] = None
        self._by_host.setdefault(peer.host, {})[entry] = None

    def sample(self, info_hash: InfoHash, count: int, now: float) -> list[Address]:
        """Up to `count` peers of `info_hash`, chosen by chance."""
        self.expire(now)
        peers = self._by_hash.get(info_hash)
        if not peers:
            return []
        return list(peers) if len(peers) <= count else self._rng.sample(list(peers), count)

    def counts(self, most: int) -> list[tuple[InfoHash, int]]:
        """Stored hashes with their number of peers, at most `most` of them, those announced first in front."""
        return [(info_hash, len(peers)) for info_hash, peers in islice(self._by_hash.items(), most)]

    def expire(self, now: float) -> None:
        """Drop what was announced too long ago."""
        while self._order:
            entry, announced = next(iter(self._order.items()))
            if now - announced < LIFE:
                return
            self._drop(entry)

    def _drop(self, entry: tuple[InfoHash, Address]) -> None:
        del self._order[entry]
        info_hash, peer = entry
        of_hash = self._by_hash[info_hash]
        del of_hash[peer]
        if not of_hash:
            del self._by_hash[info_hash]
        of_host = self._by_host[peer.host]
        del of_host[entry]
        if not of_host:
            del self._by_host[peer.host]
