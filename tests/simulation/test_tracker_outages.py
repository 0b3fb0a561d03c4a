"""A tracker goes down in mid-swarm and comes back, remembering nothing: nobody is lost, and all are told of again."""

from __future__ import annotations

import asyncio

import pytest

from p2p.codec.announce import AnnounceEvent
from p2p.swarm.announce import TrackerState
from tracker.logic import Rules

INTERVAL = 60.0
OUTAGE = 300.0
LONGEST_REST = 640.0 * 1.25
"""Seconds that a tracker is left alone after five failures in a row, which is what fits in the outage."""


async def start(world, heard):
    """A tracker that wants to hear of everybody each minute, which it seldom does outside of tests."""

    def tell(word, *, source, said, **facts):
        heard.append((source, AnnounceEvent(said)))

    return await world.start_tracker(tell=tell, rules=Rules(interval=INTERVAL))


def connections(peers):
    return {(peer.name, line.address) for peer in peers for line in peer.torrent.exchange.peers.values()}


@pytest.mark.parametrize("kind", ["http", "udp"])
def test_a_tracker_that_was_down_for_a_while_costs_the_swarm_nobody(play, kind):
    async def scenario(world):
        before, after = [], []
        tracker = await start(world, before)
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=3_000))
        leechers = [await world.add_peer(f"leecher-{index}") for index in range(4)]
        await asyncio.sleep(100)
        everybody = [seed, *leechers]
        met = connections(everybody)
        assert len(met) == 5 * 4
        await tracker.close()
        await asyncio.sleep(OUTAGE)
        assert connections(everybody) == met
        for peer in everybody:
            (seen,) = peer.torrent.snapshot().trackers
            assert seen.error or seen.state is TrackerState.ANNOUNCING, peer.name
        # Who comes now finds nobody by it; whom it knows otherwise tells of the rest.
        stranger = await world.add_peer("stranger")
        await asyncio.sleep(10)
        assert stranger.torrent.snapshot().peers == ()

        tracker = await start(world, after)
        async with asyncio.timeout(LONGEST_REST):
            while tracker.totals().peers < len(everybody) + 1:
                await asyncio.sleep(1)
        assert met <= connections(everybody)
        await world.completed([*leechers, stranger], 3_600)
        assert all(world.holds(peer) for peer in (*leechers, stranger))
        await asyncio.sleep(2 * INTERVAL)
        for peer in (*leechers, stranger):
            told = [event for host, event in (*before, *after) if host == peer.host.addresses[0]]
            (seen,) = peer.torrent.snapshot().trackers
            assert not seen.error
            assert told[0] is AnnounceEvent.STARTED
            assert told.count(AnnounceEvent.STARTED) == told.count(AnnounceEvent.COMPLETED) == 1, peer.name
        assert tracker.totals().seeders == 6

    play(scenario, announce=kind, size=3 << 20, until=10_000)
