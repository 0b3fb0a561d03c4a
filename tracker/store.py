"""What a tracker remembers: the contract every store keeps, checked by one suite on each form of it.

A swarm is the peers of one torrent in one address family. A peer is given and taken in its compact form (BEP 23 and 7),
address and port as they stand in an answer, so that nothing is parsed or written twice on the way from one packet to
another. The rules a store answers for:

- IPv4 and IPv6 swarms are apart: no call about a peer of one family sees or changes the other's.
- A peer is its address. Whoever announces from an address owns the entry, so nobody can stop or replace another's.
- An announce, a removal and each peer that expires cost the same in a swarm of one and of a million; the peers of an
  answer cost what they weigh.
- Totals are bounded; at a bound a newcomer is refused and nobody is thrown out.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import random
    from array import array
    from collections.abc import Iterator

    from p2p.codec.announce import ScrapeEntry

NEVER: Final = -math.inf
"""When a peer was last seen that nobody has seen."""


class Family(IntEnum):
    """An address family, as the bytes of a compact peer of it."""

    IPV4 = 6
    IPV6 = 18


class Role(IntEnum):
    """What a peer does in its swarm. The number is how snapshots write it."""

    DOWNLOADER = 0
    PARTIAL_SEED = 1
    """Incomplete, but fetching nothing (BEP 21)."""
    SEEDER = 2


class Answer(NamedTuple):
    """A swarm as one of its peers is told of it, the asker included in the counts."""

    seeders: int
    leechers: int
    """All that are no seeders."""
    completed: int
    peers: bytes | bytearray
    """Compact, of the asker's family, one after another."""
    wait: float = 0.0
    """Seconds after which the asker, who came too early, is given peers again; 0 where it was not too early."""


class Totals(NamedTuple):
    """The whole store in numbers, both families together. `torrents` counts swarms."""

    torrents: int
    peers: int
    seeders: int


class SwarmRecord(NamedTuple):
    """A swarm copied out: what a snapshot keeps and other processes are told. Each column has one entry a peer."""

    info_hash: bytes
    family: Family
    completed: int
    peers: bytes
    """Compact, `family` bytes each."""
    details: bytes
    """21 bytes each: the peer id, and a mark: the `Role`, plus OWED where a completion would count, plus bits that
    mean nothing to others."""
    seen: array[float]
    """When each last announced, in seconds of the store's clock, of type "d"."""


OWED: Final = 4
"""In a mark: this peer was here with something left and has not been counted as finished."""


class Store(Protocol):
    """Swarms. `now` is float seconds of one clock that never goes back. Info-hashes and peer ids have 20 bytes."""

    def announce(
        self,
        info_hash: bytes,
        peer: bytes,
        peer_id: bytes,
        role: Role,
        want: int,
        now: float,
        rng: random.Random,
        min_interval: float = 0.0,
        lists: int = 1,
    ) -> Answer:
        """Enter `peer`, or renew it with a new role, and give at most `want` others, drawn evenly.

        Who fetches nothing is given downloaders only: a seeder has no use for a seeder. A peer that comes back with the
        same id before `min_interval` seconds are over and has been given peers `lists` times in them is given none; its
        role is taken, its time is not. Raises TrackerError when the store is full.
        """

    def complete(self, info_hash: bytes, peer: bytes) -> bool:
        """Count this peer as one that finished: once, and only if it was in the swarm with something left to fetch.

        Goes before the `announce` that makes it a seeder. Whether it counted.
        """

    def remove(self, info_hash: bytes, peer: bytes) -> Answer:
        """Forget a peer; nothing happens if it is not there. The counts after it, and no peers."""

    def counts(self, info_hash: bytes, family: Family) -> ScrapeEntry:
        """The swarm in numbers, all 0 if there is none."""

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        """The ids of compact `peers`, in order, for answers in the form of dictionaries; 20 zeros for one unknown."""

    def info_hashes(self, family: Family, limit: int) -> list[bytes]:
        """Torrents that have a swarm in this family, at most `limit`, in any order."""

    def expire(self, before: float, limit: int) -> bool:
        """Go on looking for peers last seen before `before` and forget them; whether the end of the store is reached.

        `limit` bounds the work of this call: about so many peers are looked at, and one that is forgotten counts as
        FORGETTING. From one True to the next every peer is looked at, but for a few that newcomers moved meanwhile,
        whose turn comes in the next round.
        """

    def totals(self) -> Totals: ...

    def records(self) -> Iterator[SwarmRecord]:
        """Each swarm, those without peers that have completions too. The store may change between two of them."""

    def restore(self, record: SwarmRecord, rng: random.Random) -> None:
        """Enter the peers of a record, which keep their time; a peer that is here with a later time is left as it is.

        Peers and swarms past the store's bounds are left out. Raises ValueError for columns that do not fit together.
        """


FORGETTING: Final = 128
"""Peers that could have been looked at in the time it takes to forget one."""
