"""What a tracker remembers: the contract every store keeps, checked by one suite on each form of it.

A swarm is the peers of one torrent in one address family. The rules a store answers for:

- IPv4 and IPv6 swarms are apart: no call about a peer of one family sees or changes the other's.
- A peer is its address. Whoever announces from an address owns the entry, so nobody can stop or replace another's.
- `put`, `remove`, `complete` and each peer that expires cost the same in a swarm of one and of a million; `pick` costs
  what it returns.
- Totals are bounded; at a bound a newcomer is refused and nobody is thrown out.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import random

    from p2p.codec.announce import ScrapeEntry
    from p2p.ids import Address, InfoHash, PeerId


class Role(Enum):
    """What a peer does in its swarm."""

    SEEDER = "seeder"
    PARTIAL_SEED = "partial seed"
    """Incomplete, but fetching nothing (BEP 21)."""
    DOWNLOADER = "downloader"


class PickedPeer(NamedTuple):
    address: Address
    peer_id: PeerId


class Totals(NamedTuple):
    """The whole store in numbers, both families together. `torrents` counts swarms."""

    torrents: int
    peers: int
    seeders: int


class Store(Protocol):
    """Swarms. `now` is float seconds of one clock that never goes back."""

    def put(self, info_hash: InfoHash, address: Address, peer_id: PeerId, role: Role, now: float) -> None:
        """Enter a peer or renew it with a new role. Raises TrackerError when the store is full."""

    def complete(self, info_hash: InfoHash, address: Address) -> None:
        """Count this peer as one that finished: once, and only if it was in the swarm with something left to fetch."""

    def remove(self, info_hash: InfoHash, address: Address) -> None:
        """Forget a peer; nothing happens if it is not there."""

    def pick(self, info_hash: InfoHash, asker: Address, role: Role, count: int, rng: random.Random) -> list[PickedPeer]:
        """At most `count` peers of the asker's family, chosen evenly, never the asker.

        Who fetches nothing is given downloaders only: a seeder has no use for a seeder.
        """

    def counts(self, info_hash: InfoHash, asker: Address) -> ScrapeEntry:
        """The swarm of the asker's family in numbers, all 0 if there is none."""

    def info_hashes(self, asker: Address, limit: int) -> list[InfoHash]:
        """The torrents of the asker's family, oldest swarm first, at most `limit`."""

    def expire(self, before: float, limit: int) -> int:
        """Forget at most `limit` peers last put before `before`, oldest first; how many went."""

    def totals(self) -> Totals: ...
