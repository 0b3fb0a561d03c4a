"""Leechers that misbehave, in swarms of production sessions."""

from __future__ import annotations

import pytest

from p2p.errors import ConfigError
from p2p.session.settings import Settings
from p2p.simulation.plan import BehaviourMix, RateMix, RoundTrips, SwarmPlan
from p2p.simulation.report import report_on
from p2p.simulation.swarm import run_swarm
from p2p.simulation.virtual_loop import run


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


def test_a_policy_that_there_is_not_is_refused(play):
    async def scenario(world):
        with pytest.raises(ConfigError, match="'best' is no choking policy: legout, cohen"):
            await world.add_peer("peer", settings=Settings(choking="best"))

    play(scenario)
