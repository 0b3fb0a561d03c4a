"""Keeps a RedisStore and a Redis or Valkey alike: sends what was noted, follows what others say, compares the whole.

The rules: nobody who announces waits for Redis; one that is down is told to the log once and asked again with growing
pauses; every connection begins with what was missed in the stream and with a comparison of all swarms; and nothing that
stands in Redis stops the tracker: what cannot be is left alone and counted. Keys and formats: docs/tracker-redis.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.event_log import tell
from tracker.figures import RedisFigures
from tracker.redis_batch import SCRIPT, pack_batch
from tracker.redis_clock import RedisClock
from tracker.redis_comparison import Comparison
from tracker.redis_connection import RedisConnection, RedisOutageError
from tracker.redis_format import MAX_CHANGES, Entry, Keys, Total, read_entry

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from tracker.redis_store import RedisStore

BATCH_PERIOD: Final = 0.02
"""Seconds that changes are collected for: a client needs longer to connect to a peer."""

HEARTBEAT: Final = 1.0
"""Seconds between looks at the clock and the memory of Redis."""

ENTRIES_A_READ: Final = 16

BLOCK: Final = 1_000
"""Milliseconds to wait for the stream in one go; less than Redis has to answer."""

FIRST_PAUSE: Final = 0.1
LAST_PAUSE: Final = 10.0
"""Seconds between attempts to connect, doubled each time; up to a fifth is taken off by chance."""

START_TIME: Final = 5.0
"""Seconds that the start waits for the swarms of others. Then the tracker serves with what it has."""

STOP_TIME: Final = 2.0
"""Seconds to send what is left at the end."""

SWEEPS_A_LIFETIME: Final = 2
"""Times that one of the processes compares everything, which also takes peers that are over out of Redis."""

MAX_WRITERS: Final = 1_024
"""Processes whose entries are counted; those that have been unheard for longest go first."""


@dataclass(slots=True)
class _Counts:
    batches: int = 0
    sent: int = 0
    received: int = 0
    refused: int = 0
    outages: int = 0
    comparisons: int = 0
    lag: float = 0.0


class RedisLink:
    """Between `store` and the Redis at `url`, below the keys of `prefix`. `lifetime` tells that of a peer in seconds.

    Raises ConfigError for a URL that leads nowhere.
    """

    def __init__(
        self, url: str, prefix: str, store: RedisStore, *, rng: random.Random, lifetime: Callable[[], float]
    ) -> None:
        self._url = url
        self._place = RedisConnection(url).place
        self._keys = Keys(prefix)
        self._store = store
        self._rng = rng
        self._lifetime = lifetime
        self._clock = RedisClock()
        self._counts = _Counts()
        self._writer = rng.randbytes(8)
        self._number = 0
        self._numbers: OrderedDict[bytes, int] = OrderedDict()
        """The last entry of each other process."""
        self._totals: list[Total] = []
        """Completions that Redis has told since the last batch, for the other processes."""
        self._last = b""
        """The last entry of the stream that was taken in; empty before the first connection."""
        self._memory: bytes | None = None
        self._must_compare = True
        self._is_up = False
        self._told_down = False
        self._settled = asyncio.Event()
        """The first comparison, or the first failure, is over."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, and load what others know if it can be had soon."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="redis")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIME):
                await self._settled.wait()

    async def close(self) -> None:
        """Send what is left if that is quick, and part. Idempotent."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIME):
                while self._is_up and (self._store.unsent or self._totals):  # noqa: ASYNC110 - nobody tells of a count
                    await asyncio.sleep(BATCH_PERIOD)
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()  # it ends by itself only of a mistake of ours

    @property
    def is_up(self) -> bool:
        """Whether others are told of changes by Redis now."""
        return self._is_up

    def figures(self) -> RedisFigures:
        """How it goes."""
        counts = self._counts
        return RedisFigures(
            up=self._is_up,
            lag=counts.lag,
            unsent=self._store.unsent,
            batches=counts.batches,
            sent=counts.sent,
            received=counts.received,
            refused=counts.refused,
            outages=counts.outages,
            comparisons=counts.comparisons,
        )

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            redis = RedisConnection(self._url)
            try:
                await self._begin(redis)
                pause = FIRST_PAUSE
                await self._work(redis)
            except RedisOutageError as error:
                self._on_down(error)
            finally:
                self._is_up = False
                await redis.close()
            await asyncio.sleep(pause * (1 - self._rng.random() / 5))
            pause = min(2 * pause, LAST_PAUSE)

    async def _begin(self, redis: RedisConnection) -> None:
        """Learn the clock, find the place in the stream, take in what was missed of it."""
        await self._beat(redis)
        newest = await redis.ask("XREVRANGE", self._keys.changes, "+", "-", "COUNT", 1)
        tip = newest[0][0] if newest else b"0-0"
        if not self._last or _entry_id(tip) < _entry_id(self._last):
            self._last = tip  # the first time, or this Redis has forgotten what it had said
        while await self._read(redis, ()):
            pass
        self._must_compare = True
        self._is_up = True
        self._told_down = False
        tell("redis is up", place=self._place)

    async def _work(self, redis: RedisConnection) -> None:
        """Until something fails."""
        works = (self._send(redis), self._follow(redis), self._keep(redis))
        tasks = [asyncio.get_running_loop().create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # one of them is told; the others failed with it

    def _on_down(self, error: RedisOutageError) -> None:
        self._settled.set()
        if not self._told_down:
            self._told_down = True
            self._counts.outages += 1
            tell("redis is down, serving on", level=logging.WARNING, place=self._place, reason=str(error))

    # -- sending

    async def _send(self, redis: RedisConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if self._store.unsent or self._totals:
                await self._send_batch(redis)
            await asyncio.sleep(max(BATCH_PERIOD, loop.time() - began))

    async def _send_batch(self, redis: RedisConnection) -> None:
        unsent = self._store.take_unsent(MAX_CHANGES)
        totals, self._totals = self._totals[:MAX_CHANGES], self._totals[MAX_CHANGES:]
        self._number += 1  # also if it fails: whoever lacks an entry compares everything
        batch = pack_batch(
            unsent,
            totals,
            self._keys,
            writer=self._writer,
            number=self._number,
            lifetime=self._lifetime(),
            there=self._clock.there,
        )
        try:
            refused, *counted = await redis.ask("EVAL", SCRIPT, *batch.arguments)
        except BaseException:
            self._store.give_back(unsent)
            self._totals = totals + self._totals
            raise
        self._counts.batches += 1
        self._counts.sent += len(unsent.peers)
        self._counts.refused += refused
        for (info_hash, family), completed in zip(batch.counted, counted, strict=True):
            self._store.on_total(info_hash, family, completed)
            self._totals.append(Total(info_hash, family, completed))

    # -- following

    async def _follow(self, redis: RedisConnection) -> None:
        while True:
            await self._read(redis, ("BLOCK", BLOCK))

    async def _read(self, redis: RedisConnection, options: tuple[Any, ...]) -> int:
        """Take in what is next in the stream; the number of entries."""
        answer = await redis.ask("XREAD", "COUNT", ENTRIES_A_READ, *options, "STREAMS", self._keys.changes, self._last)
        entries = answer[0][1] if answer else []
        for name, fields in entries:
            self._on_entry(fields)
            self._last = name
            now = self._clock.there(asyncio.get_running_loop().time())
            self._counts.lag = max(0.0, now - _entry_id(name)[0] / 1000)
            await asyncio.sleep(0)
        return len(entries)

    def _on_entry(self, fields: Mapping[bytes, bytes]) -> None:
        try:
            entry = read_entry(fields)
        except ValueError:
            self._counts.refused += 1
            return
        self._counts.refused += entry.refused
        if entry.writer != self._writer:
            self._counts.received += len(entry.changes)
            self._count(entry)
        now = asyncio.get_running_loop().time()
        over = now - self._lifetime()
        for info_hash, peer, detail, there in entry.changes:
            seen = min(self._clock.here(there), now)
            if detail is None or seen >= over:
                self._store.on_change(info_hash, peer, detail, seen)
        for info_hash, family, completed in entry.totals:
            self._store.on_total(info_hash, family, completed)

    def _count(self, entry: Entry) -> None:
        """Notice that an entry of another process was missed."""
        known = self._numbers.pop(entry.writer, entry.number - 1)
        self._numbers[entry.writer] = entry.number
        if len(self._numbers) > MAX_WRITERS:
            self._numbers.popitem(last=False)
        if entry.number != known + 1:
            self._must_compare = True

    # -- keeping alike

    async def _keep(self, redis: RedisConnection) -> None:
        while True:
            period = round(1_000 * self._lifetime() / SWEEPS_A_LIFETIME)
            sweeps = await redis.ask("SET", self._keys.sweeper, self._writer, "NX", "PX", period)
            if sweeps or self._must_compare or self._store.dropped:
                await self._compare(redis)
            await asyncio.sleep(HEARTBEAT)
            await self._beat(redis)

    async def _beat(self, redis: RedisConnection) -> None:
        """Ask Redis for its time and whether it still knows what it was told."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        seconds, microseconds = await redis.ask("TIME")
        self._clock.on_time(asked, loop.time(), seconds + microseconds / 1e6)
        await redis.ask("SET", self._keys.memory, self._writer, "NX")
        memory = await redis.ask("GET", self._keys.memory)
        if memory != self._memory:
            self._memory = memory
            self._must_compare = True

    async def _compare(self, redis: RedisConnection) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._must_compare = False
        self._store.forgive_dropped()
        await Comparison(
            redis, self._keys, self._store, self._clock, self._rng, self._lifetime(), self._on_refused
        ).run()
        self._counts.comparisons += 1
        self._settled.set()
        tell("redis compared", seconds=loop.time() - began, **self._store.totals()._asdict())

    def _on_refused(self, count: int) -> None:
        self._counts.refused += count


def _entry_id(name: bytes) -> tuple[int, int]:
    """What orders entries of a stream: milliseconds and a number."""
    milliseconds, _, number = name.partition(b"-")
    return int(milliseconds), int(number)
