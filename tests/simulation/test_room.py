"""Filesystems that fill up, and drain again: which torrents stand still, what they say, and when they go on."""

from __future__ import annotations

import asyncio
import dataclasses
import random

from p2p.disk.free_space import Room
from p2p.session.settings import Settings, TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.sim_disk import DiskKnobs

SIZE = 8 << 20


class Filesystem:
    """Room as the session sees it; a full one refuses writes too."""

    def __init__(self, knobs):
        self.free = 1 << 40
        self.knobs = knobs

    def room(self, folder):
        return Room(7, self.free)

    def fill(self, free=0):
        self.free, self.knobs.full = free, True

    def drain(self, free):
        self.free, self.knobs.full = free, False


async def leecher_on(world, filesystem):
    """A peer whose session believes `filesystem`, stopped, beside a seed that is not fast."""
    seed = await world.add_peer("seed", seeding=True, settings=Settings(limit_up=400_000))
    leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)), knobs=filesystem.knobs)
    services = leecher.session._open
    services.environment = dataclasses.replace(services.environment, room=filesystem.room)
    services.volumes._room = filesystem.room
    await leecher.torrent.stop()
    return leecher


async def state_of(peer, state, seconds=30):
    async with asyncio.timeout(seconds):
        while peer.torrent.snapshot().state is not state:
            await asyncio.sleep(0.1)


def test_nothing_is_asked_for_before_all_of_it_has_room(play):
    async def scenario(world):
        filesystem = Filesystem(DiskKnobs())
        leecher = await leecher_on(world, filesystem)
        filesystem.free = SIZE // 2
        before = leecher.torrent.snapshot().pieces_had
        leecher.torrent.start()
        await state_of(leecher, TorrentState.DISK_FULL)
        message = leecher.torrent.snapshot().message
        assert "more bytes are needed" in message
        assert f"and {SIZE // 2} are free; waiting for room on the disk" in message
        await asyncio.sleep(120)
        assert leecher.torrent.snapshot().pieces_had == before
        filesystem.free = SIZE
        await state_of(leecher, TorrentState.DOWNLOADING, 10)
        await world.completed([leecher], 120)
        assert world.holds(leecher)

    play(scenario, size=SIZE)


def test_a_full_filesystem_is_not_written_again_for_every_byte_that_comes_free(play):
    async def scenario(world):
        filesystem = Filesystem(DiskKnobs())
        leecher = await leecher_on(world, filesystem)
        leecher.torrent.start()
        await state_of(leecher, TorrentState.DOWNLOADING)
        await asyncio.sleep(3)
        filesystem.fill()
        await state_of(leecher, TorrentState.DISK_FULL)
        await asyncio.sleep(1)
        stores = filesystem.knobs.stores
        filesystem.drain(200_000)  # a little, which is less than what is still to come
        await asyncio.sleep(60)
        assert leecher.torrent.snapshot().state is TorrentState.DISK_FULL
        assert filesystem.knobs.stores == stores
        filesystem.drain(SIZE)
        await state_of(leecher, TorrentState.DOWNLOADING, 10)
        await world.completed([leecher], 120)
        assert world.holds(leecher)

    play(scenario, size=SIZE)


def test_others_on_the_filesystem_stand_still_too_and_seeds_go_on(play):
    async def scenario(world):
        filesystem = Filesystem(DiskKnobs())
        leecher = await leecher_on(world, filesystem)
        leecher.torrent.start()
        await state_of(leecher, TorrentState.DOWNLOADING)
        await asyncio.sleep(1)
        leecher.session._open.volumes.on_full(8)  # another filesystem
        await asyncio.sleep(3)
        assert leecher.torrent.snapshot().state is TorrentState.DOWNLOADING
        filesystem.free = 0
        leecher.session._open.volumes.on_full(7)  # as another torrent finds it
        await state_of(leecher, TorrentState.DISK_FULL, 3)
        assert "no room left on the filesystem of" in leecher.torrent.snapshot().message
        seed = world.peers[0]
        seed.session._open.volumes.on_full(0)
        await asyncio.sleep(5)
        assert seed.torrent.snapshot().state is TorrentState.SEEDING
        filesystem.free = 1 << 40
        await world.completed([leecher], 120)

    play(scenario, size=SIZE)


def test_what_one_torrent_will_need_is_not_promised_to_another(play):
    async def scenario(world):
        filesystem = Filesystem(DiskKnobs())
        leecher = await leecher_on(world, filesystem)
        left = random.Random(1).randrange(1, SIZE)
        volumes = leecher.session._open.volumes
        volumes.on_need(-1, 7, lambda: left)  # another torrent that has begun
        filesystem.free = SIZE + left - 1
        leecher.torrent.start()
        await state_of(leecher, TorrentState.DISK_FULL)
        assert f"and {left} for other torrents" in leecher.torrent.snapshot().message
        volumes.forget(-1)
        await state_of(leecher, TorrentState.DOWNLOADING, 10)
        await world.completed([leecher], 120)

    play(scenario, size=SIZE)
