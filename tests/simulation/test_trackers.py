"""Trackers as a swarm lives with them: late, dead, and told of each event exactly once."""

from __future__ import annotations

import asyncio

import pytest

from p2p.codec.announce import AnnounceEvent
from p2p.session.settings import TorrentOptions
from p2p.session.snapshot import TorrentState
from p2p.simulation.sim_disk import DiskKnobs
from p2p.swarm.announce import TrackerState

KINDS = ("http", "udp")


async def watched_tracker(world):
    """A tracker, and the list of (host, event) of all that it is told."""
    heard = []

    def tell(word, *, source, said, **facts):
        heard.append((source, AnnounceEvent(said)))

    await world.start_tracker(tell=tell)
    return heard


def events_of(heard, peer):
    return [event for host, event in heard if host == peer.host.addresses[0] and event is not AnnounceEvent.NONE]


@pytest.mark.parametrize("kind", KINDS)
def test_each_event_is_told_once(play, kind):
    async def scenario(world):
        heard = await watched_tracker(world)
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher")
        await world.completed([leecher], 300)
        await asyncio.sleep(600)
        await leecher.leave()
        await seed.leave()
        await asyncio.sleep(5)
        assert events_of(heard, seed) == [AnnounceEvent.STARTED, AnnounceEvent.STOPPED]
        assert events_of(heard, leecher) == [AnnounceEvent.STARTED, AnnounceEvent.COMPLETED, AnnounceEvent.STOPPED]
        assert world.tracker.totals().peers == 0

    play(scenario, announce=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_while_the_last_sync_takes_its_time_comes_after_completion(play, kind):
    async def scenario(world):
        heard = await watched_tracker(world)
        await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", knobs=DiskKnobs(sync_time=1.0))
        while leecher.torrent.snapshot().pieces_had < world.metainfo.piece_count:
            await asyncio.sleep(0.05)
        assert leecher.torrent.snapshot().state is TorrentState.DOWNLOADING
        await leecher.torrent.stop()
        await leecher.torrent.completed()
        await asyncio.sleep(5)
        assert events_of(heard, leecher) == [AnnounceEvent.STARTED, AnnounceEvent.COMPLETED, AnnounceEvent.STOPPED]

    play(scenario, announce=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_download_that_stops_at_once_is_told_as_one(play, kind):
    async def scenario(world):
        heard = await watched_tracker(world)
        await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher")
        await world.completed([leecher], 300)
        await leecher.leave()
        await asyncio.sleep(5)
        assert events_of(heard, leecher) == [AnnounceEvent.STARTED, AnnounceEvent.COMPLETED, AnnounceEvent.STOPPED]

    play(scenario, announce=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_torrent_is_never_told_as_completed(play, kind):
    async def scenario(world):
        heard = await watched_tracker(world)
        await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher", options=TorrentOptions(select=("b",)))
        await world.completed([leecher], 300)
        assert leecher.torrent.snapshot().state is TorrentState.SEEDING
        await asyncio.sleep(60)
        await leecher.leave()
        await asyncio.sleep(5)
        assert events_of(heard, leecher)[0] is AnnounceEvent.STARTED
        assert events_of(heard, leecher)[-1] is AnnounceEvent.STOPPED
        assert AnnounceEvent.COMPLETED not in events_of(heard, leecher)

    play(scenario, files=[(("a",), 500_000), (("b",), 500_000)], announce=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracker_that_comes_late_is_found(play, kind):
    async def scenario(world):
        await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher")
        await asyncio.sleep(100)
        (tracker,) = leecher.torrent.snapshot().trackers
        assert tracker.error or tracker.state is TrackerState.ANNOUNCING  # UDP asks for minutes before it gives up
        assert leecher.torrent.snapshot().pieces_had == 0
        heard = await watched_tracker(world)
        await world.completed([leecher], 1_200)
        assert events_of(heard, leecher)[0] is AnnounceEvent.STARTED

    play(scenario, announce=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_tracker_does_not_hold_up_the_stop(play, kind):
    async def scenario(world):
        await watched_tracker(world)
        seed = await world.add_peer("seed", seeding=True)
        leecher = await world.add_peer("leecher")
        await world.completed([leecher], 300)
        world.internet.partition([world.tracker_host], [seed.host, leecher.host])
        began = asyncio.get_running_loop().time()
        await leecher.leave()
        assert asyncio.get_running_loop().time() - began < 8
        assert leecher.torrent.snapshot().state is TorrentState.STOPPED

    play(scenario, announce=kind)


def test_peers_that_know_each_other_go_on_without_a_tracker(play):
    async def scenario(world):
        tracker_is_up = await watched_tracker(world)
        host = world.add_host(up=100_000)
        await world.add_peer("seed", seeding=True, host=host)
        leechers = [await world.add_peer(f"leecher-{index}") for index in range(3)]
        await asyncio.sleep(5)
        assert tracker_is_up
        world.internet.partition([world.tracker_host], [peer.host for peer in world.peers])
        await world.completed(leechers, 300)
        assert all(world.holds(peer) for peer in leechers)

    play(scenario, announce="udp", size=3 << 20)
