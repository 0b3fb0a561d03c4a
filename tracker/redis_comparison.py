"""Compares all swarms of a store with those of a Redis, both ways, a few at a time.

What is later in Redis is taken in; what is later here, or not there, is noted to be sent; peers whose lifetime is over
are removed from Redis. Swarms are gone through in an order of chance, so that processes that do so together after an
outage find half of the work done by others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.redis_format import COMPLETED, is_reachable, read_total, read_value
from tracker.store import Family

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from tracker.redis_clock import RedisClock
    from tracker.redis_connection import RedisConnection
    from tracker.redis_format import Keys
    from tracker.redis_store import RedisStore

KEYS_A_SCAN: Final = 200
SWARMS_A_TURN: Final = 8
PEERS_A_PAGE: Final = 512
"""Of a large swarm; a small one comes in one piece. Together a few thousand peers a turn, some milliseconds of work."""

PAUSE: Final = 0.02
"""Seconds between looks whether they have been sent."""

EVERYTHING: Final = 1 << 62


@dataclass(slots=True)
class Comparison:
    """One walk through everything."""

    redis: RedisConnection
    keys: Keys
    store: RedisStore
    clock: RedisClock
    rng: random.Random
    lifetime: float
    on_refused: Callable[[int], None]
    """Told how many keys, peers or counts cannot be."""

    async def run(self) -> None:
        """Go through all swarms that are known here or there. Raises RedisOutageError."""
        met: set[tuple[bytes, Family]] = set()
        cursor = 0
        while True:
            cursor, names = await self.redis.ask("SCAN", cursor, "MATCH", self.keys.swarms, "COUNT", KEYS_A_SCAN)
            swarms = [swarm for swarm in map(self._read_key, names) if swarm is not None and swarm not in met]
            met.update(swarms)
            await self._compare_all(swarms)
            if not int(cursor):
                break
        others = [
            (info_hash, family)
            for family in Family
            for info_hash in self.store.info_hashes(family, EVERYTHING)
            if (info_hash, family) not in met
        ]
        self.rng.shuffle(others)
        await self._compare_all(others)

    def _read_key(self, name: bytes) -> tuple[bytes, Family] | None:
        try:
            return self.keys.read_swarm(name)
        except ValueError:
            self.on_refused(1)
            return None

    async def _compare_all(self, swarms: list[tuple[bytes, Family]]) -> None:
        loop = asyncio.get_running_loop()
        swarms = list(dict.fromkeys(swarms))
        for begin in range(0, len(swarms), SWARMS_A_TURN):
            await self._until_there_is_room()
            turn = swarms[begin : begin + SWARMS_A_TURN]
            pages = await self._ask([("HSCAN", self.keys.swarm(*swarm), 0, "COUNT", PEERS_A_PAGE) for swarm in turn])
            began = loop.time()
            large = []
            for swarm, page in zip(turn, pages, strict=True):
                if page is not None and (rest := await self._on_first_page(swarm, *page)):
                    large.append((swarm, rest))
            for swarm, rest in large:
                await self._compare_large(swarm, rest)
            # As long as it took, so that announces have half of the processor.
            await asyncio.sleep(loop.time() - began)

    async def _on_first_page(self, swarm: tuple[bytes, Family], cursor: int, fields: Mapping[bytes, bytes]) -> int:
        """Where to go on; 0 for a swarm that is done."""
        fresh = await self._take_in(swarm, fields)
        if int(cursor):
            return int(cursor)
        record = self.store.record(*swarm)
        if record is not None:
            info_hash, family = swarm
            for at in range(0, len(record.peers), family):
                peer = record.peers[at : at + family]
                if peer not in fresh:
                    self.store.on_missing(info_hash, peer)
            if record.completed and COMPLETED not in fields:
                self.store.on_count_missing(info_hash, family)
        return 0

    async def _compare_large(self, swarm: tuple[bytes, Family], cursor: int) -> None:
        """One that comes in pages: first what is there, then whether what is here is there."""
        key, (info_hash, family) = self.keys.swarm(*swarm), swarm
        while cursor:
            (page,) = await self._ask([("HSCAN", key, cursor, "COUNT", PEERS_A_PAGE)])
            if page is None:
                return
            cursor = int(page[0])
            await self._take_in(swarm, page[1])
        record = self.store.record(*swarm)
        if record is None:
            return
        step = PEERS_A_PAGE * family
        for begin in range(0, len(record.peers), step):
            await self._until_there_is_room()
            part = record.peers[begin : begin + step]
            peers = [part[at : at + family] for at in range(0, len(part), family)]
            (values,) = await self._ask([("HMGET", key, *peers)])
            for peer, value in zip(peers, values or (), strict=False):
                if value is None:
                    self.store.on_missing(info_hash, peer)

    async def _take_in(self, swarm: tuple[bytes, Family], fields: Mapping[bytes, bytes]) -> set[bytes]:
        """Merge a page; the peers in it whose lifetime is not over."""
        info_hash, family = swarm
        now = asyncio.get_running_loop().time()
        peers: dict[bytes, tuple[bytes, float]] = {}
        stale: list[bytes] = []
        refused = 0
        for name, value in fields.items():
            try:
                if name == COMPLETED:
                    completed = read_total(value)
                    self.store.on_total(info_hash, family, completed)
                    if completed < self.store.counts(info_hash, family).completed:
                        self.store.on_count_missing(info_hash, family)
                    continue
                detail, there = read_value(value)
            except ValueError:
                refused += 1
                continue
            if len(name) != family or not is_reachable(name):
                refused += 1
                continue
            seen = min(self.clock.here(there), now)  # a clock that was set back must not keep a peer for longer
            if seen < now - self.lifetime:
                stale.append(name)
            else:
                peers[name] = detail, seen
        self.store.on_page(info_hash, peers)
        if refused:
            self.on_refused(refused)
        if stale:
            await self._ask([("HDEL", self.keys.swarm(*swarm), *stale)])
        return set(peers)

    async def _ask(self, commands: list[tuple[bytes | str | int, ...]]) -> list[Any]:
        """The answers, None for a key that holds something else."""
        answers = await self.redis.ask_all(commands)
        if wrong := answers.count(None):
            self.on_refused(wrong)
        return answers

    async def _until_there_is_room(self) -> None:
        while self.store.is_crowded:  # noqa: ASYNC110 - nobody tells of a count
            await asyncio.sleep(PAUSE)
