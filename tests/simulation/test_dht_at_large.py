"""DHTs of hundreds of production nodes, driven without a loop: what is found at which cost, attackers, one history."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from p2p.dht.events import Joined
from p2p.simulation.dht_plan import DhtPlan, Origin, Refusal
from p2p.simulation.dht_scenario import DhtScenario
from p2p.simulation.dht_world import DhtWorld


def play(**fields):
    return DhtScenario(DhtPlan(**fields), time.perf_counter).run()


def test_three_hundred_nodes_find_what_is_announced(seed):
    """A fifth of all entries is dead and three nodes of ten are behind NAT."""
    report = play(
        seed=seed, nodes=300, dead_share=0.2, nat_share=0.3, torrents=30, searches=100, over=20.0, upkeep=False
    )
    assert report.searches == 100
    assert report.success >= 0.99
    assert report.first_peers.median < 0.2
    assert report.first_peers.p95 < 1.0
    assert report.queries.mean < 25
    assert report.announced_to > 7
    assert 0.35 < report.unreachable < 0.5


def test_a_network_that_has_joined_and_one_that_is_built_are_alike(seed):
    """Built tables are fuller than those of nodes that have only just joined; what a search costs is alike."""
    plan = {"seed": seed, "nodes": 60, "torrents": 20, "searches": 60, "over": 5.0}
    joined, built = play(origin=Origin.JOINED, **plan), play(**plan)
    assert joined.success == built.success == 1.0
    assert joined.made == built.made == 60
    assert joined.contacts == pytest.approx(built.contacts, rel=0.35)
    assert joined.queries.mean == pytest.approx(built.queries.mean, rel=0.25)
    assert joined.hops.mean == pytest.approx(built.hops.mean, rel=0.35)


def test_peers_stay_found_while_half_of_the_nodes_are_replaced(seed):
    report = play(seed=seed, nodes=40, lifetime=300.0, torrents=8, searches=40, over=300.0)
    assert report.departed == report.joined
    assert report.departed >= 20
    assert report.searches > 30
    assert report.success >= 0.98
    assert report.bytes_per_second < 1_024


@pytest.mark.parametrize("attack", list(Refusal), ids=lambda attack: attack.value)
def test_ids_made_up_beside_a_key_hide_nothing(seed, attack):
    """Sixteen attackers a key are nearer to it than anybody else; their ids are not for their addresses (BEP 42)."""
    report = play(seed=seed, nodes=150, torrents=10, searches=40, over=20.0, attackers=16, attack=attack, upkeep=False)
    assert report.success >= 0.97
    assert report.queries.mean > 12  # eight are asked where nobody attacks, and up to eight attackers
    assert report.first_peers.p95 < 1.0


def test_a_world_at_rest_makes_those_alone_that_somebody_reaches(seed):
    report = play(seed=seed, nodes=2_000, torrents=2, searches=2, over=5.0, upkeep=False)
    assert report.found == 2
    assert 10 < report.made < 400


def test_datagrams_go_by_nat_and_by_life(seed):
    told = []
    world = DhtWorld(DhtPlan(seed=seed, nodes=3, loss=0.0), lambda host, event: told.append((host.number, event)))
    one, other, hidden = world.add_host(), world.add_host(), world.add_host(natted=True)
    for host in (one, other, hidden):
        world.make_node(host)

    def ping(host, target):
        told.clear()
        host.speaker.ping(target.address, world.now)
        world.pump(host)
        world.run(world.now + 10)
        heard = [event for number, event in told if number == host.number and not isinstance(event, Joined)]
        return [type(event).__name__ for event in heard]

    assert ping(one, other) == ["Pong"]
    assert ping(other, hidden) == ["PingFailed"]
    assert ping(hidden, one) == ["Pong"]
    assert ping(one, hidden) == ["Pong"]  # the way is open for a while
    world.remove(other)
    assert ping(one, other) == ["PingFailed"]


HISTORY = """
import sys, time
from p2p.simulation.dht_plan import DhtPlan
from p2p.simulation.dht_scenario import DhtScenario
plan = DhtPlan(seed=int(sys.argv[1]), nodes=40, nat_share=0.3, dead_share=0.2, lifetime=300.0, attackers=3, torrents=5,
               searches=10, over=20.0)
report = DhtScenario(plan, time.perf_counter).run()
print(report.digest, report.events, report.found, report.departed)
"""


def history(seed, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", HISTORY, str(seed)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_one_seed_is_one_history_under_any_hash_seed():
    first = history(1, 0)
    assert int(first.split()[1]) > 1_000
    assert history(1, 4_242) == first
    assert history(2, 0) != first
