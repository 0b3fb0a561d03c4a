"""A search by itself: whom it asks, what stalls, when it ends, to whom it announces."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from p2p.dht.contact import Contact
from p2p.dht.lookup import LAST_WIDTH, MAX_CANDIDATES, MAX_PEERS, MAX_QUERIES, WIDTH, Lookup
from p2p.dht.node_id import id_for
from p2p.dht.routing_table import K
from p2p.ids import Address

TARGET = bytes(20)


def contact(number, host="10.0.0.1"):
    return Contact(number.to_bytes(20, "big"), Address(host, 1 + number % 65_000))


def ask_all(lookup):
    """Ask as many as the search wants now."""
    asked = []
    while (step := lookup.next_step()).ask is not None:
        lookup.on_asked(step.ask)
        asked.append(step.ask)
    return asked


def answer(lookup, who, told=(), peers=(), token=b"t"):
    return lookup.on_answer(who, token, list(told), peers)


def test_the_nearest_are_asked_first_and_only_so_many_at_once():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(20, 0, -1)], depth=0)
    assert [each.long_id for each in ask_all(lookup)] == list(range(1, WIDTH + 1))
    answer(lookup, contact(2), [contact(0x80)])
    # Nothing nearer came: the rest of the k nearest are asked together.
    assert [each.long_id for each in ask_all(lookup)] == list(range(WIDTH + 1, K + 1))
    assert len(ask_all(lookup)) + K - 1 <= LAST_WIDTH
    assert not lookup.next_step().done


def test_each_answer_starts_the_next_query_at_once():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number << 100) for number in range(1, 9)], depth=0)
    first = ask_all(lookup)
    answer(lookup, first[3], [contact(5)])  # nearer than all before, while three are still under way
    assert [each.long_id for each in ask_all(lookup)] == [5]


def test_it_ends_when_the_nearest_have_answered_whatever_the_rest_does():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(1, 30)], depth=0)
    under_way = ask_all(lookup)
    answered = []
    while not lookup.next_step().done:
        who = under_way.pop(0)
        answer(lookup, who)
        answered.append(who.long_id)
        under_way += ask_all(lookup)
    assert answered == list(range(1, K + 1))
    assert [each.long_id for each in lookup.nearest()] == answered


def test_a_stalled_query_stops_counting_and_its_answer_still_counts():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(1, 30)], depth=0)
    slow, *rest = ask_all(lookup)
    lookup.on_stalled(slow)
    assert [each.long_id for each in ask_all(lookup)] == [WIDTH + 1]
    for number in range(2, K + 2):
        answer(lookup, contact(number))
        ask_all(lookup)
    assert lookup.next_step().done
    answer(lookup, slow, peers=[Address("20.0.0.1", 1)])
    assert lookup.nearest()[0] is slow
    assert lookup.peers
    assert rest


def test_while_there_is_nobody_else_a_stalled_query_is_waited_for():
    lookup = Lookup(TARGET)
    lookup.offer([contact(1)], depth=0)
    (only,) = ask_all(lookup)
    lookup.on_stalled(only)
    assert not lookup.next_step().done
    lookup.on_given_up(only)
    assert lookup.next_step().done
    answer(lookup, only, [contact(7)])
    assert [each.long_id for each in ask_all(lookup)] == [7]


def test_seeds_are_waited_for():
    lookup = Lookup(TARGET)
    lookup.seeds_waiting = 1
    assert not lookup.is_empty
    assert not lookup.next_step().done
    lookup.seeds_waiting = 0
    assert lookup.is_empty
    assert lookup.next_step().done


def test_who_fails_is_not_asked_again_and_leaves_no_hole():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(1, K + 2)], depth=0)
    first, *_ = ask_all(lookup)
    lookup.on_failed(first)
    lookup.offer([contact(first.long_id)], depth=1)
    assert [each.long_id for each in ask_all(lookup)] == [WIDTH + 1]
    for number in range(2, K + 2):
        answer(lookup, contact(number))
        ask_all(lookup)
    assert lookup.next_step().done


def test_peers_are_told_once():
    lookup = Lookup(TARGET)
    lookup.offer([contact(1), contact(2)], depth=0)
    ask_all(lookup)
    one, other = Address("20.0.0.1", 1), Address("20.0.0.2", 2)
    assert answer(lookup, contact(1), peers=[one, one]) == [one]
    assert answer(lookup, contact(2), peers=[one, other]) == [other]
    assert lookup.hops == 1


def test_hops_are_steps_to_whoever_knows_peers():
    lookup = Lookup(TARGET)
    lookup.offer([contact(900)], depth=0)
    ask_all(lookup)
    answer(lookup, contact(900), [contact(90)])
    ask_all(lookup)
    assert lookup.hops == 1
    answer(lookup, contact(90), [contact(9)])
    ask_all(lookup)
    answer(lookup, contact(9), peers=[Address("20.0.0.1", 1)])
    assert lookup.hops == 3


def test_one_public_host_is_one_candidate_however_often_it_is_told():
    rng = random.Random(1)
    lookup = Lookup(TARGET)
    lookup.offer([Contact(id_for("20.0.0.1", rng), Address("20.0.0.1", port)) for port in range(1, 50)], depth=0)
    assert len(ask_all(lookup)) == 1


def test_ids_that_are_not_for_their_addresses_are_asked_but_never_counted():
    rng = random.Random(2)
    lookup = Lookup(TARGET)
    strangers = [Contact((1 + number).to_bytes(20, "big"), Address(f"20.{number}.0.1", 1)) for number in range(50)]
    honest = [Contact(id_for(f"30.{number}.0.1", rng), Address(f"30.{number}.0.1", 1)) for number in range(2 * K)]
    lookup.offer(strangers + honest, depth=0)
    asked = []
    under_way = ask_all(lookup)
    while under_way and not lookup.next_step().done:
        who = under_way.pop(0)
        asked.append(who)
        answer(lookup, who)
        under_way += ask_all(lookup)
    assert sum(not each.compliant for each in asked) == K
    nearest = sorted(honest, key=lambda each: each.long_id)[:K]
    assert [each for each in asked if each.compliant][:K] == nearest
    keepers = [each for each, _ in lookup.keepers()]
    assert set(nearest) <= set(keepers)
    assert len(keepers) <= 2 * K


def test_announces_go_to_the_nearest_that_gave_a_token():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(1, 12)], depth=0)
    while under_way := ask_all(lookup):
        for each in under_way:
            answer(lookup, each, token=None if each.long_id == 2 else bytes([each.long_id]))
    assert [(each.long_id, token) for each, token in lookup.keepers()] == [
        (number, bytes([number])) for number in (1, 3, 4, 5, 6, 7, 8)
    ]


def test_who_always_knows_somebody_nearer_cannot_hold_a_search():
    lookup = Lookup(TARGET)
    number = 1 << 159
    lookup.offer([contact(number)], depth=0)
    while under_way := ask_all(lookup):
        for each in under_way:
            number -= 1 << 140
            answer(lookup, each, [contact(number - lower) for lower in range(16)])
    assert lookup.asked == MAX_QUERIES
    assert lookup.next_step().done


def test_candidates_and_peers_are_bounded():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(1, 3_000)], depth=0)
    assert len(list(lookup._shortlist.sorted())) == MAX_CANDIDATES
    ask_all(lookup)
    found = answer(lookup, contact(1), peers=[Address("20.0.0.1", port) for port in range(1, 10_000)])
    assert len(found) == MAX_PEERS
    assert answer(lookup, contact(2), peers=[Address("20.0.0.2", 1)]) == []


def test_a_contact_met_elsewhere_is_wanted_if_it_is_new_and_near():
    lookup = Lookup(TARGET)
    lookup.offer([contact(number) for number in range(10, 10 + K)], depth=0)
    assert lookup.wants(contact(1))
    assert not lookup.wants(contact(10))
    assert not lookup.wants(contact(1_000))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0, 0.6))
def test_any_search_ends_with_the_nearest_that_answer(seed, size, dead_share):
    """Nodes know random others; some are dead, some stall and answer late; everything ends, in any order."""
    rng = random.Random(seed)
    nodes = [contact(rng.getrandbits(159) + 1, "10.0.0.1") for _ in range(size)]
    dead = {each.id for each in nodes if rng.random() < dead_share}
    lookup = Lookup(TARGET)
    lookup.offer(rng.sample(nodes, min(size, 8)), depth=0)
    under_way, stalled = ask_all(lookup), []
    for _ in range(2_000):
        if lookup.next_step().done:
            break
        if under_way and (not stalled or rng.random() < 0.8):
            who = under_way.pop(rng.randrange(len(under_way)))
            if who.id in dead or rng.random() < 0.1:
                lookup.on_stalled(who)
                stalled.append(who)
            else:
                answer(lookup, who, nodes)
        else:
            who = stalled.pop(rng.randrange(len(stalled)))
            if who.id in dead:
                lookup.on_given_up(who)
                if rng.random() < 0.5:
                    lookup.on_failed(who)
            else:
                answer(lookup, who, nodes)
        under_way += ask_all(lookup)
    assert lookup.next_step().done
    found = [each.id for each in lookup.nearest()]
    assert not set(found) & dead
    assert len(set(found)) == len(found)


def test_a_crowd_of_made_up_ids_does_not_displace_the_others():
    rng = random.Random(2)
    lookup = Lookup(TARGET)
    hosts = [f"20.{number}.0.1" for number in range(60)]
    honest = [Contact(id_for(host, rng), Address(host, 1)) for host in hosts[:40]]
    lookup.offer(honest, depth=0)
    crowd = [Contact(bytes(10) + rng.randbytes(10), Address(f"66.{n // 200}.{n % 200}.1", 1)) for n in range(400)]
    lookup.offer(crowd, depth=1)
    for each in (each for wave in range(40) for each in ask_all(lookup) if wave is not None):
        answer(lookup, each)
    nearest = sorted(honest, key=lambda each: each.long_id)[:K]
    assert [each.id for each in nearest] == [each.id for each, _ in lookup.keepers() if each.compliant]
