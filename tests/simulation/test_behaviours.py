"""Leechers that misbehave, in swarms of production sessions."""

from __future__ import annotations

import asyncio

import pytest

from p2p.errors import ConfigError
from p2p.session.settings import Settings, TorrentOptions
from p2p.simulation.behaviours import BEHAVIOURS
from p2p.simulation.intruders import Intruder, crowd
from p2p.simulation.plan import BehaviourMix, RateMix, RoundTrips, SwarmPlan
from p2p.simulation.report import report_on
from p2p.simulation.sim_disk import DiskKnobs
from p2p.simulation.swarm import run_swarm
from p2p.simulation.virtual_loop import run
from p2p.swarm.choker import ROUND_INTERVAL, TURN_SHORT


def test_free_riders_send_nothing_and_are_reported_apart(seed):
    plan = SwarmPlan(
        seed,
        10,
        size=2 << 20,
        piece_length=64 << 10,
        up=RateMix.of(256 << 10),
        rtt=RoundTrips(0.02, 0.08),
        behaviours=BehaviourMix.parse("30%:free-rider"),
    )
    report = report_on(run(run_swarm(plan)))
    riders, givers = sorted(report.classes, key=lambda found: found.peers)
    assert (riders.peers, givers.peers) == (3, 7)
    assert "free-rider" in riders.name
    assert riders.sent == 0
    assert givers.sent > 0
    assert report.correct
    # Seven uplinks and the seed's carry ten copies.
    assert report.bound == pytest.approx(10 * 2 / (1 + 7 / 4))


@pytest.mark.parametrize("way", [way for way in BEHAVIOURS if way != "free-rider"])
def test_who_behaves_is_done_whoever_misbehaves(seed, way):
    """Three of ten misbehave. The others get all of it, right, in a time that their links and the seed's explain."""
    plan = SwarmPlan(
        seed,
        10,
        size=2 << 20,
        piece_length=64 << 10,
        up=RateMix.of(256 << 10),
        rtt=RoundTrips(0.02, 0.08),
        behaviours=BehaviourMix.parse(f"30%:{way}"),
        give_up_after=600,
    )
    result = run(run_swarm(plan))
    report = report_on(result)
    honest = next(found for found in report.classes if way not in found.name)
    assert honest.completion.done == honest.peers == 7
    assert report.correct
    # Sixty identities that ask for nothing have half a minute on one of five slots each: a leecher may wait for all.
    crowd_turns = 60 / 5 * (TURN_SHORT + ROUND_INTERVAL) if way == "sybils" else 0.0
    assert honest.completion.last < 3 * report.bound + crowd_turns
    bad = [found for found in report.classes if way in found.name]
    snapshots = [
        result.snapshots[seat.member.name] for seat in result.attendances if seat.member.kind.behaviour is None
    ]
    corrupt = sum(snapshot.corrupt for snapshot in snapshots)
    match way:
        case "liar":
            # Each honest peer takes a few bad pieces of each liar before it is known for one.
            assert 0 < corrupt < 7 * 3 * 6 * plan.piece_length
        case "snubber":
            assert bad[0].sent == 0
        case "trickler":
            assert bad[0].sent < 3 * 512 * (report.ended_at + 60)
        case "leaver":
            assert bad[0].completion.done == 3
        case "flooder" | "sybils":
            assert (bad, report.leechers) == ([], 7)
    if way != "liar":
        assert corrupt == 0


def test_a_crowd_on_one_host_cannot_keep_a_leecher_from_its_turn(play):
    """Two dozen identities wait at a seed before the leecher comes. Each that asks for nothing has a slot for half a
    minute, and until the next round: with five slots the leecher's turn comes within five such times."""

    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=200_000))
        host = world.add_host()
        intruder = await world.stack.enter_async_context(Intruder(world, host, crowd, lines=24))
        await asyncio.sleep(5)
        leecher = await world.add_peer("leecher", options=TorrentOptions(peers=(seed.address,)))
        await world.completed([leecher], 300)
        assert intruder.connections >= 24
        return leecher.done_at

    assert play(scenario) < 5 * (TURN_SHORT + ROUND_INTERVAL) + 10


def test_who_lies_is_banned_and_nobody_else_is(play):
    async def scenario(world):
        seed = await world.add_peer("seed", seeding=True, host=world.add_host(up=100_000))
        liar = await world.add_peer("liar", seeding=True, knobs=DiskKnobs(lying=True))
        leechers = []
        for index in range(5):
            known = (seed.address, liar.address, *(peer.address for peer in leechers))
            host = world.add_host(up=200_000)
            leechers.append(await world.add_peer(f"leecher-{index}", host=host, options=TorrentOptions(peers=known)))
        await world.completed(leechers, 300)
        for peer in leechers:
            assert world.holds(peer)
            assert {ban.host for ban in peer.torrent.peer_list.bans} <= {liar.address.host}
        assert any(peer.torrent.peer_list.is_banned(liar.address.host) for peer in leechers)

    play(scenario)


def test_a_policy_that_there_is_not_is_refused(play):
    async def scenario(world):
        with pytest.raises(ConfigError, match="'best' is no choking policy: legout, cohen"):
            await world.add_peer("peer", settings=Settings(choking="best"))

    play(scenario)
