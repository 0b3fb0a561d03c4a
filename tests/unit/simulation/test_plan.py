"""Plans: mixes, arrivals and shares as users write them, and what no swarm can be."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.simulation.errors import SimulationError
from p2p.simulation.plan import Arrivals, BehaviourMix, RateMix, RoundTrips, SwarmPlan, count_out


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("2MiB/s", ((1.0, 2 << 20),)),
        ("unlimited", ((1.0, None),)),
        ("10%:100MiB/s,90%:2MiB/s", ((0.1, 100 << 20), (0.9, 2 << 20))),
        ("12.5%:unlimited, 87.5%:64KiB/s", ((0.125, None), (0.875, 64 << 10))),
    ],
)
def test_a_mix_is_read_and_written(text, classes):
    mix = RateMix.parse(text)
    assert mix.classes == classes
    assert RateMix.parse(str(mix).replace(" ", "")) == mix


@pytest.mark.parametrize(
    "text", ["", "fast", "0", "10%:1MiB/s", "60%:1MiB/s,60%:2MiB/s", "10%", "x%:1MiB/s", "50%:1MiB/s;50%:2MiB/s"]
)
def test_what_is_no_mix_is_refused(text):
    with pytest.raises(SimulationError):
        RateMix.parse(text)


@pytest.mark.parametrize("text", ["", "soon", "over", "over:0", "poisson:-1", "poisson:nan", "over:x", "flash:1:2"])
def test_what_is_no_way_to_arrive_is_refused(text):
    with pytest.raises(SimulationError):
        Arrivals.parse(text)


@pytest.mark.parametrize("text", ["", "80-20", "x", "10-", "-5", "61000", "nan"])
def test_what_is_no_round_trip_is_refused(text):
    with pytest.raises(SimulationError):
        RoundTrips.parse(text)


def test_round_trips_are_read():
    assert RoundTrips.parse("20-80") == RoundTrips(0.02, 0.08)
    assert RoundTrips.parse("40ms") == RoundTrips(0.04, 0.04)


@pytest.mark.parametrize("text", ["free-rider", "30%:saint", "130%:free-rider", "60%:free-rider,60%:free-rider"])
def test_what_is_no_mix_of_behaviours_is_refused(text):
    with pytest.raises(SimulationError):
        BehaviourMix.parse(text)


def test_a_mix_of_behaviours_is_read_and_written():
    mix = BehaviourMix.parse("30%:free-rider")
    assert mix.classes == ((0.3, "free-rider"),)
    assert str(mix) == "30%:free-rider"
    assert mix.rest == pytest.approx(0.7)


def test_leechers_arrive_as_told():
    rng = random.Random(1)
    assert Arrivals.parse("flash").times(3, rng) == [0.0, 0.0, 0.0]
    assert Arrivals.parse("over:8").times(4, rng) == [0.0, 2.0, 4.0, 6.0]
    times = Arrivals.parse("poisson:5").times(2_000, rng)
    assert times == sorted(times)
    assert 360 < times[-1] < 440


@settings(max_examples=60)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(1, 300))
def test_shares_are_counted_out_exactly(weights, count):
    shares = [(weight / sum(weights), index) for index, weight in enumerate(weights)]
    items = count_out(shares, count)
    assert len(items) == count
    assert items == sorted(items)
    for share, index in shares:
        assert abs(items.count(index) - share * count) <= 1


@pytest.mark.parametrize(
    "wrong", [{"leechers": 0}, {"seeders": 0}, {"leechers": 10_000}, {"size": 0}, {"choker": "none"}]
)
def test_what_is_no_swarm_is_refused(wrong):
    with pytest.raises(SimulationError):
        SwarmPlan(**{"seed": 1, "leechers": 2, **wrong})
