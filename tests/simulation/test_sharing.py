"""Swarms that share: every byte right, one seed one history, few copies from the seed, and life after it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.swarm import SwarmPlan, run_swarm
from p2p.simulation.trace import TraceDigest
from p2p.simulation.virtual_loop import run

SMALL = """
import sys
from p2p.simulation.swarm import SwarmPlan, run_swarm
from p2p.simulation.trace import TraceDigest
from p2p.simulation.virtual_loop import run

digest = TraceDigest()
run(run_swarm(SwarmPlan(int(sys.argv[1]), 5, size=600_000, piece_length=32_768), trace=digest))
print(digest.hexdigest(), digest.events)
"""


def digest_of(plan):
    digest = TraceDigest()
    run(run_swarm(plan, trace=digest), until=3_600)
    return digest.hexdigest(), digest.events


@pytest.mark.parametrize(("tracker", "leechers"), [("http", 14), ("udp", 9)])
def test_a_swarm_shares_every_byte(seed, tracker, leechers):
    plan = SwarmPlan(seed, leechers, size=1_500_000, piece_length=32 << 10, tracker=tracker)
    result = run(run_swarm(plan), until=3_600)
    assert len(result.done_at) == leechers
    assert all(result.correct.values())
    for name, snapshot in result.snapshots.items():
        assert snapshot.progress == 1.0, name
        assert snapshot.corrupt == 0, name
        if name.startswith("leecher"):
            assert snapshot.session_downloaded - snapshot.wasted == plan.size, name
    # 1 MiB/s up each: a copy takes 1.5 s to leave the seed, and what all have together grows as they do.
    assert max(result.done_at.values()) < 60


def test_one_seed_is_one_history(seed):
    plan = SwarmPlan(seed, 9, size=600_000, piece_length=32_768)
    assert digest_of(plan) == digest_of(plan)
    assert digest_of(plan) != digest_of(SwarmPlan(seed + 1, 9, size=600_000, piece_length=32_768))


def test_one_seed_is_one_history_in_any_process(seed):
    def history(hash_seed):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", SMALL, str(seed)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert history("0") == history("4242")


def test_peers_finish_without_the_seed_once_they_have_every_piece_together(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=400_000))
        leechers = []
        for index in range(6):
            known = (seed.address, *(peer.address for peer in leechers))
            host = world.add_host(up=200_000)
            leechers.append(await world.add_peer(f"leecher-{index}", host=host, options=TorrentOptions(peers=known)))
        together = 0
        everything = (1 << world.metainfo.piece_count) - 1
        while together != everything:
            await asyncio.sleep(0.05)
            together = 0
            for peer in leechers:
                together |= peer.torrent.store.have.mask()
        assert not all(peer.torrent.store.have.complete for peer in leechers)
        world.internet.partition([seed.host], [peer.host for peer in leechers])
        await world.completed(leechers, 120)
        assert all(world.holds(peer) for peer in leechers)
        world.internet.heal()

    play(scenario, size=2 << 20)


@pytest.mark.parametrize("offset", range(3))
def test_a_slow_seed_sends_few_more_copies_than_one(play, seed, offset):
    """Eight leechers that know each other, over links like loopback: the seed's limit is what there is to share."""

    async def scenario(world):
        source = await world.add_peer(
            "seed", seeding=True, host=world.add_host(latency=0.0005), settings=Settings(limit_up=2 << 20)
        )
        leechers = []
        for index in range(8):
            known = (source.address, *(peer.address for peer in leechers))
            host = world.add_host(latency=0.0005)
            leechers.append(await world.add_peer(f"leecher-{index}", host=host, options=TorrentOptions(peers=known)))
        await world.completed(leechers, 600)
        sent = source.torrent.snapshot().session_uploaded
        print(f"copies={sent / world.metainfo.total_size:.2f} finished={max(peer.done_at for peer in leechers):.1f} s")
        return sent / world.metainfo.total_size

    assert play(scenario, size=16 << 20, seed=seed + offset) < 2
