"""A tracker's file of swarms over its life: start, saves, stop, and what goes wrong."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from tracker import saved_swarms
from tracker.memory_store import MemoryStore
from tracker.saved_swarms import SavedSwarms
from tracker.store import Role


def new_store():
    return MemoryStore(max_torrents=10, max_peers=100)


def enter(store, n, now=1.0):
    store.announce(bytes(20), bytes([10, 0, 0, n, 1, 1]), bytes(20), Role.SEEDER, 0, now, random.Random(n))


def keeper(path, store, now=5.0):
    return SavedSwarms(path, store, clock=lambda: now, wall=lambda: 1e9 + now)


async def test_a_stop_saves_and_a_start_restores(tmp_path):
    path, store = tmp_path / "swarms", new_store()
    first = keeper(path, store)
    first.restore(100.0, random.Random(1))
    first.start()
    enter(store, 1)
    assert first.saved is None
    await first.close()
    await first.close()
    assert first.saved == 1e9 + 5.0
    again = new_store()
    keeper(path, again).restore(100.0, random.Random(1))
    assert again.totals().peers == 1


async def test_swarms_are_saved_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(saved_swarms, "SAVE_PERIOD", 0.001)
    path, store = tmp_path / "swarms", new_store()
    running = keeper(path, store)
    running.start()
    enter(store, 1)
    async with asyncio.timeout(10):
        while running.saved is None:
            await asyncio.sleep(0.001)
    again = new_store()
    keeper(path, again).restore(100.0, random.Random(1))
    assert again.totals().peers == 1
    await running.close()


async def test_a_file_that_is_refused_is_kept_aside_and_told(tmp_path, caplog):
    path, store = tmp_path / "swarms", new_store()
    path.write_bytes(b"something else")
    with caplog.at_level(logging.INFO, logger="tracker"):
        keeper(path, store).restore(100.0, random.Random(1))
    assert "the start is empty" in caplog.text
    assert store.totals().peers == 0
    assert not path.exists()
    assert (tmp_path / "swarms.refused").read_bytes() == b"something else"


async def test_a_folder_that_has_gone_is_told_and_stops_nothing(tmp_path, caplog):
    running = keeper(tmp_path / "gone" / "swarms", new_store())
    running.start()
    with caplog.at_level(logging.INFO, logger="tracker"):
        await running.close()
    assert "swarms are not saved" in caplog.text
    assert running.saved is None


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_stop_during_a_save_leaves_a_whole_file(tmp_path, monkeypatch, turns):
    monkeypatch.setattr(saved_swarms, "SAVE_PERIOD", 0.0)
    path, store = tmp_path / "swarms", new_store()
    enter(store, 1)
    running = keeper(path, store)
    running.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    await running.close()
    assert [each.name for each in tmp_path.iterdir()] == ["swarms"]
    again = new_store()
    keeper(path, again).restore(100.0, random.Random(1))
    assert again.totals().peers == 1
