"""What every store does that keeps all swarms in its own memory and tells others what changes: it answers from there.

A form of it adds what is told, and what to make of what it is told itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from p2p.codec.announce import ScrapeEntry
    from tracker.memory_store import MemoryStore
    from tracker.store import Family, SwarmRecord, Totals


class MirroredStore:
    """The part of a `Store` that changes nothing others must hear of. `memory` belongs to it."""

    def __init__(self, memory: MemoryStore) -> None:
        self._memory = memory

    def counts(self, info_hash: bytes, family: Family) -> ScrapeEntry:
        return self._memory.counts(info_hash, family)

    def peer_ids(self, info_hash: bytes, peers: bytes | bytearray, family: Family) -> list[bytes]:
        return self._memory.peer_ids(info_hash, peers, family)

    def info_hashes(self, family: Family, limit: int) -> list[bytes]:
        return self._memory.info_hashes(family, limit)

    def expire(self, before: float, limit: int) -> bool:
        return self._memory.expire(before, limit)

    def totals(self) -> Totals:
        return self._memory.totals()

    def records(self) -> Iterator[SwarmRecord]:
        return self._memory.records()

    def restore(self, record: SwarmRecord, rng: random.Random) -> None:
        self._memory.restore(record, rng)
