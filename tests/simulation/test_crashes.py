"""The power fails in mid-download: what was not synced is lost, is never said to be there, and comes again."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from invariants import Invariants, verified

from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.sim_disk import DiskKnobs, SimDisk

SYNC_INTERVAL = 5.0


async def lose_power(world, peer, state, copy):
    """Take the host from the net, and leave behind what a machine finds at its next start: the disk, and in `copy` what
    was in the folder `state`."""
    others = [other.host for other in world.peers if other is not peer]
    world.internet.partition([peer.host], others)
    peer.disk.crash()
    disk = SimDisk(world.metainfo.layout, dict(peer.disk.content), DiskKnobs(), world.reference)
    if state.exists():
        shutil.copytree(state, copy)
    await peer.leave()  # nobody hears of it, and neither disk nor folder is the one that is found
    world.peers.remove(peer)
    world.internet.heal()
    return disk


@pytest.mark.parametrize("recorded", [True, False], ids=["with a record", "without a record"])
@pytest.mark.parametrize("moment", [4.9, 12.3])
def test_what_a_crash_took_is_never_said_to_be_there_and_comes_again(play, tmp_path, moment, recorded):
    """Once before the first sync, once with some on record and some not."""

    async def scenario(world):
        state, copy = tmp_path / "state", tmp_path / "found"
        settings = Settings(checkpoint_interval=SYNC_INTERVAL, state_dir=state if recorded else None)
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=150_000))
        known = (seed.address,)
        other = await world.add_peer("other", options=TorrentOptions(peers=known))
        before = await world.add_peer(
            "before", settings=settings, options=TorrentOptions(peers=(*known, other.address))
        )
        await asyncio.sleep(moment)
        had = verified(world, before)
        assert had == before.torrent.exchange.picker.have.mask()
        disk = await lose_power(world, before, state, copy)
        await asyncio.sleep(2.0)
        invariants = Invariants(world)
        watching = asyncio.create_task(invariants.watch(0.05))
        after = await world.add_peer(
            "after",
            host=before.host,
            disk=disk,
            settings=Settings(checkpoint_interval=SYNC_INTERVAL, state_dir=copy if recorded else None),
            options=TorrentOptions(peers=(*known, other.address)),
        )
        kept = verified(world, after)
        assert not kept & ~had
        assert kept != had, "nothing was lost"
        assert bool(kept) == (moment > SYNC_INTERVAL)
        while after.torrent.exchange is None or not after.torrent.exchange.peers:
            await asyncio.sleep(0.01)
        assert not kept & ~after.torrent.exchange.picker.have.mask(), "what was synced is downloaded again"
        await world.completed([after, other], 120)
        watching.cancel()
        assert isinstance((await asyncio.gather(watching, return_exceptions=True))[0], asyncio.CancelledError)
        assert invariants.looks > 20
        assert world.holds(after)
        assert world.holds(other)
        seen = after.torrent.snapshot()
        missing = world.metainfo.piece_count - kept.bit_count()
        assert seen.session_downloaded - seen.wasted == missing * world.metainfo.layout.piece_length

    play(scenario, size=2 << 20, piece_length=32 << 10)
