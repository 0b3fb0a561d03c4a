"""What a simulated DHT is made of: plans, places, tables, NAT, and the arithmetic of its report."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from p2p.dht.contact import Contact, Standing
from p2p.dht.node_id import is_id_for
from p2p.dht.routing_table import WIDTHS, K, NodeTable
from p2p.simulation.dht_host import DhtHost
from p2p.simulation.dht_places import Addresses, Distances
from p2p.simulation.dht_plan import DhtPlan, Origin
from p2p.simulation.dht_plot import plot_dht, plot_sizes
from p2p.simulation.dht_report import DhtReport, Outcome, Spread
from p2p.simulation.dht_tables import Census
from p2p.simulation.errors import SimulationError


@pytest.mark.parametrize(
    "fields",
    [
        {"nodes": 1},
        {"torrents": 0},
        {"announcers": 11},
        {"loss": 1.1},
        {"dead_share": 0.95},
        {"nat_share": -0.1},
        {"lifetime": 1.0},
        {"lifetime": 600.0, "upkeep": False},
        {"origin": Origin.JOINED, "dead_share": 0.2},
        {"origin": Origin.JOINED, "upkeep": False},
        {"over": 0.5},
        {"rtt": 0.0},
    ],
    ids=str,
)
def test_a_plan_that_cannot_be_is_refused(fields):
    with pytest.raises(SimulationError):
        DhtPlan(seed=1, **{"nodes": 10, **fields})


def test_round_trips_lie_as_they_are_asked_for_and_are_the_same_both_ways():
    distances, rng = Distances(0.090, 0.6), random.Random(5)
    for _ in range(400):
        distances.settle(rng)
    pairs = [(rng.randrange(400), rng.randrange(400)) for _ in range(4_000)]
    trips = Spread.of([2 * distances.between(*pair) for pair in pairs])
    assert 0.080 < trips.median < 0.100
    assert 2.2 < trips.p95 / trips.median < 3.2
    assert all(distances.between(a, b) == distances.between(b, a) for a, b in pairs)


def test_without_spread_everybody_is_as_far():
    distances, rng = Distances(0.1, 0.0), random.Random(5)
    for _ in range(3):
        distances.settle(rng)
    assert distances.between(0, 1) == distances.between(1, 2) == 0.05


def test_addresses_are_public_and_nobody_elses_and_ids_are_for_them():
    addresses = Addresses(random.Random(3))
    made = [addresses.next_address() for _ in range(500)]
    assert len(set(made)) == 500
    assert all(is_id_for(addresses.id_at(address), address.host) for address in made)


def everybody(count, seed=1):
    addresses = Addresses(random.Random(seed))
    made = [addresses.next_address() for _ in range(count)]
    return [Contact(addresses.id_at(address), address) for address in made]


def test_a_built_table_is_one_that_the_real_table_takes_whole_and_that_fills_its_buckets():
    entries = everybody(3_000)
    owner = entries[17]
    census = Census(entries)
    chosen = census.contacts_of(owner.long_id, 1_000.0, random.Random(2), lambda _: 0.05)
    table = NodeTable(owner.id, 0.0)
    for contact in chosen:
        table.add_contact(contact)
    assert table.size == len(chosen)
    assert owner.id not in [contact.id for contact in chosen]
    in_range = Counter(160 - (entry.long_id ^ owner.long_id).bit_length() for entry in entries if entry is not owner)
    for bucket in table.buckets:
        if not bucket.has_in_range(table.node):
            depth = bucket.prefix_bits - 1
            width = WIDTHS[depth] if depth < len(WIDTHS) else K
            assert len(bucket) == min(width, in_range[depth])
    nearest = sorted((entry for entry in entries if entry is not owner), key=lambda each: each.long_id ^ owner.long_id)
    assert {each.id for each in nearest[:4]} <= {contact.id for contact in chosen}


def test_tables_share_who_a_contact_is_and_not_how_it_has_behaved():
    entries = everybody(50)
    census = Census(entries)
    one, other = (
        {each.id: each for each in census.contacts_of(entries[at].long_id, 1_000.0, random.Random(at), lambda _: 0.05)}
        for at in (0, 1)
    )
    shared = next(iter(one.keys() & other.keys()))
    assert one[shared].address is other[shared].address
    assert one[shared].compact is other[shared].compact
    one[shared].failures = 2
    assert one[shared].standing(1_000.0) is Standing.BAD
    assert other[shared].standing(1_000.0) is Standing.GOOD


def test_behind_nat_only_those_are_heard_who_were_sent_to_lately():
    addresses = Addresses(random.Random(1))
    address = addresses.next_address()
    host = DhtHost(1, address, addresses.id_at(address), natted=True)
    assert not host.lets_in(7, 10.0, 120.0)
    host.open_hole(7, 10.0, 120.0)
    assert host.lets_in(7, 130.0, 120.0)
    assert not host.lets_in(7, 130.1, 120.0)
    assert not host.lets_in(8, 20.0, 120.0)
    for number in range(2_000):
        host.open_hole(number, 1_000.0 + number, 120.0)
    assert len(host._holes) < 600
    assert host.lets_in(1_999, 3_000.0, 120.0)


def test_spreads():
    assert Spread.of([]) is None
    assert Spread.of([4.0]) == Spread(4.0, 4.0, 4.0, 4.0)
    assert Spread.of([float(each) for each in range(100, 0, -1)]) == Spread(50.5, 95.0, 100.0, 50.5)


def report(**fields):
    outcomes = (
        Outcome(30.0, 0.1, 0.5, 1, 12, 8),
        Outcome(31.0, 0.3, 0.7, 2, 20, 12),
        Outcome(40.0, None, 2.0, 4, 30, 9),
    )
    values = {
        "plan": DhtPlan(seed=1, nodes=100),
        "outcomes": outcomes,
        "searches": 3,
        "found": 2,
        "first_peers": Spread.of([0.1, 0.3]),
        "whole": Spread.of([0.5, 0.7, 2.0]),
        "hops": Spread.of([1, 2]),
        "queries": Spread.of([12, 20, 30]),
        "messages": Spread.of([20, 32, 39]),
        "announces": 10,
        "announced_to": 7.5,
        "contacts": 90.0,
        "unreachable": 0.25,
        "bytes_per_second": 120.0,
        "bytes_most": 300.0,
        "joined": 0,
        "departed": 0,
        "datagrams": 1_000,
        "events": 1_500,
        "made": 80,
        "virtual_time": 60.0,
        "digest": "00",
        "wall_time": 3.0,
    }
    return DhtReport(**{**values, **fields})


def test_a_report_counts_and_tells_all_of_it_in_json():
    made = report()
    assert made.success == pytest.approx(2 / 3)
    assert made.events_per_second == 500.0
    told = made.to_json()
    assert told["plan"]["nodes"] == 100
    assert told["plan"]["origin"] == "built"
    assert told["first_peers"] == {"median": 0.2, "p95": 0.3, "most": 0.3, "mean": 0.2}
    assert told["success"] == made.success
    assert "outcomes" not in told
    assert report(searches=0, found=0).success is None


def test_plots_show_what_was_found():
    drawn = plot_dht(report())
    assert "first peers" in drawn
    assert "100 nodes" in drawn
    assert drawn == plot_dht(report())
    assert plot_dht(report(outcomes=())).endswith("</svg>\n")
    sizes = plot_sizes([report(plan=DhtPlan(seed=1, nodes=nodes), memory=nodes) for nodes in (100, 1_000)])
    assert sizes.count("<circle") == 14
