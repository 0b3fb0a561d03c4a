"""Swarms over a restart: what is kept, what has expired meanwhile, and files that are not believed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import StorageError
from tracker import snapshot_file
from tracker.memory_store import MemoryStore
from tracker.snapshot_file import MAGIC
from tracker.store import Family, Role, Totals

LIFETIME = 100.0


def new_store(**bounds):
    return MemoryStore(**{"max_torrents": 1_000, "max_peers": 100_000, **bounds})


def filled(peers=500, swarms=20):
    store = new_store()
    rng = random.Random(1)
    for n in range(peers):
        peer = bytes([10, 0, n >> 8, n & 255, 26, 225]) if n % 3 else bytes(14) + bytes([n >> 8, n & 255, 26, 225])
        info_hash = bytes([n % swarms]) * 20
        store.announce(info_hash, peer, n.to_bytes(20, "big"), Role(n % 3), 0, n / 10, rng)
        if n % 7 == 0:
            store.complete(info_hash, peer)
    return store


def save(path, store, clock=50.0, wall=1e9):
    return asyncio.run(snapshot_file.save(path, store, clock=lambda: clock, wall=lambda: wall))


def restore(path, store, clock=7.0, wall=1e9):
    return snapshot_file.restore(path, store, clock=clock, wall=wall, lifetime=LIFETIME, rng=random.Random(2))


def facts(store, now):
    """All that can be seen of a store, with ages in place of times."""
    found = {}
    for record in store.records():
        for n, seen in enumerate(record.seen):
            peer = record.peers[n * record.family : (n + 1) * record.family]
            detail = record.details[n * 21 : n * 21 + 21]
            found[record.info_hash, peer] = (detail[:20], detail[20] & 7, round(now - seen, 6))
        found[record.info_hash, record.family] = record.completed
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "swarms"


def test_swarms_come_back_as_old_as_they_are(path):
    store = filled()
    size = save(path, store)
    assert size == path.stat().st_size
    again = new_store()
    assert restore(path, again)
    assert facts(again, 7.0) == facts(store, 50.0)
    assert again.totals() == store.totals()
    later = new_store()
    restore(path, later, clock=1_000.0, wall=1e9 + 20.5)
    assert facts(later, 1_000.0) == facts(store, 70.5)


def test_who_would_have_expired_meanwhile_does_not_come_back(path):
    store = filled()
    save(path, store)
    again = new_store()
    restore(path, again, wall=1e9 + 75.0)  # peers seen before 25.0 are now older than 100 seconds
    assert again.totals().peers == 250
    assert {
        age
        for key, entry in facts(again, 7.0).items()
        if len(key[1:]) and isinstance(entry, tuple)
        for age in entry[2:]
    } <= {round(125.0 - n / 10, 6) for n in range(250, 500)}
    long_after = new_store()
    restore(path, long_after, wall=2e9)
    assert long_after.totals().peers == 0
    assert long_after.counts(bytes(20), Family.IPV4).completed == store.counts(bytes(20), Family.IPV4).completed > 0


def test_a_wall_clock_set_back_makes_nobody_younger(path):
    store = filled()
    save(path, store)
    again = new_store()
    restore(path, again, wall=1e9 - 5_000.0)
    assert facts(again, 7.0) == facts(store, 50.0)


def test_bounds_hold_for_what_comes_back(path):
    save(path, filled())
    small = new_store(max_torrents=3, max_peers=40)
    restore(path, small)
    assert 0 < small.totals().peers <= 40
    assert small.totals().torrents <= 3


def test_no_file_is_an_empty_start(path):
    store = new_store()
    assert not restore(path, store)
    assert store.totals() == Totals(0, 0, 0)


def test_an_empty_store_is_a_good_file(path):
    save(path, new_store())
    assert restore(path, new_store())


def test_peers_that_announce_during_the_save_do_not_spoil_it(path):
    store = filled(peers=3_000, swarms=200)

    async def scenario():
        now = 300.0
        saving = asyncio.ensure_future(snapshot_file.save(path, store, clock=lambda: now, wall=lambda: 1e9))
        turns = 0
        while not saving.done():
            now += 0.01
            turns += 1
            info_hash = bytes([turns % 200]) * 20
            store.announce(
                info_hash, turns.to_bytes(4, "big") + b"ab", bytes(20), Role.SEEDER, 0, now, random.Random(3)
            )
            store.expire(10.0, 100)
            await asyncio.sleep(0)
        await saving
        assert turns > 3

    asyncio.run(scenario())
    again = new_store()
    assert snapshot_file.restore(path, again, clock=0.0, wall=1e9, lifetime=1e6, rng=random.Random(4))
    assert again.totals().peers >= 2_900


def test_a_save_that_fails_leaves_what_was_there(path, monkeypatch):
    save(path, filled())
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        save(path, new_store())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_save_to_a_disk_that_became_read_only_is_an_error_in_words_and_the_next_one_is_good(path, monkeypatch):
    def read_only(*arguments, **_):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", read_only)
        patched.setattr(type(path), "unlink", read_only)
        with pytest.raises(StorageError, match="Read-only"):
            save(path, filled())
    save(path, filled())
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
def test_a_save_that_is_cancelled_leaves_what_was_there_and_nothing_open(path, turns):
    save(path, filled())

    async def scenario():
        saving = asyncio.ensure_future(snapshot_file.save(path, filled(), clock=lambda: 60.0, wall=lambda: 1e9))
        for _ in range(turns):
            await asyncio.sleep(0)
        saving.cancel()
        await asyncio.wait([saving])
        assert saving.cancelled() or saving.exception() is None

    asyncio.run(scenario())
    assert list(path.parent.iterdir()) == [path]
    assert restore(path, new_store())


def test_a_folder_that_is_not_there_is_an_error_in_words(tmp_path):
    with pytest.raises(StorageError, match="cannot be saved"):
        save(tmp_path / "nowhere" / "swarms", filled())
    with pytest.raises(StorageError, match="cannot be read"):
        restore(tmp_path, new_store())


def refused(path, content):
    path.write_bytes(content)
    store = new_store()
    with pytest.raises(StorageError, match="no whole file of swarms"):
        restore(path, store)
    assert store.totals() == Totals(0, 0, 0)


def test_a_file_cut_anywhere_is_refused(path):
    save(path, filled(peers=6, swarms=2))
    whole = path.read_bytes()
    for size in range(len(whole)):
        refused(path, whole[:size])
    refused(path, whole + b"\0")


def test_a_file_with_any_byte_altered_is_refused(path):
    save(path, filled(peers=4, swarms=2))
    whole = path.read_bytes()
    for at in range(len(whole)):
        refused(path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])


def signed(body):
    return body + hashlib.sha256(body).digest()


def record(count=1, family=6, details=bytes(21), seen=40.0, begin=1, columns=1):
    head = struct.pack("<B20sBII", begin, b"h" * 20, family, 0, count)
    return head + (bytes([10, 0, 0, 1, 26, 225]) + details + struct.pack("<d", seen)) * columns


END = b"\0" + struct.pack("<dd", 1e9, 50.0)


@pytest.mark.parametrize(
    "body",
    [
        MAGIC,
        MAGIC + END[:-1],
        MAGIC + record(count=2) + END,
        MAGIC + record(count=2**32 - 1) + END,
        MAGIC + record(family=7) + END,
        MAGIC + record(begin=2) + END,
        MAGIC + record(details=bytes(20) + b"\x03") + END,
        MAGIC + record(seen=50.1) + END,
        MAGIC + record(seen=-1e9) + END,
        MAGIC + record(seen=float("nan")) + END,
        MAGIC + record(seen=float("-inf")) + END,
        MAGIC + record() + b"\1" + END[1:],
        MAGIC + record()[:10] + END,
        MAGIC + b"\0" + struct.pack("<dd", float("nan"), 50.0),
        MAGIC + b"\0" + struct.pack("<dd", 1e9, float("inf")),
    ],
)
def test_a_file_made_up_with_a_right_sum_is_refused(path, body):
    assert len(signed(MAGIC + record() + END)) > 0
    refused(path, signed(body))


def test_a_made_up_file_that_is_right_is_taken(path):
    path.write_bytes(signed(MAGIC + record() + record() + END))
    store = new_store()
    assert restore(path, store)
    assert store.totals() == Totals(1, 1, 0)


@given(body=st.binary(max_size=200))
def test_no_bytes_do_more_than_refuse(tmp_path_factory, body):
    path = tmp_path_factory.mktemp("junk") / "swarms"
    for content in (body, signed(body), signed(MAGIC + body), signed(MAGIC + body + END)):
        path.write_bytes(content)
        with contextlib.suppress(StorageError):
            restore(path, new_store())
