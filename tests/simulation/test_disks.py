"""Disks that are full, broken or slow: what a user sees, and that nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import DiskFullError, StarlingError, StorageError
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.sim_disk import DiskKnobs


async def pair(world, *, seed_knobs=None, knobs=None, limit=400_000):
    seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=limit), knobs=seed_knobs)
    leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)), knobs=knobs)
    return seed, leecher


async def state_of(peer, state):
    while peer.torrent.snapshot().state is not state:
        await asyncio.sleep(0.1)


def test_a_full_disk_pauses_the_download_until_there_is_room(play):
    async def scenario(world):
        knobs = DiskKnobs()
        _, leecher = await pair(world, knobs=knobs)
        while leecher.torrent.snapshot().pieces_had < 5:
            await asyncio.sleep(0.1)
        knobs.full = True
        async with asyncio.timeout(10):
            await state_of(leecher, TorrentState.DISK_FULL)
        full = leecher.torrent.snapshot()
        assert full.message == "no room left on the disk; waiting for room on the disk"
        await asyncio.sleep(60)
        waited = leecher.torrent.snapshot()
        assert waited.state is TorrentState.DISK_FULL
        assert waited.pieces_had == full.pieces_had
        # What was asked for before still arrives, and no more.
        assert waited.session_downloaded - full.session_downloaded < 1_500_000
        knobs.full = False
        async with asyncio.timeout(20):
            await state_of(leecher, TorrentState.DOWNLOADING)
        assert leecher.torrent.snapshot().message is None
        await world.completed([leecher], 60)
        assert world.holds(leecher)
        done = leecher.torrent.snapshot()
        assert done.state is TorrentState.SEEDING
        assert done.session_downloaded == done.total_size + done.wasted
        assert done.wasted == done.corrupt == 0

    play(scenario, size=8 << 20)


def test_a_torrent_stops_at_once_while_the_disk_is_full(play):
    async def scenario(world):
        _, leecher = await pair(world, knobs=DiskKnobs(full=True))
        async with asyncio.timeout(10):
            await state_of(leecher, TorrentState.DISK_FULL)
        async with asyncio.timeout(1):
            await leecher.torrent.stop()
        assert leecher.torrent.snapshot().state is TorrentState.STOPPED

    play(scenario, size=2 << 20)


def refuse_the_record(peer):
    """Let a peer's checkpoints find no room while the event that is returned is not set."""
    room = asyncio.Event()
    checkpoint = peer.torrent.store.checkpoint

    async def full(totals):
        if not room.is_set():
            raise DiskFullError("no room left for the record")
        await checkpoint(totals)

    peer.torrent.store.checkpoint = full
    return room


def test_no_room_for_the_record_holds_completion_up_and_ends_nothing(play):
    async def scenario(world):
        _, leecher = await pair(world)
        room = refuse_the_record(leecher)
        async with asyncio.timeout(30):
            await state_of(leecher, TorrentState.DISK_FULL)
        await asyncio.sleep(60)
        waiting = leecher.torrent.snapshot()
        assert waiting.state is TorrentState.DISK_FULL
        assert waiting.message == "no room left for the record; waiting for room on the disk"
        assert world.holds(leecher)
        room.set()
        await world.completed([leecher], 10)
        await asyncio.sleep(1)
        done = leecher.torrent.snapshot()
        assert (done.state, done.message) == (TorrentState.SEEDING, None)

    play(scenario)


def test_a_seed_goes_on_while_there_is_no_room_for_its_record(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, options=TorrentOptions(seed_time=300.0))
        room = refuse_the_record(seed)
        first = await world.add_peer("first", options=TorrentOptions(peers=(seed.address,)))
        await world.completed([first], 60)
        async with asyncio.timeout(60):
            await state_of(seed, TorrentState.DISK_FULL)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await world.completed([leecher], 60)
        assert seed.torrent.snapshot().state is TorrentState.DISK_FULL
        room.set()
        async with asyncio.timeout(10):
            await state_of(seed, TorrentState.SEEDING)
        async with asyncio.timeout(300):
            await seed.torrent.stopped()
        assert seed.torrent.snapshot().message == "seeded for 5 min"

    play(scenario)


def test_a_torrent_stops_while_its_completion_waits_for_room(play):
    async def scenario(world):
        _, leecher = await pair(world)
        refuse_the_record(leecher)
        async with asyncio.timeout(30):
            await state_of(leecher, TorrentState.DISK_FULL)
        async with asyncio.timeout(1):
            await leecher.torrent.stop()
        assert leecher.torrent.snapshot().state is TorrentState.STOPPED
        with pytest.raises(StarlingError, match="stopped before it completed"):
            await leecher.torrent.completed()

    play(scenario)


def test_a_failing_write_ends_the_torrent_with_one_line(play):
    async def scenario(world):
        seed, leecher = await pair(world, knobs=DiskKnobs(failing_store=6))
        with pytest.raises(StorageError, match=r"^cannot write piece \d+: input/output error$"):
            await leecher.torrent.completed()
        async with asyncio.timeout(10):
            await leecher.torrent.stopped()
        snapshot = leecher.torrent.snapshot()
        assert snapshot.state is TorrentState.ERROR
        assert snapshot.message == str(leecher.torrent.failure)
        assert snapshot.pieces_had == 5
        assert snapshot.peers == ()
        await asyncio.sleep(1)
        assert seed.torrent.snapshot().peers == ()
        assert seed.torrent.snapshot().state is TorrentState.SEEDING

    play(scenario)


def test_a_read_error_while_seeding_is_an_error_of_the_torrent(play):
    async def scenario(world):
        seed, leecher = await pair(world, seed_knobs=DiskKnobs(failing_read=3))
        async with asyncio.timeout(30):
            await seed.torrent.stopped()
        snapshot = seed.torrent.snapshot()
        assert snapshot.state is TorrentState.ERROR
        assert snapshot.message is not None
        assert snapshot.message.startswith("cannot read piece ")
        await asyncio.sleep(1)
        assert leecher.torrent.snapshot().state is TorrentState.DOWNLOADING
        assert leecher.torrent.snapshot().peers == ()

    play(scenario)


def test_a_slow_disk_slows_the_network_and_loses_nothing(play):
    """The disk takes 4 pieces a second of 1 MiB; the network would bring a hundred."""

    async def scenario(world):
        knobs = DiskKnobs(store_time=4.0)
        seed, leecher = await pair(world, knobs=knobs, limit=None)
        most = 0
        while leecher.torrent.snapshot().pieces_had < world.metainfo.piece_count:
            await asyncio.sleep(0.5)
            most = max(most, leecher.torrent.exchange.storing.backlog)
        await world.completed([leecher], 60)
        assert world.holds(leecher)
        # The bound, and what was under way when it was reached.
        assert most <= (32 << 20) + (8 << 20)
        assert seed.torrent.snapshot().session_uploaded < 1.05 * world.metainfo.total_size

    play(scenario, size=64 << 20, piece_length=1 << 20)


def test_a_slow_read_delays_uploads_and_no_more(play):
    async def scenario(world):
        _, leecher = await pair(world, seed_knobs=DiskKnobs(read_time=0.2), limit=None)
        await world.completed([leecher], 60)
        assert world.holds(leecher)

    play(scenario, size=4 << 20)
