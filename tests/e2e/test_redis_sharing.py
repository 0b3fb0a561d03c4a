"""Stores that share a real Redis: what one knows all know, over outages, lost memory, and whatever stands in Redis."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest
from redis_server import DEADLINE, RedisServer, skip_without_redis

from tracker import redis_link
from tracker.memory_store import MemoryStore
from tracker.redis_connection import RedisConnection
from tracker.redis_format import MAX_CHANGES, Change, Keys, Total, pack_entry, pack_value
from tracker.redis_link import RedisLink
from tracker.redis_store import RedisStore
from tracker.store import OWED, Family, Role

HASH = b"\x01" * 20
HASHES = [bytes([n]) * 20 for n in range(40)]
ID = b"-ST0100-abcdefghijkl"
IPV4, IPV6 = Family.IPV4, Family.IPV6
DOWNLOADER, PARTIAL_SEED, SEEDER = Role
KEYS = Keys("starling")
LIFETIME = 60.0
POLL = 0.01


def v4(n):
    return bytes([10, n >> 16, n >> 8 & 255, n & 255, 26, 225])


def v6(n):
    return bytes([32, 1, 13, 184]) + n.to_bytes(12, "big") + b"\x1a\xe1"


class Side:
    """One process: a store and its link."""

    def __init__(self, url, seed, max_unsent=100_000, lifetime=LIFETIME):
        self.now = asyncio.get_running_loop().time
        self.rng = random.Random(seed)
        memory = MemoryStore(max_torrents=10_000, max_peers=100_000)
        self.store = RedisStore(memory, clock=self.now, rng=self.rng, max_unsent=max_unsent)
        self.link = RedisLink(url, "starling", self.store, rng=self.rng, lifetime=lambda: lifetime)

    def put(self, peer, role=DOWNLOADER, info_hash=HASH, peer_id=ID, ago=0.0):
        self.store.announce(info_hash, peer, peer_id, role, 0, self.now() - ago, self.rng, 30.0)

    def known(self):
        """(info-hash, peer) -> (id, role and debt)."""
        found = {}
        for info_hash, family, _, peers, details, seen in self.store.records():
            for n in range(len(seen)):
                detail = details[21 * n : 21 * n + 21]
                peer = peers[family * n : family * n + family]
                found[info_hash, peer] = detail[:20], detail[20] & (3 | OWED)
        return found

    def completed(self, info_hash=HASH, family=IPV4):
        return self.store.counts(info_hash, family).completed

    @property
    def figures(self):
        return self.link.figures()


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(POLL)


@pytest.fixture
async def redis(programs, tmp_path):
    skip_without_redis()
    server = RedisServer(programs, tmp_path)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def make_side(redis):
    sides = []

    async def make(**options):
        side = Side(redis.url, len(sides), **options)
        sides.append(side)
        await side.link.start()
        return side

    yield make
    for side in sides:
        await side.link.close()


async def test_what_one_is_told_all_know(make_side):
    one, other = await make_side(), await make_side()
    one.put(v4(1), SEEDER)
    one.put(v4(2))
    one.put(v6(1), PARTIAL_SEED)
    await until(lambda: len(other.known()) == 3)
    assert other.known() == one.known()
    assert other.store.announce(HASH, v4(9), ID, DOWNLOADER, 5, other.now(), other.rng).peers in (
        v4(1) + v4(2),
        v4(2) + v4(1),
    )
    one.put(v4(2), SEEDER, peer_id=b"n" * 20)
    other.store.remove(HASH, v4(1))
    await until(lambda: one.known() == other.known() and (HASH, v4(1)) not in one.known())
    assert one.known()[HASH, v4(2)] == (b"n" * 20, SEEDER | OWED)


async def test_a_change_of_role_before_the_min_interval_is_known_too(make_side):
    one, other = await make_side(), await make_side()
    one.put(v4(1), ago=20.0)
    await until(other.known)
    one.put(v4(1), SEEDER)
    await until(lambda: other.store.counts(HASH, IPV4).seeders == 1)


async def test_each_completion_counts_once_whoever_is_told_of_it(make_side):
    one, other = await make_side(), await make_side()
    for n in range(10):
        one.put(v4(n))
    await until(lambda: len(other.known()) == 10)
    for n in range(10):
        side = one if n % 2 else other
        assert side.store.complete(HASH, v4(n))
        side.put(v4(n), SEEDER)
    await until(lambda: one.completed() == other.completed() == 10)
    await until(lambda: all(mark == SEEDER for _, mark in (one.known() | other.known()).values()))
    assert not one.store.complete(HASH, v4(0))
    late = await make_side()
    assert late.completed() == 10


async def test_who_starts_later_knows_all_swarms_at_once(make_side):
    first = await make_side()
    for n in range(3_000):
        first.put(v4(n), Role(n % 3), HASHES[n % 40])
    for n in range(2_000):
        first.put(v6(n), Role(n % 3))  # one that Redis gives in pages
    await until(lambda: not first.figures.unsent)
    late = await make_side()
    assert late.known() == first.known()
    assert late.figures.refused == 0


async def test_peers_expire_everywhere_and_in_redis(make_side, redis):
    one = await make_side(lifetime=5.0)
    one.put(v4(1), ago=4.0)
    one.put(v4(2))
    await until(lambda: not one.figures.unsent)
    other = await make_side(lifetime=5.0)
    assert len(other.known()) == 2
    for side in (one, other):
        side.store.expire(side.now() - 3.0, 1_000)
        assert set(side.known()) == {(HASH, v4(2))}
    late = await make_side(lifetime=3.0)
    assert set(late.known()) == {(HASH, v4(2))}
    assert set(await redis.client.hkeys(KEYS.swarm(HASH, IPV4))) == {v4(2)}
    assert 0 < await redis.client.ttl(KEYS.swarm(HASH, IPV4)) <= 10


async def test_one_that_dies_takes_no_swarm_along(make_side):
    one, other = await make_side(), await make_side()
    one.put(v4(1))
    await until(other.known)
    await one.link.close()
    other.put(v4(2))
    late = await make_side()
    await until(lambda: set(late.known()) == {(HASH, v4(1)), (HASH, v4(2))})


async def test_an_outage_is_told_once_and_made_good(make_side, redis, caplog, monkeypatch):
    attempts = []
    monkeypatch.setattr(redis_link, "RedisConnection", lambda url: attempts.append(url) or RedisConnection(url))
    one, other = await make_side(), await make_side()
    one.put(v4(1))
    one.put(v4(2))
    await until(lambda: len(other.known()) == 2)
    with caplog.at_level(logging.INFO, "tracker"):
        await redis.kill()
        await until(lambda: not one.figures.up and not other.figures.up)
        one.put(v4(3), SEEDER)
        other.put(v4(4))
        one.store.remove(HASH, v4(1))
        assert one.store.complete(HASH, v4(2))
        one.put(v4(2), SEEDER)
        await until(lambda: one.figures.outages == 1 and other.figures.outages == 1)
        assert set(one.known()) == {(HASH, v4(2)), (HASH, v4(3))}
        await until(lambda: len(attempts) >= 2 * 2 + 6)
        await redis.start()
        await until(lambda: one.known() == other.known())
    assert set(one.known()) == {(HASH, v4(2)), (HASH, v4(3)), (HASH, v4(4))}
    await until(lambda: one.completed() == other.completed() == 1)
    downs = [record for record in caplog.records if record.getMessage().startswith("redis is down")]
    assert len(downs) == 2  # one a process
    await until(lambda: not one.figures.unsent and not other.figures.unsent)
    late = await make_side()
    assert late.known() == one.known()
    assert late.completed() == 1


async def test_what_found_no_room_in_an_outage_is_there_after(make_side, redis):
    one, other = await make_side(max_unsent=400), await make_side()
    await redis.kill()
    await until(lambda: not one.figures.up)
    for n in range(1_000):
        one.put(v4(n), info_hash=HASHES[n % 40])
        assert one.figures.unsent <= 400
    await redis.start()
    await until(lambda: len(other.known()) == 1_000)
    assert other.known() == one.known()


async def test_completions_of_both_sides_of_an_outage_add_up(make_side, redis):
    one, other = await make_side(), await make_side()
    for n in range(8):
        one.put(v4(n))
    assert one.store.complete(HASH, v4(0))
    await until(lambda: len(other.known()) == 8 and other.completed() == 1)
    await redis.kill()
    await until(lambda: not one.figures.up and not other.figures.up)
    for n in (1, 2, 3):
        assert one.store.complete(HASH, v4(n))
    for n in (4, 5):
        assert other.store.complete(HASH, v4(n))
    await redis.start()
    await until(lambda: one.completed() == other.completed() == 6)


async def test_a_redis_that_forgets_without_going_away_is_told_again(make_side, redis):
    one = await make_side()
    one.put(v4(1))
    await until(lambda: not one.figures.unsent)
    await redis.client.flushall()
    async with asyncio.timeout(DEADLINE):
        while await redis.client.hkeys(KEYS.swarm(HASH, IPV4)) != [v4(1)]:
            await asyncio.sleep(POLL)
    assert one.figures.outages == 0


async def test_a_start_without_redis_serves_and_catches_up(make_side, redis):
    await redis.kill()
    one = await make_side()
    assert not one.figures.up
    one.put(v4(1))
    await redis.start()
    other = await make_side()
    await until(lambda: other.known() == one.known() and one.known())


async def test_entries_that_were_missed_are_noticed(make_side, redis):
    one = await make_side()
    compared = one.figures.comparisons
    writer = b"somebody"
    for number in (1, 2):
        await redis.client.xadd(KEYS.changes, pack_entry(writer, number, [], []))
    await redis.client.hset(KEYS.swarm(HASH, IPV4), v4(1), await fresh_value(redis))
    await redis.client.xadd(KEYS.changes, pack_entry(writer, 4, [], []))
    await until(one.known)
    assert one.figures.comparisons > compared


async def fresh_value(redis, mark=OWED):
    return pack_value(ID + bytes([mark]), (await redis.client.time())[0])


async def test_what_stands_in_redis_and_cannot_be_is_left_alone_and_counted(make_side, redis):
    good, client = await fresh_value(redis), redis.client
    swarm = KEYS.swarm(HASHES[0], IPV4)
    bad = {
        v4(1)[:5]: good,
        v6(1): good,
        b"": good,
        v4(1)[:4] + b"\0\0": good,
        v4(2): good[:-1],
        v4(3): good + b"x",
        v4(4): b"",
        v4(5): await fresh_value(redis, mark=3),
        v4(6): await fresh_value(redis, mark=128),
        v4(7): b"\xff" * len(good),
        b"completed": b"-1",
    }
    await client.hset(swarm, mapping={**bad, v4(99): good})
    foreign = [KEYS.swarm(HASHES[1], IPV4), KEYS.swarm(HASHES[2], IPV6)]
    await client.set(foreign[0], "a text")
    await client.lpush(foreign[1], "a", "list")
    for name in (b"zz" * 20, b"", b"ab", b"AB" * 20, b"\xff" * 40):
        await client.hset(b"starling:1:swarm:4:" + name, v4(1), good)
    side = await make_side()
    assert side.figures.up
    assert set(side.known()) == {(HASHES[0], v4(99))}
    assert side.figures.refused == len(bad) + len(foreign) + 5
    # And the swarms whose keys hold something else are served by each process alone.
    side.put(v4(1), info_hash=HASHES[1])
    side.put(v4(2), info_hash=HASHES[3])
    other = await make_side()
    await until(lambda: (HASHES[3], v4(2)) in other.known())
    assert await client.get(foreign[0]) == b"a text"
    assert side.figures.up
    assert side.figures.outages == 0


@pytest.mark.parametrize(
    "fields",
    [
        {b"x": b"y"},
        {b"by": b"short", b"n": b"1"},
        {b"by": b"somebody", b"n": b"-1"},
        {b"by": b"somebody", b"n": b"9" * 5_000},
        {b"by": b"somebody", b"n": b"1", b"4": b"x" * 54},
        {b"by": b"somebody", b"n": b"1", b"4": b"\xff" * 55},
        {b"by": b"somebody", b"n": b"1", b"6": bytes(67 * (MAX_CHANGES + 1))},
        {b"by": b"somebody", b"n": b"1", b"c": b"\x07" * 25},
    ],
    ids=range(8),
)
async def test_entries_that_cannot_be_are_counted_and_passed_over(make_side, redis, fields):
    side = await make_side()
    before = side.figures.refused
    await redis.client.xadd(KEYS.changes, fields)
    now = float((await redis.client.time())[0])
    good = [Change(HASH, v4(1), ID + bytes([OWED]), now), Change(HASH, v4(2), ID + bytes([OWED]), now + 1e6)]
    entry = pack_entry(b"somebody", 2, good, [Total(HASH, IPV4, 3)])
    await redis.client.xadd(KEYS.changes, entry)
    await until(lambda: len(side.known()) == 2)
    assert side.figures.refused == before + 1
    assert side.completed() == 3
    assert side.figures.up
    # A time to come counts as now.
    side.store.expire(side.now() + 1.0, 1_000)
    assert not side.known()


@pytest.mark.parametrize("key", [KEYS.changes, KEYS.memory])
async def test_a_key_of_ours_that_holds_something_else_is_an_outage(make_side, redis, key):
    await redis.client.sadd(key, "a set")
    side = await make_side()
    await until(lambda: side.figures.outages == 1)
    side.put(v4(1))
    assert len(side.known()) == 1
    await redis.client.delete(key)
    other = await make_side()
    await until(lambda: other.known() == side.known())


async def test_something_that_is_no_redis_is_an_outage(tmp_path):
    async def babble(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)) * 100)
        await reader.read(1)
        writer.close()

    place = tmp_path / "babbling.sock"
    async with await asyncio.start_unix_server(babble, place):
        side = Side(f"unix://{place}", 1)
        await side.link.start()
        side.put(v4(1))
        assert side.figures.outages == 1
        await side.link.close()


async def test_a_full_redis_is_an_outage_until_it_has_room(make_side, redis):
    side = await make_side()
    await redis.client.config_set("maxmemory", 1)
    side.put(v4(1))
    await until(lambda: side.figures.outages == 1)
    await redis.client.config_set("maxmemory", 0)
    other = await make_side()
    await until(lambda: other.known() == side.known() and side.known())


async def test_the_stream_stays_short(make_side, redis):
    side = await make_side()
    for number in range(5_000):
        await redis.client.xadd(KEYS.changes, {"a": number})
    side.put(v4(1))
    await until(lambda: not side.figures.unsent and side.figures.batches)
    assert await redis.client.xlen(KEYS.changes) < 2_200


async def test_a_password_is_not_told():
    connection = RedisConnection("rediss://user:secret@redis.example:6380/3?ssl_cert_reqs=none")
    assert connection.place == "rediss://redis.example:6380/3"
    await connection.close()
