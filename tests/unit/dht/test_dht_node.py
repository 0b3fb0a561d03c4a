"""A node among nodes: joining, announcing, finding, both families, and what it does by itself as time passes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from p2p.codec.compact import CompactNode
from p2p.dht import krpc
from p2p.dht.contact import FRESH_FOR, Standing
from p2p.dht.events import Announced, Joined, PeersFound, PingFailed, Pong, SearchDone
from p2p.dht.krpc import AnnouncePeer, GetPeers, Ping, Query, Response
from p2p.dht.node import DhtNode
from p2p.dht.routing_table import K
from p2p.dht.state import SavedTable
from p2p.dht.transactions import TIMEOUT
from p2p.dht.upkeep import LONGEST_PAUSE, REJOIN
from p2p.errors import DhtError
from p2p.ids import Address

HASH = bytes(range(20))


def table(node, *, ipv6=False):
    return node._families[ipv6].table


def test_two_nodes_join_and_find_what_the_other_announced(wire):
    one, other = wire.network(2)
    assert [event.answered for event in wire.heard(other, Joined)] == [1]
    number = other.announce(HASH, 7_000, wire.now)
    wire.run(1)
    assert wire.heard(other, Announced) == [Announced(number, 1, 1, ((table(one).node.id, wire.address(one), True),))]
    search = one.get_peers(HASH, wire.now)
    peers = (Address("20.1.0.1", 7_000),)
    assert wire.heard(one, PeersFound) == [PeersFound(search, peers, None)]  # it keeps them itself
    wire.run(1)
    found = other.get_peers(HASH, wire.now)
    wire.run(1)
    assert wire.heard(other, PeersFound) == [PeersFound(found, peers, wire.address(one))]
    assert {event.search for event in wire.heard(other, SearchDone)} == {number, found}
    assert [event.search for event in wire.heard(one, SearchDone)] == [search]


def test_peers_are_told_before_the_search_is_over(wire):
    nodes = wire.network(30)
    nodes[3].announce(HASH, 1_000, wire.now)
    wire.run(3)
    search = nodes[20].get_peers(HASH, wire.now)
    wire.run(3)
    order = [type(event) for event in wire.events[wire.address(nodes[20])] if getattr(event, "search", 0) == search]
    assert order == [PeersFound, SearchDone]
    done = wire.heard(nodes[20], SearchDone)[-1]
    distances = [int.from_bytes(node_id, "big") ^ int.from_bytes(HASH, "big") for node_id, _ in done.nearest]
    assert distances == sorted(distances)
    assert len(distances) == K
    everybody = sorted(
        int.from_bytes(node._families[False].own_id, "big") ^ int.from_bytes(HASH, "big")
        for node in nodes
        if node is not nodes[20]
    )
    assert distances == everybody[:K]


def test_the_port_is_the_one_named_or_the_one_seen(wire):
    nodes = wire.network(4)
    nodes[1].announce(HASH, 1_000, wire.now)
    nodes[2].announce(HASH, 1_000, wire.now, implied_port=True)
    wire.run(3)
    nodes[3].get_peers(HASH, wire.now)
    wire.run(3)
    found = {peer for event in wire.heard(nodes[3], PeersFound) for peer in event.peers}
    assert found == {Address("20.1.0.1", 1_000), Address("20.2.0.1", 6_881)}
    with pytest.raises(ValueError, match="port 0"):
        nodes[1].announce(HASH, 0, wire.now)


def test_both_families_are_searched_and_kept_apart(wire):
    nodes = [wire.node(f"20.{number}.0.1", ipv6_host=f"2001:{number:x}::1") for number in range(6)]
    for number, node in enumerate(nodes[1:], 1):
        seeds = [wire.address(nodes[0]), wire.address(nodes[0], ipv6=True)]
        node.bootstrap(seeds[: 1 + (number > 1)], wire.now)
        wire.run(1)
    wire.run(5)
    nodes[1].announce(HASH, 1_000, wire.now)
    wire.run(3)
    nodes[5].get_peers(HASH, wire.now)
    wire.run(3)
    found = {peer for event in wire.heard(nodes[5], PeersFound) for peer in event.peers}
    assert Address("20.1.0.1", 1_000) in found
    for _, datagram, source, _ in wire.sent:
        message = krpc.decode(datagram)
        if isinstance(message, Response):
            assert all(peer.is_ipv6 == source.is_ipv6 for peer in message.values)
    for node in nodes:
        for ipv6 in (False, True):
            assert all(contact.address.is_ipv6 == ipv6 for contact in table(node, ipv6=ipv6).contacts())


def test_one_network_leads_into_the_other(wire):
    one = wire.node("20.0.0.1", ipv6_host="2001:1::1")
    two = wire.node("20.1.0.1", ipv6_host="2001:2::1")
    two.bootstrap([wire.address(one, ipv6=True)], wire.now)
    wire.run(2)
    late = wire.node("20.2.0.1", ipv6_host="2001:3::1")
    late.bootstrap([wire.address(one)], wire.now)  # over IPv4 only, and `want` asks for both
    wire.run(2)
    assert table(late, ipv6=True).contacts()


def test_a_read_only_node_asks_says_so_and_is_asked_nothing(wire):
    nodes = wire.network(3)
    shy = wire.node("20.9.0.1", read_only=True)
    shy.bootstrap([wire.address(nodes[0])], wire.now)
    wire.run(3)
    nodes[0].announce(HASH, 1_000, wire.now)
    wire.run(2)
    shy.get_peers(HASH, wire.now)
    wire.run(2)
    assert wire.heard(shy, PeersFound)
    asked = [krpc.decode(datagram) for _, datagram, source, _ in wire.sent if source.host == "20.9.0.1"]
    assert asked
    assert all(isinstance(message, Query) and message.read_only for message in asked)
    assert not [to for *_, source, to in wire.sent if to.host == "20.9.0.1" and source not in wire.nodes]
    for node in nodes:
        assert all(contact.address.host != "20.9.0.1" for contact in table(node).contacts())
    shy.receive_datagram(krpc.encode(Query(b"aa", b"x" * 20, Ping())), Address("20.0.0.1", 6881), wire.now)
    assert shy.datagrams_to_send() == []


def test_a_port_message_leads_to_a_contact_if_somebody_is_there(wire):
    one, other = wire.node("20.0.0.1"), wire.node("20.1.0.1")
    one.add_node(Address("20.1.0.1", 6881), wire.now)
    one.add_node(Address("20.2.0.1", 6881), wire.now)
    one.add_node(Address("20.2.0.1", 0), wire.now)
    wire.run(10)
    assert [contact.address.host for contact in table(one).contacts()] == ["20.1.0.1"]
    assert [contact.address.host for contact in table(other).contacts()] == ["20.0.0.1"]  # it asked back


def test_pings_tell_how_it_went(wire):
    one, other = wire.network(2)
    there = one.ping(wire.address(other), wire.now)
    nowhere = one.ping(Address("20.9.0.1", 1), wire.now)
    wire.run(TIMEOUT + 1)
    (pong,) = wire.heard(one, Pong)
    assert (pong.ping, pong.node_id, pong.version) == (there, other._families[False].own_id, krpc.OUR_VERSION)
    assert pong.rtt == pytest.approx(0.02)
    (failed,) = wire.heard(one, PingFailed)
    assert failed.ping == nowhere
    assert "did not answer" in str(failed.error)
    with pytest.raises(DhtError):
        one.ping(Address("2001:db8::1", 1), wire.now)


def test_joining_is_tried_again_ever_more_rarely_until_somebody_answers(wire):
    lonely = wire.node("20.0.0.1")
    lonely.bootstrap([Address("20.1.0.1", 6881)], wire.now)
    wire.run(3_600)
    times = [sent for sent, _, source, _ in wire.sent if source.host == "20.0.0.1"]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps[0] < 15
    assert gaps == sorted(gaps)
    assert gaps[-1] <= LONGEST_PAUSE + 10
    assert all(event.answered == 0 for event in wire.heard(lonely, Joined))
    wire.node("20.1.0.1")
    wire.run(LONGEST_PAUSE + 10)
    assert wire.heard(lonely, Joined)[-1].answered == 1


def test_a_search_begun_before_anybody_is_known_waits_for_joining(wire):
    nodes = wire.network(5)
    nodes[0].announce(HASH, 1_000, wire.now)
    wire.run(2)
    late = wire.node("20.9.0.1")
    late.bootstrap([wire.address(nodes[1])], wire.now)
    late.get_peers(HASH, wire.now)
    wire.run(3)
    assert wire.heard(late, PeersFound)


def test_a_search_of_nobody_ends_at_once(wire):
    lonely = wire.node("20.0.0.1")
    number = lonely.get_peers(HASH, wire.now)
    assert [event.search for event in wire.heard(lonely, SearchDone)] == [number]
    number = lonely.announce(HASH, 5, wire.now)
    assert wire.heard(lonely, Announced) == [Announced(number, 0, 0)]


def test_ten_thousand_searches_of_nobody_end_too(wire):
    lonely = wire.node("20.0.0.1")
    for number in range(10_000):
        lonely.get_peers(number.to_bytes(20, "big"), wire.now)
    assert len(wire.heard(lonely, SearchDone)) == 10_000


def test_a_crowd_of_searches_runs_a_few_at_a_time_and_all_end(wire):
    nodes = wire.network(12)
    for number in range(200):
        nodes[5].get_peers(wire.rng.randbytes(20), wire.now)
        assert nodes[5].snapshot(wire.now).waiting < 1_000
        assert number < nodes[5].snapshot(wire.now).searches + 1
    wire.run(60)
    assert len(wire.heard(nodes[5], SearchDone)) == 200
    assert nodes[5].snapshot(wire.now).searches == 0


def test_a_cancelled_search_tells_nothing_more(wire):
    nodes = wire.network(8)
    nodes[1].announce(HASH, 1_000, wire.now)
    wire.run(2)
    number = nodes[5].get_peers(HASH, wire.now)
    nodes[5].cancel(number, wire.now)
    wire.run(3)
    assert not [event for event in wire.events[wire.address(nodes[5])] if getattr(event, "search", 0) == number]


def test_dead_nodes_cost_a_search_little_and_leave_the_table(wire):
    nodes = wire.network(40)
    alive = nodes[::2]
    for node in nodes[1::2]:
        wire.dead[wire.address(node)] = None
    alive[3].announce(HASH, 1_000, wire.now)
    wire.run(8)
    alive[9].get_peers(HASH, wire.now)
    wire.run(3)
    done = wire.heard(alive[9], SearchDone)[-1]
    assert done.took < 1.0
    assert wire.heard(alive[9], PeersFound)
    wire.run(1_800)
    hosts = {address.host for address in wire.dead}
    for node in alive:
        assert not [contact for contact in table(node).contacts() if contact.address.host in hosts]
        assert len(table(node).contacts()) >= K


def test_a_quiet_network_stays_good_without_being_asked(wire):
    nodes = wire.network(10)
    wire.run(3 * FRESH_FOR)
    for node in nodes:
        standings = [contact.standing(wire.now) for contact in table(node).contacts()]
        assert standings.count(Standing.GOOD) >= K
        assert Standing.BAD not in standings
    sent = len(wire.sent)
    wire.run(FRESH_FOR)
    assert (len(wire.sent) - sent) / len(nodes) < 200  # in a quarter of an hour


def test_being_cut_off_costs_no_contacts(wire):
    nodes = wire.network(10)
    for node in nodes[1:]:
        wire.dead[wire.address(node)] = None
    before = {contact.id for contact in table(nodes[0]).contacts()}
    for _ in range(20):
        nodes[0].get_peers(wire.rng.randbytes(20), wire.now)
        wire.run(TIMEOUT)
    assert {contact.id for contact in table(nodes[0]).contacts()} == before
    wire.dead.clear()
    search = nodes[0].get_peers(HASH, wire.now)
    wire.run(2)
    assert next(event for event in wire.heard(nodes[0], SearchDone) if event.search == search).answered >= K


def test_a_restart_with_the_saved_table_finds_peers_within_a_second(wire):
    nodes = wire.network(20)
    nodes[2].announce(HASH, 1_000, wire.now)
    wire.run(3)
    saved = SavedTable.decode(nodes[7].saved(wire.now).encode())
    address = wire.address(nodes[7])
    again = DhtNode(saved.ids, rng=wire.rng, secret=b"n" * 16, now=wire.now)
    again.restore(saved, wire.now)
    wire.nodes[address] = again
    again.bootstrap([], wire.now)
    again.get_peers(HASH, wire.now)
    wire.run(1)
    assert wire.heard(again, PeersFound)
    assert again._families[False].own_id == saved.ids[False]
    assert again.contact_count >= K


def test_a_saved_table_of_the_dead_does_not_keep_a_node_from_joining(wire):
    nodes = wire.network(10)
    saved = nodes[4].saved(wire.now)
    for node in nodes:
        wire.dead[wire.address(node)] = None
    other = wire.node("30.0.0.1")
    late = wire.node("30.1.0.1")
    late.restore(saved, wire.now)
    late.bootstrap([], wire.now)
    late.bootstrap([Address("30.9.0.1", 1), wire.address(other)], wire.now)  # one of two seeds is dead too
    wire.run(60)
    assert wire.address(other) in [contact.address for contact in table(late).contacts()]
    assert wire.heard(late, Joined)[-1].answered >= 1


def test_the_join_is_repeated_now_and_then_by_one_seed(wire):
    nodes = wire.network(12)
    joins = len(wire.heard(nodes[5], Joined))
    wire.run(2 * REJOIN + 60)
    assert len(wire.heard(nodes[5], Joined)) == joins + 2


def test_a_snapshot_adds_up(wire):
    nodes = wire.network(12)
    nodes[0].announce(HASH, 1_000, wire.now)
    wire.run(2)
    view = nodes[1].snapshot(wire.now)
    (family,) = view.families
    assert family.good + family.questionable + family.bad == sum(bucket.contacts for bucket in family.buckets)
    assert family.good == nodes[1].contact_count
    assert family.hashes in ((), ((HASH, 1),))
    assert family.rtt == pytest.approx(0.02)
    assert view.traffic.queries_sent >= view.traffic.responses_received > 0
    assert view.traffic.bytes_received > view.traffic.received > 0
    assert min(bucket.prefix_bits for bucket in family.buckets) >= 0
    assert nodes[1].closest(HASH, 3, wire.now)
    assert nodes[1].closest(HASH, 3, wire.now, ipv6=True) == []


def test_answers_to_get_peers_carry_nodes_token_and_our_view_of_the_asker(wire):
    nodes = wire.network(4)
    asker = Address("20.77.0.1", 555)
    nodes[0].receive_datagram(krpc.encode(Query(b"zz", b"q" * 20, GetPeers(HASH), read_only=True)), asker, wire.now)
    ((datagram, to),) = nodes[0].datagrams_to_send()
    response = krpc.decode(datagram)
    assert to == response.ip == asker
    assert (response.transaction, response.sender) == (b"zz", nodes[0]._families[False].own_id)
    assert len(response.nodes) == 3
    assert response.token
    announce = AnnouncePeer(HASH, 9, response.token)
    nodes[0].receive_datagram(krpc.encode(Query(b"yy", b"q" * 20, announce, read_only=True)), asker, wire.now)
    ((datagram, _),) = nodes[0].datagrams_to_send()
    assert isinstance(krpc.decode(datagram), Response)
    assert nodes[0].snapshot(wire.now).families[0].hashes == ((HASH, 1),)


def test_ranges_of_ids_that_know_nobody_of_each_other_meet(wire):
    """Twelve nodes in each quarter, and all of a half know the other half; nobody knows the next quarter."""
    quarters = [[wire.node(f"127.0.{quarter}.{each}") for each in range(1, 13)] for quarter in range(4)]
    known = []
    for quarter, nodes in enumerate(quarters):
        for node in nodes:
            family = node._families[False]
            family.move(bytes([quarter << 6 | family.own_id[0] & 63]) + family.own_id[1:], wire.now)
        known.append([CompactNode(node._families[False].own_id, wire.address(node)) for node in nodes])
    for quarter, nodes in enumerate(quarters):
        other_half = known[2] + known[3] if quarter < 2 else known[0] + known[1]
        for node in nodes:
            node.restore(SavedTable(nodes={False: known[quarter] + other_half}), wire.now)
            node.bootstrap([], wire.now)
    wire.run(60)
    for quarter in range(4):
        for node in quarters[quarter]:
            wanted = known[quarter ^ 1][0]
            search = node.find_node(wanted.id, wire.now)
            wire.run(1)
            (done,) = [event for event in wire.heard(node, SearchDone) if event.search == search]
            assert done.nearest[0] == wanted


def test_a_search_that_finds_nobody_asks_those_it_passed_over(wire):
    nodes = wire.network(30)
    nodes[3].announce(HASH, 1_000, wire.now)
    wire.run(3)
    holders = [node for node in nodes if node._families[False].store.counts(1)]
    seeker = next(node for node in nodes if node not in holders and node is not nodes[3])
    for holder in holders:  # each has left a query unanswered a moment ago, which may have been lost
        seeker._families[False].known.on_silence(None, wire.address(holder), wire.now + TIMEOUT)
    seeker.get_peers(HASH, wire.now)
    wire.run(1)
    assert [event.peers for event in wire.heard(seeker, PeersFound)] == [(Address("20.3.0.1", 1_000),)]
